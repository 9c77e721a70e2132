"""Sentence pairs: read, filtered with counts of what was dropped and why, and put into batches of like length."""

import gzip
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import IO

import numpy as np

from streamtrans.errors import DataError

Pair = tuple[str, str]


@dataclass
class Filters:
    """What is left out: pairs whose domain is excluded, empty, too long (words), or of unlikely length ratio."""

    exclude_domains: Sequence[str] = ()
    max_words: int = 60
    max_ratio: float = 2.5
    dropped: Counter[str] = field(default_factory=Counter)

    def keep(self, source: str, target: str, domain: str = "") -> bool:
        """Whether the pair stays; counts the reason in `dropped` where it does not."""
        reason = self._reason(source, target, domain)
        if reason:
            self.dropped[reason] += 1
        return not reason

    def _reason(self, source: str, target: str, domain: str) -> str:
        if domain and domain in self.exclude_domains:
            return f"domain {domain}"
        lengths = len(source.split()), len(target.split())
        if min(lengths) == 0:
            return "empty side"
        if max(lengths) > self.max_words:
            return f"longer than {self.max_words} words"
        shorter, longer = sorted((len(source), len(target)))
        return "length ratio" if longer > self.max_ratio * shorter + 10 else ""


def read_tsv(path: str | Path, filters: Filters, source: str, target: str) -> list[Pair]:
    """Pairs of a tab-separated file (plain or .gz) with a header that names the columns `source` and `target`.

    A column `domain` is used by the filters. Raises DataError with file and line for a missing column or field, and
    for text that is not UTF-8.
    """
    pairs = []
    with _open(path) as lines:
        try:
            header = next(lines, "").rstrip("\n").split("\t")
            missing = [name for name in (source, target) if name not in header]
            if missing:
                raise DataError(f"{path}:1: no column {missing[0]!r}; the header has {', '.join(header)}")
            columns = header.index(source), header.index(target)
            domain = header.index("domain") if "domain" in header else -1
            for number, line in enumerate(lines, 2):
                cells = line.rstrip("\n").split("\t")
                if len(cells) != len(header):
                    raise DataError(f"{path}:{number}: {len(cells)} columns, the header has {len(header)}")
                pair = cells[columns[0]].strip(), cells[columns[1]].strip()
                if filters.keep(*pair, cells[domain] if domain >= 0 else ""):
                    pairs.append(pair)
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not UTF-8 ({error.reason} after {len(pairs)} pairs)") from error
    if not pairs:
        raise DataError(f"{path}: no pair left after filters; dropped {dict(filters.dropped)}")
    return pairs


def _open(path: str | Path) -> IO[str]:
    try:
        if str(path).endswith(".gz"):
            return gzip.open(path, "rt", encoding="utf-8")
        return open(path, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error


@dataclass(frozen=True)
class Position:
    """A place in the endless, shuffled stream of batches: enough to go on from it exactly."""

    epoch: int = 0
    chunk: int = 0
    batch: int = 0


def batches(
    pairs: Sequence[Pair],
    lengths: Callable[[Pair], tuple[int, int]],
    max_tokens: int,
    seed: int,
    start: Position | None = None,
    chunk_size: int = 32_768,
) -> Iterator[tuple[Position, list[Pair], np.random.Generator]]:
    """Endless batches of pairs of like length; yields where to go on after it, the pairs, and the batch's own rng.

    Each epoch is shuffled, cut into chunks, and each chunk cut into batches of at most `max_tokens` tokens, padding
    included; `lengths` gives the tokens of both sides of a pair. Everything follows from seed and position.
    """
    at = start or Position()
    for epoch in count(at.epoch):
        order = np.random.default_rng((seed, epoch)).permutation(len(pairs))
        firsts = range(0, len(order), chunk_size)
        for chunk in range(at.chunk if epoch == at.epoch else 0, len(firsts)):
            rows = [pairs[i] for i in order[firsts[chunk] : firsts[chunk] + chunk_size]]
            cut = _by_length(rows, [lengths(row) for row in rows], max_tokens)
            shuffled = np.random.default_rng((seed, epoch, chunk)).permutation(len(cut))
            first = at.batch if (epoch, chunk) == (at.epoch, at.chunk) else 0
            for number in range(first, len(cut)):
                rng = np.random.default_rng((seed, epoch, chunk, number))
                yield Position(epoch, chunk, number + 1), cut[shuffled[number]], rng


def _by_length(rows: list[Pair], lengths: list[tuple[int, int]], max_tokens: int) -> list[list[Pair]]:
    """Sorted by source length, and by target length within a band of source lengths: the two halves pad separately."""
    batch_count = max(1.0, sum(map(sum, lengths)) / max_tokens)
    band = -(-len(rows) // round(batch_count**0.5))
    by_source = sorted(range(len(rows)), key=lambda i: (lengths[i], rows[i]))
    cut: list[list[Pair]] = []
    for first in range(0, len(rows), band):
        widest_source = widest_target = max_tokens  # the first row of a band opens a batch
        for i in sorted(by_source[first : first + band], key=lambda i: (lengths[i][::-1], rows[i])):
            widest_source, widest_target = max(widest_source, lengths[i][0]), max(widest_target, lengths[i][1])
            if not cut or (widest_source + widest_target) * (len(cut[-1]) + 1) > max_tokens:
                cut.append([])
                widest_source, widest_target = lengths[i]
            cut[-1].append(rows[i])
    return cut
