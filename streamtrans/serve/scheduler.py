"""Passes for many sessions together: whoever waits when a lane is free takes part in its next pass.

A session has at most one pass asked for at a time, and those asked for first are made first, so that one with a long
text to translate does not delay another that has a word.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from streamtrans.engine.passes import Executor, Forward, Pool, Prediction, Runner
from streamtrans.policies import Policy
from streamtrans.runtime import on_gpu, start_computing_thread

LANES = 1 if on_gpu() else 2
"""Threads that compute; a stream stays in the one that has its memory."""

MOST = 64
"""Streams per pass: more save nothing, and all wait for its end."""


@dataclass
class _Wish:
    """A pass that a stream asks for; `pool` makes it."""

    pool: Pool
    memory: Any
    request: Forward
    answer: Future[Prediction] = field(default_factory=Future)


class _Lane:
    """A thread that computes, and the wishes that wait for it."""

    def __init__(self, observe: Callable[[int], None]):
        self._wishes: deque[_Wish] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._observe = observe
        self.pools: dict[Any, Pool] = {}
        self.seats = 0
        threading.Thread(target=self._work, name="lane", daemon=True).start()

    def ask(self, wish: _Wish) -> None:
        with self._changed:
            self._wishes.append(wish)
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _work(self) -> None:
        start_computing_thread()
        while wishes := self._next():
            self._observe(len(wishes))
            try:
                found = wishes[0].pool.answer([w.memory for w in wishes], [w.request for w in wishes])
            except Exception as error:  # whatever a pass raises, each session has to hear of it
                for wish in wishes:
                    wish.answer.set_exception(error)
                continue
            for wish, prediction in zip(wishes, found, strict=True):
                wish.answer.set_result(prediction)

    def _next(self) -> list[_Wish]:
        """The wishes for the next pass, which one pool makes, those that came first; none when the lane is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._wishes or self._closed)
            if not self._wishes:
                return []
            pool = self._wishes[0].pool
            chosen = [wish for wish in self._wishes if wish.pool is pool][:MOST]
            taken = set(map(id, chosen))
            self._wishes = deque(wish for wish in self._wishes if id(wish) not in taken)
            return chosen


class _Place:
    """The runner of one session: asks its lane for each pass and waits for the answer."""

    def __init__(self, lane: _Lane, pool: Pool):
        self._lane, self._pool = lane, pool
        self._memory = pool.memory()
        lane.seats += 1

    def __del__(self) -> None:
        self._lane.seats -= 1

    def answer(self, requests: Sequence[Forward]) -> list[Prediction]:
        (request,) = requests
        wish = _Wish(self._pool, self._memory, request)
        self._lane.ask(wish)
        return [wish.answer.result()]


class Scheduler:
    """Gives sessions their places, and makes their passes together."""

    def __init__(self, lanes: int = LANES, observe: Callable[[int], None] = lambda streams: None):
        """observe: is told of the number of streams in each pass."""
        self._lanes = [_Lane(observe) for _ in range(lanes)]

    def seat(self, executor: Executor, policy: Policy) -> Runner:
        """The runner of a new stream (an `engine.passes.Seat`); its `answer` waits, so it wants a thread of its own.

        Raises ModelError if the model lacks something that the policy needs.
        """
        lane = min(self._lanes, key=lambda lane: lane.seats)
        key = id(executor), policy.evidence
        if key not in lane.pools:
            lane.pools[key] = executor.pool(policy)
        return _Place(lane, lane.pools[key])

    def close(self) -> None:
        """Ends the threads once they have nothing left to do."""
        for lane in self._lanes:
            lane.close()
