"""Text files: read line by line, with one wording of what is wrong, and written whole or not at all."""

import glob
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from streamtrans.errors import DataError, StreamtransError, UsageError
from streamtrans.text.encoding import not_utf8, utf16_order

_BOM = b"\xef\xbb\xbf"
_START = 64
"""Bytes that tell UTF-16."""


def decoded(lines: Iterable[bytes], name: str) -> Iterator[str]:
    """The lines of a UTF-8 text, without their ends and a byte order mark; only "\\n", or "\\r\\n", ends a line.

    A line without its end is the last, even where the file has grown since: what comes then belongs to that line.
    Raises DataError with `name`, the number of the line, and the byte that is not UTF-8, or for UTF-16.
    """
    for number, line in enumerate(lines, 1):
        if number == 1 and (order := utf16_order(line[:_START])):
            raise not_utf8(name, order)
        if number == 1 and not (line := line.removeprefix(_BOM)):
            return
        try:
            yield line.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            wrong = f"byte 0x{error.object[error.start]:02x} at column {error.start + 1}"
            raise DataError(f"{name}:{number}: not UTF-8 ({wrong}); convert the file to UTF-8") from None
        if not line.endswith(b"\n"):
            return


class Lines:
    """The lines of a file, or of standard input for "-", decoded as they are asked for.

    An error ends the lines and is kept in `error`: what came before it can still be translated and written. Raises
    DataError for a file that is empty or cannot be opened, UsageError where standard input is closed.
    """

    def __init__(self, path: Path, limit: int | None = None):
        self._name = _name(path)
        self._stream = _opened(path)
        self._limit = limit
        self.error: DataError | None = None
        try:
            self._first = self._stream.readline()
        except OSError as error:
            raise DataError(f"{self._name}: {error.strerror}") from None
        if not self._first.removeprefix(_BOM):
            raise DataError(f"{self._name} is empty")
        if order := utf16_order(self._first[:_START]):
            raise not_utf8(self._name, order)

    def __iter__(self) -> Iterator[str]:
        return islice(self._decoded(), self._limit)

    def _decoded(self) -> Iterator[str]:
        try:
            yield from decoded(self._bytes(), self._name)
        except DataError as error:
            self.error = error

    def _bytes(self) -> Iterator[bytes]:
        yield self._first
        yield from self._stream


def _name(path: Path) -> str:
    return "standard input" if str(path) == "-" else str(path)


def _opened(path: Path) -> BinaryIO:
    if str(path) == "-":
        if sys.stdin is None:
            raise UsageError("standard input is closed; name a file, or pipe text in")
        if sys.stdin.closed:
            raise UsageError("standard input can be read once only; name a file for the other text")
        return sys.stdin.buffer
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a file, or of standard input for "-". Raises as `decoded`, and DataError where it cannot be read."""
    try:
        with _opened(path) as stream:
            yield from decoded(stream, _name(path))
    except OSError as error:
        raise DataError(f"{_name(path)}: {error.strerror}") from None


def read_lines(path: Path) -> list[str]:
    """All lines of a file that has some. Raises DataError as `text_lines`, and for an empty one."""
    if lines := list(text_lines(path)):
        return lines
    raise DataError(f"{_name(path)} is empty")


def read_parallel(paths: list[Path], limit: int | None = None) -> list[list[str]]:
    """The lines of several files that belong together, the first `limit`. Raises DataError for unequal counts."""
    first, *others = found = [read_lines(path) for path in paths]
    for path, other in zip(paths[1:], others, strict=True):
        if len(other) != len(first):
            raise DataError(f"{paths[0]} has {len(first)} lines, {path} has {len(other)}; they must be parallel")
    return [lines[:limit] for lines in found]


def count_lines(path: Path, limit: int | None = None) -> int | None:
    """The number of sentences to come, for a progress bar; None where it cannot be known beforehand."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        lines = sum(1 for _ in file)
    return lines if limit is None else min(lines, limit)


def refuse_input(output: Path, file: Path) -> None:
    """Raises UsageError where the file to write is the one to read, "-" for standard input: it would be destroyed."""
    try:
        read, written = os.fstat(0) if str(file) == "-" else file.stat(), output.stat()
    except OSError:
        return
    if stat.S_ISREG(read.st_mode) and os.path.samestat(read, written):
        raise UsageError(f"{output} is the input; write to another file")


def clear_leftovers(path: Path) -> None:
    """Remove what a process that was killed inside `write_atomically` has left beside `path`."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        left.unlink()


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write bytes, or text as UTF-8, to a temporary file beside `path` and rename it; the directory is made if need be.

    Raises `StreamtransError` where that cannot be (no space, no permission); what stood there before then still does.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise StreamtransError(f"{path}: cannot write: {error.strerror}") from None
    try:
        with open(handle, "wb") as file:
            # a name of a file that is no UTF-8 is written as JSON would escape it
            file.write(content.encode(errors="backslashreplace") if isinstance(content, str) else content)
        # mkstemp makes files that only their owner reads; a result is for everyone, as the user's umask says.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise StreamtransError(f"{path}: cannot write: {error.strerror}") from None
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
