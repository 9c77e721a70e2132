"""One live stream as steps: text in, events and passes to make out, for whoever makes the passes."""

import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from itertools import chain
from typing import Protocol

from streamtrans.engine.events import Done, Event
from streamtrans.engine.passes import Forward, Prediction
from streamtrans.errors import UsageError
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies import Policy
from streamtrans.text.clean import without_sequences
from streamtrans.text.encoding import Utf8Decoder
from streamtrans.text.words import LineEnd, Span, Word, WordReader, source_words

Steps = Generator[Event | Forward, Prediction | None, None]
"""Gives events as they happen, and passes, each of which wants its prediction sent before anything else."""


class Decider(Protocol):
    """The decisions of a `Stream`, or of several in a chain; the driver takes the events out of `events`."""

    events: list[Event]
    endless: bool
    """Whether words come as a stream, which has windows and sentences of its own; a line given as a whole has not."""

    asking: int
    """Which of its models is to make the pass that it asked for last."""

    @property
    def policy(self) -> Policy:
        """The policy that decides."""

    @property
    def settings(self) -> TranslationSettings:
        """The languages and limits."""

    @property
    def sentence(self) -> int:
        """The number of sentences that have ended."""

    @property
    def cuts(self) -> int:
        """The number of times the input was cut."""

    @property
    def foreign(self) -> int:
        """Words of finished sentences in another script."""

    def follow(self, policy: Policy) -> None:
        """Decides by another policy from now on, which must be one for the same evidence."""

    def read(self, unit: Word | LineEnd) -> Forward | None:
        """The pass to make after a source word, or the end of a sentence; None if more source is wanted."""

    def answer(self, prediction: Prediction) -> Forward | None:
        """The pass to make after the answer to the last one, or None."""


class SteppedSession:
    """A `Session` that asks for its passes; see there.

    Methods that take text give `Steps`; those of one call are to be gone through before the next call.
    """

    def __init__(self, stream: Decider, clock: Callable[[], float] = time.perf_counter):
        """clock: seconds."""
        self.stream = stream
        self._request: Forward | None = None
        self._language = stream.settings.source_language or ""
        self._reader = WordReader(self._language)
        self._decoder = Utf8Decoder()
        self._clock, self._start = clock, clock()
        self._open = self._failed = False
        self._spoken: Span | None = None  # the last source word
        self.finished = False

    @property
    def between_sentences(self) -> bool:
        """Whether no sentence has begun since the last one ended."""
        return not self._open and self._reader.empty

    def follow(self, policy: Policy) -> None:
        """Decides by another policy from the next word on; as `Session.follow`."""
        if policy.evidence != self.stream.policy.evidence:
            own = self.stream.policy.name
            raise UsageError(f"{policy.name} decides by other evidence than {own}; start a new session")
        self.stream.follow(policy)

    def text(self, text: str | bytes) -> Steps:
        """Takes more source text; as `Session.events`."""
        self._require_open()
        text, error = (text, None) if isinstance(text, str) else self._decoder.feed(text)
        self.stream.endless = True
        for unit in self._reader.feed(text):
            yield from self._take(unit)
        if error:
            raise error

    def heard(self, word: str, start_ms: float, end_ms: float) -> Steps:
        """Takes one whole word with its times; as `Session.hear`."""
        self._require_open()
        self.stream.endless = True
        for unit in self._reader.feed(f"{word} ", (start_ms, end_ms)):
            yield from self._take(unit)

    def line(self, line: str) -> Steps:
        """Takes one whole sentence; as `Session.feed_line`."""
        self._require_open()
        words = source_words(line, self._language)
        if words:
            yield from self.end()
        self.stream.endless = False
        yield from self._read_words(Word(word, ends_sentence=i == len(words)) for i, word in enumerate(words, 1))

    def word(self, word: str, last: bool = False) -> Steps:
        """Takes one whole source word; as `Session.feed_word`."""
        self._require_open()
        self.stream.endless = False
        yield from self._read_words([Word(without_sequences(word), ends_sentence=last)])

    def end(self) -> Steps:
        """Writes everything owed; the next word starts a new sentence."""
        self._require_open()
        yield from self._read_words([])
        yield from self._take(LineEnd())

    def finish(self) -> Steps:
        """Writes everything owed and ends the stream; as `Session.finish`."""
        if self.finished:
            return
        if error := self._decoder.feed(b"", final=True)[1]:
            raise error
        yield from self.end()
        self.finished = True
        yield Done(self.stream.sentence, 0, "", 0, self._now())

    def _require_open(self) -> None:
        if self.finished or self._failed:
            raise UsageError(f"this session has {'failed' if self._failed else 'finished'}; start a new one")

    def _read_words(self, words: Iterable[Word]) -> Steps:
        """Reads whole words, after those that still waited in the reader for what follows them."""
        for word in chain(self._reader.flush(), words):
            yield from self._take(word)

    def _take(self, unit: Word | LineEnd) -> Steps:
        """Hands one unit to the stream; a line that ends right after a sentence ends nothing more."""
        yield from self._work()  # what steps that were left early still owe
        if self._open or isinstance(unit, Word):
            if isinstance(unit, Word):
                self._spoken = unit.spoken
            self._open = isinstance(unit, Word) and not unit.ends_sentence
            self._request = self.stream.read(unit)
            yield from self._work()

    def _work(self) -> Steps:
        """Gives what happens until the stream waits for source."""
        while True:
            while self.stream.events:
                start_ms, end_ms = self._spoken or (None, None)
                event = self.stream.events.pop(0)
                yield replace(event, time_ms=self._now(), start_ms=start_ms, end_ms=end_ms)
            if self._request is None:
                return
            self._failed = True  # a pass that was interrupted may have left tokens in the cache
            prediction = yield self._request
            assert prediction is not None
            self._request = self.stream.answer(prediction)
            self._failed = False

    def _now(self) -> float:
        return (self._clock() - self._start) * 1000
