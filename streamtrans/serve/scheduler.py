"""Passes for many sessions together: each round of a lane makes one pass for all that want one.

A session wants one pass at a time. Where not all fit into one, those go first that had least of late: a session that
speaks is served at once beside any number that have long texts to translate.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from streamtrans.engine.events import Event
from streamtrans.engine.passes import Executor, Forward, Pool, Prediction
from streamtrans.errors import StreamtransError
from streamtrans.policies import Policy
from streamtrans.runtime import on_gpu, start_computing_thread

log = logging.getLogger(__name__)

LANES = 1 if on_gpu() else 2
"""Threads that compute; a session stays in the one that has its memory."""

MOST = 32
"""Streams per pass: more save little, and all wait for its end."""

HALF_LIFE = 3.0
"""Seconds after which a pass that a session had counts half."""


@dataclass(frozen=True)
class Wish:
    """A pass that a stream wants; `pool` makes it."""

    pool: Pool
    memory: Any
    request: Forward


Work = Generator[Event | Wish, Prediction | None, None]
"""Gives events, and wishes, each of which wants its prediction sent before anything else."""

Told = list[Event] | BaseException | None
"""Some events of an errand; the error that ended it; None at its end."""


class Share:
    """The passes that a session had, those of late most."""

    def __init__(self) -> None:
        self._passes, self._at = 0.0, 0.0

    def at(self, now: float) -> float:
        """The share at a time, in seconds."""
        return self._passes * 0.5 ** ((now - self._at) / HALF_LIFE)

    def add(self, now: float) -> None:
        """The session has a pass."""
        self._passes, self._at = self.at(now) + 1, now


class Errand:
    """Work of one session; `cancel` has the rest of it left out."""

    def __init__(self, work: Work, tell: Callable[[Told], None], share: Share | None = None):
        """tell: is called in the lane's thread. share: of the session, which all of its errands have together."""
        self._work, self._tell = work, tell
        self.share = share or Share()
        self._prediction: Prediction | None = None
        self.wish: Wish | None = None
        self.cancelled = False

    def cancel(self) -> None:
        """Leaves out all after the next event."""
        self.cancelled = True

    def answer(self, prediction: Prediction) -> None:
        """Hands over the prediction that was wished for."""
        self._prediction, self.wish = prediction, None

    def advance(self) -> bool:
        """Goes on to the next wish, and tells the events on the way; false when all is done."""
        events: list[Event] = []
        end: Told = None
        try:
            while self.wish is None:
                step = self._work.send(self._prediction)
                self._prediction = None
                if isinstance(step, Wish):
                    self.wish = step
                else:
                    events.append(step)
                    if self.cancelled:
                        self._work.close()
        except StopIteration:
            pass
        except Exception as error:  # whatever it is, its session has to hear of it, and the others go on
            end = error
        if events:
            self._tell(events)
        if self.wish is None:
            self._tell(end)
        return self.wish is not None

    def fail(self, error: BaseException) -> None:
        """Ends it: its pass could not be made."""
        self._work.close()
        self._tell(error)


class Lane:
    """A thread that computes, and the errands that it has."""

    def __init__(self, observe: Callable[[int], None]):
        """observe: is told of the number of streams in each pass."""
        self._observe = observe
        self._arrived: deque[Errand] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._pools: dict[Any, Pool] = {}
        self.members: WeakSet[Any] = WeakSet()
        self._resting = threading.Event()
        threading.Thread(target=self._run, name="lane", daemon=True).start()

    def pool(self, executor: Executor, policy: Policy) -> Pool:
        """The maker of passes for streams that follow such a policy; ModelError as `Executor.pool`."""
        key = id(executor), policy.evidence
        if key not in self._pools:
            self._pools[key] = executor.pool(policy)
        return self._pools[key]

    def take(self, errand: Errand) -> None:
        """Takes an errand; of one session, one at a time."""
        with self._changed:
            self._arrived.append(errand)
            self._changed.notify()

    def close(self) -> None:
        """Has the thread rest for ever after the pass that it makes, and waits until it does.

        At exit it may neither compute nor be about to end: what mlx keeps for a thread goes a little after Python has
        joined it, and if the process ends in between, it aborts.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._resting.wait()

    def _run(self) -> None:
        start_computing_thread()
        try:
            self._compute()
        except Exception:  # before it rests, which would hide it
            log.exception("a lane failed")
        self._resting.set()
        threading.Event().wait()

    def _compute(self) -> None:
        waiting: list[Errand] = []  # each has a wish
        while True:
            with self._changed:
                while not (self._arrived or waiting or self._closed):
                    self._changed.wait()
                arrived, self._arrived = self._arrived, deque()
            if self._closed:
                for errand in [*waiting, *arrived]:
                    errand.fail(StreamtransError("the server has stopped"))
                return
            waiting += [errand for errand in arrived if errand.advance()]
            if waiting:
                waiting = self._make_pass(waiting)

    def _make_pass(self, waiting: list[Errand]) -> list[Errand]:
        """Makes one pass, of those that had least of late; gives all that still wait."""
        now = time.monotonic()
        waiting.sort(key=lambda errand: errand.share.at(now))
        wishes = [errand.wish for errand in waiting if errand.wish]
        pool = wishes[0].pool
        places = [place for place, wish in enumerate(wishes) if wish.pool is pool][:MOST]
        chosen, own = [waiting[place] for place in places], [wishes[place] for place in places]
        taken = set(places)
        others = [errand for place, errand in enumerate(waiting) if place not in taken]
        self._observe(len(chosen))
        try:
            found = pool.answer([wish.memory for wish in own], [wish.request for wish in own])
        except Exception as error:  # as in `Errand.advance`
            for errand in chosen:
                errand.fail(error)
            return others
        for errand, prediction in zip(chosen, found, strict=True):
            errand.share.add(now)
            errand.answer(prediction)
        return others + [errand for errand in chosen if errand.advance()]


class Scheduler:
    """The lanes."""

    def __init__(self, lanes: int = LANES, observe: Callable[[int], None] = lambda streams: None):
        """observe: as in `Lane`."""
        self._lanes: Sequence[Lane] = [Lane(observe) for _ in range(lanes)]

    def join(self, member: Any) -> Lane:
        """The lane for a new session, which counts there while it exists."""
        lane = min(self._lanes, key=lambda lane: len(lane.members))
        lane.members.add(member)
        return lane

    def close(self) -> None:
        """Has the threads rest, and ends whatever still waits for them."""
        for lane in self._lanes:
            lane.close()
