"""Files with a sentence a line."""

import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from streamtrans.errors import DataError

_BOM = b"\xef\xbb\xbf"


class Lines:
    """The lines of a file, or of standard input for "-", decoded as they are asked for.

    What is wrong ends the lines and is kept in `error`: what came before it can still be translated and written.
    Raises DataError for an empty file, FileNotFoundError and the like for one that cannot be opened.
    """

    def __init__(self, path: Path, limit: int | None = None):
        self._stream: BinaryIO = sys.stdin.buffer if str(path) == "-" else path.open("rb")
        self._name = "standard input" if str(path) == "-" else str(path)
        self._limit = limit
        self.error: DataError | None = None
        self._first = self._stream.readline().removeprefix(_BOM)
        if not self._first:
            raise DataError(f"{self._name} is empty")

    def __iter__(self) -> Iterator[str]:
        return islice(self._decoded(), self._limit)

    def _decoded(self) -> Iterator[str]:
        line, number = self._first, 1
        while line:
            try:
                yield line.decode().rstrip("\r\n")
            except UnicodeDecodeError as error:
                wrong = f"byte 0x{error.object[error.start]:02x} at column {error.start + 1}"
                self.error = DataError(f"{self._name}:{number}: not UTF-8 ({wrong}); convert the file to UTF-8")
                return
            line, number = self._stream.readline(), number + 1


def read_lines(path: Path) -> list[str]:
    """All lines of a file. Raises DataError for an empty one, or one that is not UTF-8, with the line."""
    lines = Lines(path)
    found = list(lines)
    if lines.error:
        raise lines.error
    return found


def read_parallel(source: Path, reference: Path, limit: int | None = None) -> tuple[list[str], list[str]]:
    """Sources and their references, the first `limit`. Raises DataError where they are not as many."""
    sources, references = read_lines(source), read_lines(reference)
    if len(sources) != len(references):
        raise DataError(f"{source} has {len(sources)} lines and {reference} {len(references)}: they must be as many")
    return sources[:limit], references[:limit]


def count_lines(path: Path, limit: int | None = None) -> int | None:
    """How many sentences are to come, for a progress bar; None where that cannot be known beforehand."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        lines = sum(1 for _ in file)
    return lines if limit is None else min(lines, limit)


def skip(lines: Sequence[str] | Lines, count: int) -> Iterator[str]:
    """The lines after the first `count`."""
    return islice(iter(lines), count, None)
