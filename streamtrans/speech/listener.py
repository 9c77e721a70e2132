"""A recogniser in a thread of its own: it hears while others translate.

Recognition computes outside Python's lock: beside it, a translation took 1.4 times as long as alone with a thread, 1.3
times with a process, on two busy cores. So a thread it is, which has nothing to send and dies with its process.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from streamtrans.speech.agreement import Agreement, Step
from streamtrans.speech.sound import RATE, Sound
from streamtrans.speech.window import LONGEST_STEP, Recogniser, Window

SHORTEST_STEP = RATE
"""Samples that are waited for."""

_PATIENCE = 10.0  # seconds


@dataclass(frozen=True)
class Heed:
    """A step of the recogniser; `until`: seconds of sound heard by then; `at`: when, by `time.perf_counter`."""

    step: Step
    until: float
    at: float


class Listener:
    """Hears a sound to its end, hands out each step, and calls `notify` for it; `ended` once nothing more comes.

    What was heard before the recogniser or the sound failed is handed out too; `error` is how it failed.
    """

    def __init__(
        self, sound: Sound, recogniser: Callable[[], Recogniser], agreement: Agreement, notify: Callable[[], None]
    ):
        """recogniser: makes one, in the thread."""
        self._sound, self._make, self._agreement, self._notify = sound, recogniser, agreement, notify
        self._steps: deque[Heed] = deque()
        self._stopping = False
        self.ended = threading.Event()
        self.error: Exception | None = None
        self.heard_until = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> bool:
        """Whether there are steps to take."""
        return bool(self._steps)

    def take(self) -> list[Heed]:
        """The steps since the last call."""
        return [self._steps.popleft() for _ in range(len(self._steps))]

    def stop(self) -> None:
        """Ends after the step that is being made, with the words that were held back."""
        self._stopping = True
        self._sound.stop()

    def close(self) -> None:
        """Stops, and waits for the end: no recogniser may outlive the interpreter, which would abort."""
        self.stop()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        window = None
        try:
            window = Window(self._make(), self._agreement)
            while not self._stopping:
                # sound that is all there is taken in long steps: fewer of them
                samples = self._sound.read(SHORTEST_STEP if self._sound.live else LONGEST_STEP, LONGEST_STEP)
                if not len(samples):
                    break
                for step in window.hear(samples):
                    self._tell(step, window)
            self._tell(window.give_up() if self._stopping else window.finish(), window)
        except Exception as error:
            self.error = error
            if window:
                self._tell(window.give_up(), window)
        finally:
            self.ended.set()
            self._notify()

    def _tell(self, step: Step, window: Window) -> None:
        self.heard_until = window.heard_until
        self._steps.append(Heed(step, window.heard_until, time.perf_counter()))
        self._notify()
