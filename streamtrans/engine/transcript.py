"""What one sentence's events amount to: the words that stayed, and when each came."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from streamtrans.engine.events import Event
from streamtrans.text.words import join, units


@dataclass
class Transcript:
    """Built from the events of one sentence, in order; one entry a final target word.

    source: words read. delays: source words read when the target word was written or last changed. computation_ms: time
    since the event before it; nothing to rely on unless `timed`. deleted: target words that were shown and taken back.
    """

    language: str
    source: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)
    computation_ms: list[float] = field(default_factory=list)
    deleted: int = 0
    timed: bool = True

    @classmethod
    def of(cls, events: Iterable[Event], language: str) -> "Transcript":
        """The transcript of a sentence's events, in this target language."""
        transcript, before = cls(language), None
        for event in events:
            now, then = event.time_ms, (event if before is None else before).time_ms
            transcript.timed &= now is not None
            transcript._add(event, 0.0 if now is None or then is None else now - then)
            before = event
        return transcript

    @property
    def text(self) -> str:
        """The translation."""
        return join(self.words, self.language)

    def _add(self, event: Event, computation_ms: float) -> None:
        if event.type == "read":
            self.source.append(event.text)
        elif event.type in ("write", "revise"):
            new = [event.text] if event.type == "write" else units(event.text, self.language)
            self.deleted += len(self.words) - event.index
            self.words[event.index :] = new
            self.delays[event.index :] = [event.delay] * len(new)
            self.computation_ms[event.index :] = ([computation_ms] + [0.0] * len(new))[: len(new)]
