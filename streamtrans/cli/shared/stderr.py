"""Lines on standard error, which may be closed."""

import sys

CUT = "a sentence was too long for the model; it is translated in parts"
COPIED = "words in a script that the source language does not use were copied"


def say(text: str) -> None:
    """Prints a line."""
    if sys.stderr:
        print(text, file=sys.stderr)


def warn(message: str) -> None:
    """Prints a warning in one line."""
    say(f"streamtrans: warning: {message}")


class OnceWarning:
    """Warns of something, the first time that it has happened."""

    def __init__(self, message: str):
        self._message, self._due = message, True

    def __call__(self, count: int) -> None:
        """count: the number of times that it has happened so far."""
        if count and self._due:
            self._due = False
            warn(self._message)
