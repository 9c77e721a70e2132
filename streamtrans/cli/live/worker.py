"""A session in a thread of its own: typing never waits for the model, not even while it loads.

mlx is imported, loaded and used by that one thread, as it wants it. Whoever types puts tasks in and takes messages out.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from streamtrans.cli.shared.stderr import InputWarnings
from streamtrans.engine.events import Event
from streamtrans.policies import Policy

if TYPE_CHECKING:
    from streamtrans.engine.session import Session


_PATIENCE = 1.0  # seconds


class Task(Enum):
    """Something to do, besides text to translate."""

    END_SENTENCE = "end sentence"
    FINISH = "finish"


@dataclass(frozen=True)
class Opened:
    """The model is loaded; languages are "" where the checkpoint names none."""

    source_language: str
    target_language: str
    policy: Policy


@dataclass(frozen=True)
class Warned:
    """Something about the input that the user should know."""

    message: str


Message = Event | Opened | Warned | BaseException


class Worker:
    """Opens a session, feeds it, and hands out what happened; `notify` is called when there is something.

    An exception of the session ends the worker and is the last message.
    """

    def __init__(self, open_session: "Callable[[], Session]", notify: Callable[[], None]):
        self._open, self._notify = open_session, notify
        self._tasks: queue.SimpleQueue[str | Task] = queue.SimpleQueue()
        self._messages: deque[Message] = deque()
        self._ended, self._stopping = threading.Event(), False
        self._warnings = InputWarnings()
        threading.Thread(target=self._run, daemon=True).start()

    def send(self, task: str | Task) -> None:
        """Queues text to feed, or something to do after all that was sent before."""
        self._tasks.put(task)

    def take(self) -> list[Message]:
        """The messages since the last call."""
        return [self._messages.popleft() for _ in range(len(self._messages))]

    def stop(self) -> None:
        """Drops the tasks that are not yet done, and waits a moment for the end."""
        self._stopping = True
        self.send(Task.FINISH)  # wakes it up
        self._ended.wait(_PATIENCE)

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException as error:
            self._tell(error)
        finally:
            # A thread that has used mlx must not end while the interpreter does: its clean-up aborts the process now
            # and then ("terminate called without an active exception"). So it gives back what it has, and stays.
            from streamtrans.runtime import mx

            getattr(mx, "clear_streams", lambda: None)()  # of newer versions of mlx
            self._ended.set()
            threading.Event().wait()

    def _serve(self) -> None:
        session = self._open()
        settings = session.settings
        self._tell(Opened(settings.source_language or "", settings.target_language or "", session.policy))
        while not session.finished and not self._stopping:
            self._work(session, self._tasks.get())

    def _work(self, session: "Session", task: str | Task) -> None:
        if isinstance(task, str):
            for event in session.events(task):
                self._tell(event)
                if self._stopping:
                    return
        else:
            self._tell(*(session.finish() if task is Task.FINISH else session.end_sentence()))
        self._tell(*map(Warned, self._warnings.new(session)))

    def _tell(self, *messages: Message) -> None:
        if messages:
            self._messages.extend(messages)
            self._notify()
