"""Lines on standard error, which may be closed."""

import sys

CUT = "a sentence was too long for the model; it is translated in parts"


def say(text: str) -> None:
    """Prints a line."""
    if sys.stderr:
        print(text, file=sys.stderr)


def warn(message: str) -> None:
    """Prints a warning in one line."""
    say(f"streamtrans: warning: {message}")


class CutWarning:
    """Warns, once, that a sentence was cut."""

    def __init__(self, shown: bool = True):
        self._due = shown

    def __call__(self, cuts: int) -> None:
        """cuts: the number of times that an input was cut, so far."""
        if cuts and self._due:
            self._due = False
            warn(CUT)
