"""A cue: a text of a few lines and when it is shown; and a word with its time."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Cue:
    """Lines of text, shown from `start_ms` to `end_ms`; `number` counts from 1."""

    number: int
    start_ms: float
    end_ms: float
    lines: tuple[str, ...]

    @property
    def speed(self) -> float:
        """Characters per second that its reader must read; 0 for a cue without time."""
        duration = self.end_ms - self.start_ms
        return 1000 * sum(map(len, self.lines)) / duration if duration > 0 else 0.0


class TimedWord(NamedTuple):
    """A word and when it was said, in milliseconds."""

    text: str
    start_ms: float
    end_ms: float
