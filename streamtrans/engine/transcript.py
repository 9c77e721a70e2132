"""The sum of one sentence's events: the words that stayed, and when each came."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

from streamtrans.engine.events import Event
from streamtrans.text.words import join, stream_units


@dataclass
class Transcript:
    """Built from the events of one sentence, in order; one entry a final target word.

    source: words read. delays: source words read when the target word was written or last changed. computation_ms: the
    work since the final word before it, as (source words read, time) from each event to the next, also from reads that
    wrote nothing; nothing to rely on unless `timed`. deleted: target words that were shown and taken back.
    """

    language: str
    source: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)
    computation_ms: list[tuple[tuple[int, float], ...]] = field(default_factory=list)
    deleted: int = 0
    timed: bool = True
    _owed: tuple[tuple[int, float], ...] = field(default=(), init=False, repr=False)  # work since the last word

    @classmethod
    def of(cls, events: Iterable[Event], language: str) -> "Transcript":
        """The transcript of a sentence's events, in this target language."""
        transcript, before = cls(language), None
        for event in events:
            now, then = event.time_ms, before and before.time_ms
            transcript.timed &= now is not None
            if before and now is not None and then is not None:
                transcript._owed += ((before.delay, now - then),)
            transcript._add(event)
            before = event
        return transcript

    @property
    def text(self) -> str:
        """The translation."""
        return join(self.words, self.language)

    def _add(self, event: Event) -> None:
        if event.type == "read":
            self.source.append(event.text)
        elif event.type in ("write", "revise"):
            new = [event.text] if event.type == "write" else stream_units(event.text, self.language)
            self.deleted += len(self.words) - event.index
            self.words[event.index :] = new
            self.delays[event.index :] = [event.delay] * len(new)
            work = (*chain(*self.computation_ms[event.index :]), *self._owed)
            self.computation_ms[event.index :] = [work, *[()] * (len(new) - 1)] if new else []
            self._owed = () if new else work
