"""Several machines, or several processes of one, that do the same work: `mlx.launch` starts the same command on each.

A collective may wait for ever for a rank that was killed in the middle of it, deaf to signals. So `gather` runs in a
thread of its own: the main thread waits for that one, with patience that ends, and hears the launcher meanwhile.
"""

import atexit
import json
import os
import signal
import sys
from collections.abc import Callable
from functools import cached_property
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NoReturn

from streamtrans.errors import StreamtransError

_STARTED_BY_LAUNCHER = ("MLX_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK")
_LOST = "another rank has died or was stopped; what was written is kept, and --resume goes on from it"

PATIENCE = 600.0
"""Seconds that a rank waits for the others, which have equal work: an answer that takes longer will not come."""


class Ranks:
    """This process, `rank` of `size`, among the processes that were launched together; 0 of 1 where it is alone."""

    def __init__(self, rank: int = 0, size: int = 1, group: Any = None):
        self.rank, self.size, self._group = rank, size, group

    @classmethod
    def launched(cls) -> "Ranks":
        """The processes that `mlx.launch` started, connected; one process otherwise, without importing mlx."""
        if not any(name in os.environ for name in _STARTED_BY_LAUNCHER):
            return cls()
        from streamtrans.runtime import mx

        group = mx.distributed.init()
        return cls(group.rank(), group.size(), group)

    @property
    def leads(self) -> bool:
        """Whether this is rank 0, which reads and writes files, and talks."""
        return self.rank == 0

    def stop_together(self) -> None:
        """From here on a SIGTERM, which the launcher sends to all when one dies, raises StreamtransError."""
        if self.size > 1:
            signal.signal(signal.SIGTERM, _stopped)

    def meet(self) -> None:
        """Waits until every process is here."""
        if self.size > 1:
            from streamtrans.runtime import mx

            mx.eval(mx.distributed.all_sum(mx.array(1)))

    def total(self, tree: Any) -> Any:
        """The sum over all processes of each array of a tree."""
        if self.size == 1:
            return tree
        import mlx.nn as nn
        from mlx.utils import tree_map

        # mlx packs small arrays into one message and divides by the number of processes.
        return tree_map(lambda array: array * self.size, nn.average_gradients(tree))

    def from_leader(self, work: Callable[[], int]) -> int:
        """Runs `work` on rank 0 and returns its result on every rank.

        If it raises, rank 0 goes on to report and the others exit quietly with its code.
        """
        if self.size == 1:
            return work()
        if not self.leads:
            answer = self.gather(None)[0]
            if "exit_code" in answer:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the launcher is about to stop the rest
                raise SystemExit(answer["exit_code"])
            return int(answer["result"])
        try:
            result = work()
        except (StreamtransError, OSError) as error:
            self.gather({"exit_code": getattr(error, "exit_code", 1)})
            raise
        self.gather({"result": result})
        return result

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value (JSON), by rank, on every rank. Raises StreamtransError when one of them is gone."""
        try:
            return self._collectives(lambda: self._gathered(value))
        except (RuntimeError, ValueError) as error:  # the ring may also give zeros for a rank that is gone
            raise StreamtransError(_LOST) from error

    @cached_property
    def _collectives(self) -> "_Collectives":
        return _Collectives()

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


def _stopped(*_: object) -> NoReturn:
    raise StreamtransError(_LOST)


class _Collectives:
    """A thread that waits for the other ranks, so that the main thread can stop waiting."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], Any]] = SimpleQueue()
        self._answers: SimpleQueue[tuple[Any, Exception | None]] = SimpleQueue()
        Thread(target=self._serve, daemon=True).start()

    def __call__(self, work: Callable[[], Any]) -> Any:
        """Returns or raises what `work` does; StreamtransError if it takes longer than `PATIENCE`."""
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
