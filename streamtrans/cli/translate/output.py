"""The place that a translation goes to while it is made."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def opened(output: Path | None, append: bool) -> Iterator[Callable[[str], None]]:
    """Yields the function that writes to the output file, or to standard output; an OSError of it names the file."""
    if output is None:
        yield _write_to_standard_output
        return
    file = output.open("a" if append else "w", encoding="utf-8", newline="\n")

    def write(text: str) -> None:
        with _named(output):
            file.write(text)
            file.flush()

    try:
        yield write
    finally:
        with _named(output):  # what could not be written is tried again
            file.close()


@contextmanager
def _named(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        error.filename = str(file)
        raise


def _write_to_standard_output(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
