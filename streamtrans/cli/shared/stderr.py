"""Lines on standard error, which may be closed."""

import sys
from typing import Protocol

CUT = "a sentence was too long for the model; it is translated in parts"
COPIED = "words in a script that the source language does not use were copied"


def say(text: str) -> None:
    """Prints a line."""
    if sys.stderr:
        print(text, file=sys.stderr)


def warn(message: str) -> None:
    """Prints a warning in one line."""
    say(f"streamtrans: warning: {message}")


class Counts(Protocol):
    """A session or an engine: counts the faults of its input so far."""

    @property
    def cuts(self) -> int:
        """The number of times that the input was cut."""

    @property
    def foreign(self) -> int:
        """The number of words that were copied."""


class InputWarnings:
    """Warns of input that was cut, and of words that were copied, each the first time that it has happened."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def new(self, counts: Counts) -> list[str]:
        """The warnings that are due by these counts and were not given before."""
        due = [message for message, count in ((CUT, counts.cuts), (COPIED, counts.foreign)) if count]
        found = [message for message in due if message not in self._said]
        self._said.update(found)
        return found

    def __call__(self, counts: Counts) -> None:
        """Looks at the counts and warns of what is new."""
        for message in self.new(counts):
            warn(message)
