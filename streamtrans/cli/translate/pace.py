"""Times for events of lines that nobody spoke: a word every 400 ms, as in scoring."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from streamtrans.evaluation.clock import WORD_MS

if TYPE_CHECKING:
    from streamtrans.engine.events import Event


class SteadyPace:
    """Puts the events of line after line on one clock: each comes with the last source word that it needs."""

    def __init__(self) -> None:
        self._before = 0  # source words of the lines before

    def timed(self, number: int, events: "list[Event]") -> "Iterator[Event]":
        """The events of the next line, with their times and this number as their sentence."""
        for event in events:
            yield replace(event, sentence=number, time_ms=(self._before + event.delay) * WORD_MS)
        self._before += events[-1].delay if events else 0
