"""Standard streams that were closed by whoever started us, or that fail later."""

import contextlib
import io
import os
import sys
from typing import Any, cast

from streamtrans.errors import StreamtransError


class ClosedOutput(io.TextIOBase):
    """Stands for a closed standard output: writing to it is an error that says so, so that no result is lost unseen."""

    def write(self, text: str) -> int:
        """Raises StreamtransError for any text."""
        if text:
            raise StreamtransError("standard output is closed; nothing can be written to it")
        return 0

    def reconfigure(self, **_: Any) -> None:
        """Changes nothing."""


class LenientErrors(io.TextIOWrapper):
    """A standard error that may be full, or a terminal that is gone: what cannot be told there stops nothing."""

    def write(self, text: str) -> int:
        """Writes what can be written."""
        with contextlib.suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Flushes what can be flushed."""
        with contextlib.suppress(OSError):
            super().flush()


def guard_streams() -> None:
    """Keeps the descriptors 0 to 2 from being given to files, and output from going where it does not belong.

    A closed standard input stays None; a closed standard output becomes a `ClosedOutput`, and errors go nowhere.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free, which is this one
    if sys.stdout is None:
        sys.stdout = ClosedOutput()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = LenientErrors(cast(Any, sys.stderr).detach(), "utf-8", "backslashreplace", line_buffering=True)
