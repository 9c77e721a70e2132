"""Where cues stand in time."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from streamtrans.captions.cues import Cue, TimedWord
from streamtrans.captions.layout import columns, lay_out
from streamtrans.text.words import Span, join

MINIMUM_MS = 1000.0
READING_SPEED = 15.0
"""Columns per second that a cue is given if the next one does not come before."""


class Timeline:
    """Gives cues their places, one after the other.

    A cue starts with its first word and lasts until its last one was said and there was time to read it, but at least
    `MINIMUM_MS`; then the next one may end it. Of words that come faster than can be shown, the cues move back.
    """

    def __init__(self) -> None:
        self._last: Cue | None = None

    def add(self, words: Sequence[TimedWord], language: str) -> list[Cue]:
        """The cues of more words. The first one replaces the last of before where it has the same number: its end has
        moved."""
        texts, changed = [word.text for word in words], {}
        for lines in lay_out(texts, language):
            text = tuple(join(texts[line.start : line.stop], language).strip() for line in lines)
            first, last = words[lines[0].start], words[lines[-1].stop - 1]
            for cue in self._place(text, first.start_ms, last.end_ms):
                changed[cue.number] = cue
        return list(changed.values())

    def _place(self, lines: tuple[str, ...], start: float, end: float) -> Iterator[Cue]:
        number, start = 1, max(0.0, start)
        if last := self._last:
            number, start = last.number + 1, max(start, last.start_ms + MINIMUM_MS)
            if last.end_ms > start:
                yield replace(last, end_ms=start)
        reading = 1000 * sum(map(columns, lines)) / READING_SPEED
        self._last = Cue(number, start, max(end, start + MINIMUM_MS, start + reading), lines)
        yield self._last


def spread(spans: Sequence[Span], words: Sequence[str]) -> list[TimedWord]:
    """The words of a translation at the times of its source words, in proportion: word i of n has the start of source
    word ⌊i·m/n⌋."""
    count, of = len(spans), len(words)
    return [
        TimedWord(word, spans[i * count // of][0], spans[-(-(i + 1) * count // of) - 1][1])
        for i, word in enumerate(words)
    ]
