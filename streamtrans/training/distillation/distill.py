"""Distillation: sentences and a teacher's translations of them, as a table to train on."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from streamtrans.errors import DataError, UsageError
from streamtrans.training.data.dataset import Filters, Pair
from streamtrans.training.data.sources import columns_of, lines_of, open_packed
from streamtrans.training.distillation.monotone import Monotonicity
from streamtrans.training.distillation.teachers import Teacher
from streamtrans.training.files import replacing


@dataclass(frozen=True)
class Distilled:
    """A finished table: pairs written, pairs dropped and why, in words, mean monotonicity of the written ones."""

    written: int
    dropped: str
    monotone: float


def read_sentences(path: Path, column: str | None = None) -> list[str]:
    """The sentences of a text, one per line, or of a column of a table; plain, .gz or .xz; empty ones left out.

    Raises DataError for a file that cannot be read, has no such column, or has no sentence.
    """
    lines = lines_of(path) if column is None else (cells[0] for cells in columns_of(path, [column]))
    sentences = [" ".join(line.split()) for line in lines]
    if not (sentences := [sentence for sentence in sentences if sentence]):
        raise DataError(f"{path}: no sentence in it")
    return sentences


class Distillation:
    """Translations that are written to OUTPUT.partial as they come, and to OUTPUT when all are there."""

    def __init__(self, sentences: list[str], output: Path, teacher: Teacher):
        """Goes on with an earlier run. UsageError if that was made of other sentences or by another teacher."""
        self.sentences, self.output, self.teacher = sentences, output, teacher
        self.partial = output.with_name(output.name + ".partial")
        self._title = json.dumps(list(teacher.title))  # the first line of the partial file
        self.done = self._taken_up() if self.partial.exists() else 0

    def _taken_up(self) -> int:
        """The number of whole rows of the partial file; what a kill cut short is taken off."""
        whole = self.partial.read_bytes()
        whole = whole[: whole.rfind(b"\n") + 1]
        title, *rows = whole.decode(errors="replace").split("\n")[:-1] or [self._title]
        if title != self._title:
            raise UsageError(f"{self.partial} was made by another teacher: {title}; remove it to start anew")
        for number, row in enumerate(rows):
            if number >= len(self.sentences) or row.split("\t")[0] != self.sentences[number]:
                raise UsageError(f"{self.partial} was made of other sentences; remove it to start anew")
        with open(self.partial, "r+b") as file:
            file.truncate(len(whole))
        return len(rows)

    def translate(self, processes: int, advance: Callable[[int], None] = lambda number: None) -> None:
        """Translates the rest, in order, `processes` chunks at a time where the teacher works side by side.

        advance: is told the number of sentences of each finished chunk. Raises DataError if the teacher fails; finished
        chunks stay.
        """
        size, processes = self.teacher.chunk, processes if self.teacher.side_by_side else 1
        chunks = iter([self.sentences[first : first + size] for first in range(self.done, len(self.sentences), size)])
        with open(self.partial, "a", encoding="utf-8") as file, ThreadPoolExecutor(processes) as pool:
            if not file.tell():
                file.write(self._title + "\n")
            coming = ((chunk, pool.submit(self.teacher.translate, chunk)) for chunk in chunks)
            running = deque(islice(coming, 2 * processes))  # twice as many, so that no process waits for the writing
            try:
                while running:
                    chunk, translations = running.popleft()
                    rows = zip(chunk, translations.result(), strict=True)
                    file.write("".join(f"{source}\t{target}\n" for source, target in rows))
                    file.flush()
                    self.done += len(chunk)
                    advance(len(chunk))
                    running.extend(islice(coming, 1))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def finish(self, filters: Filters, languages: tuple[str, str], least: float = 0.0) -> Distilled:
        """Filters, scores and writes the table (columns source, target, monotone); removes the partial file.

        least: pairs of a lower monotonicity are dropped. Raises DataError if nothing is left.
        """
        rows = (row.split("\t") for row in islice(lines_of(self.partial), 1, None))
        pairs = [(source, target) for source, target in rows if filters.keep(source, target)]
        if not pairs:
            raise DataError(f"{self.output}: no pair left; dropped {filters.summary()}")
        scored = list(_scored(pairs, languages, least, filters))
        if not scored:
            raise DataError(
                f"{self.output}: no pair is as monotone as {least:g}; the translations are in {self.partial}"
            )
        with replacing(self.output) as fresh, open_packed(fresh, "wt") as file:
            file.write("source\ttarget\tmonotone\n")
            file.writelines(f"{source}\t{target}\t{score:.3f}\n" for (source, target), score in scored)
        self.partial.unlink()
        mean = sum(score for _, score in scored) / len(scored)
        return Distilled(len(scored), filters.summary(), mean)


def _scored(
    pairs: list[Pair], languages: tuple[str, str], least: float, filters: Filters
) -> Iterator[tuple[Pair, float]]:
    measure = Monotonicity(pairs, languages)
    for pair in pairs:
        score = measure.score(*pair)
        if score >= least:
            yield pair, score
        else:
            filters.dropped[f"less monotone than {least:g}"] += 1
