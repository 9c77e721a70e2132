"""The endless stream of batches: chunks are mixed, encoded and cut ahead of the device, by processes or a thread."""

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any, cast

import numpy as np

from streamtrans.text.tokenizer import Tokenizer
from streamtrans.training.data.collator import Collator
from streamtrans.training.data.dataset import Pair, Position, by_length, chunks, prefetched, shuffled
from streamtrans.training.data.mixing import Mixture
from streamtrans.training.pytorch.batches import DeviceRows, FlatRows


@dataclass(frozen=True)
class Encoded:
    """A chunk of an epoch: its texts, their rows, and the batches of row numbers that it is cut into."""

    epoch: int
    chunk: int
    texts: list[Pair]
    rows: FlatRows
    cut: list[list[int]]


@dataclass(frozen=True)
class Encoder:
    """Encodes chunks and cuts them into batches of at most `max_tokens` tokens; lengths count as on the device."""

    collator: Collator
    max_tokens: int
    aligned: int

    def __call__(self, task: tuple[int, int, list[Pair]]) -> Encoded:
        """The chunk of an epoch, its number in the epoch, and its texts."""
        epoch, chunk, texts = task
        rows = FlatRows.of([self.collator.encode(pair) for pair in texts])
        lengths = np.stack([rows.source_length, rows.target_length], 1)
        lengths = -(-lengths // self.aligned) * self.aligned
        return Encoded(epoch, chunk, texts, rows, by_length([(s, t) for s, t in lengths.tolist()], self.max_tokens))


_encoder: Encoder  # of a process that encodes


def _begin(encoder: Encoder, tokenizer: Callable[[], Tokenizer]) -> None:
    global _encoder
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes, and the first one ends the run
    _encoder = replace(encoder, collator=replace(encoder.collator, tokenizer=tokenizer()))


def _encode(task: tuple[int, int, list[Pair]]) -> Encoded:
    return _encoder(task)


@dataclass(frozen=True)
class DrawnBatch:
    """A batch before it is made: where to go on after it, rows on the device, their numbers, the seed of schedules."""

    place: Position
    opening: str
    rows: DeviceRows
    which: np.ndarray
    seed: int


@dataclass(frozen=True)
class BatchStream:
    """The endless, shuffled stream of batches of a corpus.

    processes: how many encode ahead of the device, 0 for a thread. tokenizer: makes the collator's tokenizer anew in
    each of them.
    """

    encoder: Encoder
    mixture: Mixture
    seed: int
    device: Any
    processes: int
    tokenizer: Callable[[], Tokenizer]

    def batches(self, pairs: Sequence[Pair], start: Position) -> Iterator[DrawnBatch]:
        """Yields batches from a place on."""
        tasks = chunks(pairs, self.seed, start, self.mixture)
        encoded = self._in_processes(tasks) if self.processes else prefetched(tasks, self.encoder, ahead=1)
        for chunk in encoded:
            rows = DeviceRows(chunk.rows, self.device, self.encoder.collator.target_offset, self.encoder.aligned)
            for place, batch, rng in shuffled(chunk.cut, chunk.epoch, chunk.chunk, self.seed, start):
                opening, seed = chunk.texts[batch[0]][0], int(rng.integers(1 << 62))
                yield DrawnBatch(place, opening, rows, np.array(batch), seed)

    def _in_processes(self, tasks: Iterator[tuple[int, int, list[Pair]]]) -> Iterator[Encoded]:
        # Tokenizers hold caches and foreign objects, which do not travel.
        encoder = replace(self.encoder, collator=replace(self.encoder.collator, tokenizer=cast(Tokenizer, None)))
        # Not forked: a forked process may inherit locks of other threads, and must not touch a GPU.
        pool = ProcessPoolExecutor(self.processes, get_context("spawn"), _begin, (encoder, self.tokenizer))
        ahead: list[Future[Encoded]] = []
        try:
            for task in tasks:
                ahead.append(pool.submit(_encode, task))
                if len(ahead) > self.processes:
                    yield ahead.pop(0).result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
