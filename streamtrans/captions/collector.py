"""From the events of a stream to cues."""

from typing import TYPE_CHECKING

from streamtrans.captions.cues import Cue, TimedWord
from streamtrans.captions.timeline import Timeline, spread
from streamtrans.text.words import Span, stream_units

if TYPE_CHECKING:
    from streamtrans.engine.events import Event


class CueCollector:
    """Takes the events of one stream in order and gives the cues of each sentence when it ends.

    A word stands where its source word was spoken, if the events tell, else where it was written. language: of the
    translation; it may be set until the first sentence ends.
    """

    def __init__(self, language: str = ""):
        self.language = language
        self._timeline = Timeline()
        self._spoken: list[Span | None] = []  # of each source word that no ended sentence has
        self._words: list[TimedWord] = []

    def feed(self, event: "Event") -> list[Cue]:
        """The cues that this event completes, as `Timeline.add` gives them: the first may replace one of before."""
        if event.type == "read":
            timed = event.start_ms is not None and event.end_ms is not None
            self._spoken.append((event.start_ms, event.end_ms) if timed else None)  # type: ignore[arg-type]
        elif event.type in ("write", "revise"):
            new = [event.text] if event.type == "write" else stream_units(event.text, self.language)
            now = event.time_ms or 0.0
            self._words[event.index :] = [TimedWord(word, now, now) for word in new]
        elif event.type == "end":
            return self._end(event.delay)
        return []

    def finish(self) -> list[Cue]:
        """The cues of a sentence that had begun and was never ended."""
        return self._end(len(self._spoken))

    def _end(self, source_words: int) -> list[Cue]:
        words, spoken = self._words, self._spoken[:source_words]
        self._words, self._spoken = [], self._spoken[source_words:]
        known = [span for span in spoken if span]
        if known and len(known) == len(spoken):
            words = spread(known, [word.text for word in words])
        return self._timeline.add(words, self.language)
