"""Several machines, or several processes of one: lines are split by rank, and rank 0 gets all results in order.

`mlx.launch` starts the same command on every rank. Every rank reads the same lines, translates its share of each chunk,
and hands it to the others in one collective, after which rank 0 has the chunk and writes it. So what is written is
always a beginning of the whole, and `--resume` needs nothing but the output.

A collective may wait for ever for a rank that was killed in the middle of it, deaf to signals. So it runs in a thread
of its own: the main thread waits for that one, with patience that ends, and hears the launcher meanwhile.
"""

import atexit
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import typer

from streamtrans.errors import StreamtransError

if TYPE_CHECKING:
    from streamtrans.engine.events import Event

_STARTED_BY_LAUNCHER = ("MLX_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK")
_LOST = "another rank has died or was stopped; what was written is kept, and --resume goes on from it"

PATIENCE = 600.0
"""Seconds that a rank waits for the others, who have as many lines: what takes longer will not come."""


class Engine(Protocol):
    """What translates lines: `BatchEngine`, `SequentialEngine`, or either of them on several ranks."""

    cuts: int

    def translate(self, lines: Iterable[str]) -> "Iterator[tuple[int, list[Event]]]":
        """(number from 0, events) of each line, in order."""


class Ranks:
    """The processes of this launch; alone where there was none. `leads` is true of the one that writes."""

    def __init__(self) -> None:
        self.rank, self.size = 0, 1
        if any(name in os.environ for name in _STARTED_BY_LAUNCHER):
            from streamtrans.runtime import mx

            self._group = mx.distributed.init()
            self.rank, self.size = self._group.rank(), self._group.size()
            signal.signal(signal.SIGTERM, _stopped)  # what the launcher does to all when one dies

    @cached_property
    def _collectives(self) -> "_Collectives":
        return _Collectives()

    @property
    def leads(self) -> bool:
        """Whether this is rank 0, which reads what was done and writes what is new."""
        return self.rank == 0

    def from_leader(self, work: Callable[[], int]) -> int:
        """What rank 0 gets from `work`, on every rank; where it raises, the others end in silence, as it complains."""
        if self.size == 1:
            return work()
        if not self.leads:
            answer = self.gather(None)[0]
            if "exit_code" in answer:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the launcher is about to stop the rest
                raise typer.Exit(answer["exit_code"])
            return int(answer["result"])
        try:
            result = work()
        except (StreamtransError, OSError) as error:
            self.gather({"exit_code": getattr(error, "exit_code", 1)})
            raise
        self.gather({"result": result})
        return result

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, by rank, on every rank. Raises StreamtransError when one of them is gone."""
        try:
            return self._collectives(lambda: self._gathered(value))
        except (RuntimeError, ValueError) as error:  # the ring may also give zeros for a rank that is gone
            raise StreamtransError(_LOST) from error

    def _gathered(self, value: Any) -> list[Any]:
        import numpy as np

        from streamtrans.runtime import mx

        data = np.frombuffer(json.dumps(value).encode(), np.uint8)
        lengths = np.array(mx.distributed.all_gather(mx.array([len(data)]), group=self._group)).tolist()
        padded = np.zeros(max(lengths), np.uint8)
        padded[: len(data)] = data
        everything = np.array(mx.distributed.all_gather(mx.array(padded), group=self._group))
        parts = zip(everything.reshape(self.size, -1), lengths, strict=True)
        return [json.loads(bytes(part[:length])) for part, length in parts]

    def share(self, engine: Engine, chunk: int) -> Engine:
        """The engine, its lines spread over the ranks in chunks of `chunk` lines a rank; itself where it is alone."""
        return engine if self.size == 1 else _Spread(self, engine, chunk)


def _stopped(*_: object) -> NoReturn:
    raise StreamtransError(_LOST)


class _Collectives:
    """A thread that waits for the other ranks, so that the main thread can stop waiting."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], Any]] = SimpleQueue()
        self._answers: SimpleQueue[tuple[Any, Exception | None]] = SimpleQueue()
        Thread(target=self._serve, daemon=True).start()

    def __call__(self, work: Callable[[], Any]) -> Any:
        """What `work` gives or raises; StreamtransError if it takes longer than `PATIENCE`."""
        try:
            self._jobs.put(work)
            result, error = self._answers.get(timeout=PATIENCE)
        except Empty:
            atexit.register(_leave)
            raise StreamtransError(_LOST) from None
        except BaseException:  # a signal
            atexit.register(_leave)
            raise
        if error:
            raise error
        return result

    def _serve(self) -> None:
        while True:
            work = self._jobs.get()
            try:
                self._answers.put((work(), None))
            except Exception as error:  # the main thread raises it
                self._answers.put((None, error))


def _leave() -> NoReturn:
    """Ends the process, for which mlx would wait as long as its collective does."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(StreamtransError.exit_code)


class _Spread:
    """An engine on several ranks; only rank 0 is given results."""

    def __init__(self, ranks: Ranks, engine: Engine, chunk: int):
        self._ranks, self._engine, self._chunk = ranks, engine, chunk
        self.cuts = 0

    def translate(self, lines: Iterable[str]) -> "Iterator[tuple[int, list[Event]]]":
        ranks, numbered = self._ranks, iter(lines)
        base = 0
        while chunk := list(islice(numbered, self._chunk * ranks.size)):
            own = [_packed(events) for _, events in self._engine.translate(chunk[ranks.rank :: ranks.size])]
            shares = ranks.gather({"cuts": self._engine.cuts, "lines": own})
            self.cuts = sum(share["cuts"] for share in shares)
            if ranks.leads:
                for number in range(len(chunk)):
                    yield base + number, _unpacked(shares[number % ranks.size]["lines"][number // ranks.size])
            base += len(chunk)


def _packed(events: "list[Event]") -> list[list[Any]]:
    return [[e.type, e.sentence, e.index, e.text, e.delay, e.time_ms] for e in events]


def _unpacked(rows: list[list[Any]]) -> "list[Event]":
    from streamtrans.engine.events import KINDS

    return [KINDS[kind](*fields) for kind, *fields in rows]
