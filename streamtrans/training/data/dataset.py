"""Sentence pairs: filtered with counts of what was dropped and why, and put into batches of like length."""

import queue
import random
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

import numpy as np

from streamtrans.text.words import units
from streamtrans.training.data.mixing import Mixture, Pair

T = TypeVar("T")
S = TypeVar("S")


@dataclass
class Filters:
    """Leaves out pairs: excluded domains, empty sides, damaged text, too many words, unlikely lengths, duplicates.

    max_words: of the longer side. max_ratio: longer side over shorter side in characters, where 10 characters more are
    always allowed. languages: of source and target, which decide what a word is.
    """

    exclude_domains: Sequence[str] = ()
    max_words: int = 60
    max_ratio: float = 2.5
    languages: tuple[str, str] = ("", "")
    dropped: Counter[str] = field(default_factory=Counter)
    _seen: set[Pair] = field(default_factory=set)

    def keep(self, source: str, target: str, domain: str = "") -> bool:
        """Whether the pair stays; counts the reason in `dropped` where it does not."""
        reason = self._reason(source, target, domain)
        if reason:
            self.dropped[reason] += 1
        else:
            self._seen.add((source, target))
        return not reason

    def _reason(self, source: str, target: str, domain: str) -> str:
        if domain and domain in self.exclude_domains:
            return f"domain {domain}"
        lengths = len(units(source, self.languages[0])), len(units(target, self.languages[1]))
        if min(lengths) == 0:
            return "empty side"
        if "\ufffd" in source + target:
            return "damaged text"
        if max(lengths) > self.max_words:
            return f"longer than {self.max_words} words"
        shorter, longer = sorted((len(source), len(target)))
        if longer > self.max_ratio * shorter + 10:
            return "length ratio"
        return "duplicate" if (source, target) in self._seen else ""

    def summary(self) -> str:
        """The numbers of dropped pairs with the reason, most frequent first, or "nothing"."""
        return ", ".join(f"{number} {reason}" for reason, number in self.dropped.most_common()) or "nothing"


@dataclass(frozen=True)
class Position:
    """A place in the endless, shuffled stream of batches: enough to go on from it exactly."""

    epoch: int = 0
    chunk: int = 0
    batch: int = 0


CHUNK = 32_768
"""Rows that are cut into batches of like length together."""


def batches(
    pairs: Sequence[Pair],
    lengths: Callable[[Pair], tuple[int, int]],
    max_tokens: int,
    seed: int,
    start: Position | None = None,
    mixture: Mixture | None = None,
    chunk_size: int = CHUNK,
) -> Iterator[tuple[Position, list[Pair], np.random.Generator]]:
    """Endless batches of rows of like length; yields where to go on after it, the rows, and the batch's own rng.

    Each epoch is shuffled, cut into chunks, made into rows by `mixture`, and each chunk is cut into batches of at most
    `max_tokens` tokens, padding included; `lengths` gives the tokens of both sides of a row. Everything follows from
    seed and position.
    """
    start = start or Position()
    for epoch, chunk, rows in chunks(pairs, seed, start, mixture or Mixture(), chunk_size):
        cut = by_length([lengths(row) for row in rows], max_tokens)
        for place, batch, rng in shuffled(cut, epoch, chunk, seed, start):
            yield place, [rows[i] for i in batch], rng


def chunks(
    pairs: Sequence[Pair], seed: int, start: Position, mixture: Mixture, size: int = CHUNK
) -> Iterator[tuple[int, int, list[Pair]]]:
    """Endless chunks of rows, from the one that `start` is in on; yields epoch, number in the epoch, and rows."""
    for epoch in count(start.epoch):
        order = np.random.default_rng((seed, epoch)).permutation(len(pairs))
        for chunk in range(start.chunk if epoch == start.epoch else 0, -(-len(order) // size)):
            which = order[chunk * size : (chunk + 1) * size].tolist()
            yield epoch, chunk, mixture.rows(pairs, which, random.Random(f"{seed} {epoch} {chunk}"))


def shuffled(
    cut: Sequence[list[int]], epoch: int, chunk: int, seed: int, start: Position
) -> Iterator[tuple[Position, list[int], np.random.Generator]]:
    """The batches of a chunk in random order, without those before `start`; yields as `batches`, rows by index."""
    order = np.random.default_rng((seed, epoch, chunk)).permutation(len(cut))
    first = start.batch if (epoch, chunk) == (start.epoch, start.chunk) else 0
    for number in range(first, len(cut)):
        yield (
            Position(epoch, chunk, number + 1),
            cut[order[number]],
            np.random.default_rng((seed, epoch, chunk, number)),
        )


def by_length(lengths: Sequence[tuple[int, int]], max_tokens: int) -> list[list[int]]:
    """Cuts rows, given by the tokens of their halves, into batches of indices.

    Sorted by source length, and by target length within a band of source lengths: the two halves pad separately.
    """
    batch_count = max(1.0, sum(map(sum, lengths)) / max_tokens)
    band = -(-len(lengths) // round(batch_count**0.5))
    by_source = sorted(range(len(lengths)), key=lengths.__getitem__)
    cut: list[list[int]] = []
    for first in range(0, len(lengths), band):
        widest_source = widest_target = max_tokens  # the first row of a band opens a batch
        for i in sorted(by_source[first : first + band], key=lambda i: lengths[i][::-1]):
            widest_source, widest_target = max(widest_source, lengths[i][0]), max(widest_target, lengths[i][1])
            if not cut or (widest_source + widest_target) * (len(cut[-1]) + 1) > max_tokens:
                cut.append([])
                widest_source, widest_target = lengths[i]
            cut[-1].append(i)
    return cut


def prefetched(stream: Iterator[T], make: Callable[[T], S], ahead: int = 4) -> Generator[S, None, None]:
    """`make` of each item, the next ones made on a thread while the caller works; what is raised there is raised here.

    The thread ends with the stream, or when the iterator is closed.
    """
    ready: queue.Queue[S | BaseException | None] = queue.Queue(ahead)
    closed = threading.Event()

    def fill() -> None:
        last: BaseException | None = None
        try:
            for item in stream:
                ready.put(make(item))
                if closed.is_set():
                    return
        except BaseException as error:
            last = error
        ready.put(last)

    threading.Thread(target=fill, daemon=True).start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        closed.set()
        while not ready.empty():
            ready.get_nowait()
