"""One live stream: text in as it comes, events out at once."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Protocol

from streamtrans.engine.events import Done, Event
from streamtrans.engine.passes import Forward, Prediction, Runner
from streamtrans.errors import UsageError
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies import Policy
from streamtrans.text.clean import without_sequences
from streamtrans.text.encoding import Utf8Decoder
from streamtrans.text.words import LineEnd, Span, Word, WordReader, source_words


class Decider(Protocol):
    """The decisions of a `Stream`, or of several in a chain; the driver takes the events out of `events`."""

    events: list[Event]
    endless: bool
    """Whether words come as a stream, which has windows and sentences of its own; a line given as a whole has not."""

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


class Session:
    """Translates one stream with one policy; `Translator.session` makes it.

    Every cut of the same text into pieces gives the same events, times aside. What was written is never taken back,
    except by a policy that revises. Nothing is lost before an error: what had been translated when a call raises comes
    from the next one.
    """

    def __init__(self, stream: Decider, runner: Runner, clock: Callable[[], float] = time.perf_counter):
        """runner: makes the passes that the stream asks for. clock: seconds."""
        self._stream, self._runner = stream, runner
        self._request: Forward | None = None
        self._language = stream.settings.source_language or ""
        self._reader = WordReader(self._language)
        self._decoder = Utf8Decoder()
        self._clock, self._start = clock, clock()
        self._collected: list[Event] = []
        self._open = self._failed = False
        self._spoken: Span | None = None  # the last source word
        self.finished = False

    @property
    def policy(self) -> Policy:
        """The policy that decides when to read and when to write."""
        return self._stream.policy

    @property
    def settings(self) -> TranslationSettings:
        """The languages and limits of the model."""
        return self._stream.settings

    @property
    def cuts(self) -> int:
        """The number of times the input was cut: a sentence into parts, or a word at its end."""
        return self._stream.cuts

    @property
    def foreign(self) -> int:
        """Words of finished sentences in a script that the source language does not use: they were copied."""
        return self._stream.foreign

    @property
    def between_sentences(self) -> bool:
        """Whether no sentence has begun since the last one ended."""
        return not self._open and self._reader.empty

    def follow(self, policy: Policy) -> None:
        """Decides by another policy from the next word on, in the middle of a sentence too.

        Raises UsageError for one that decides by other evidence; a new session can follow that.
        """
        if policy.evidence != self.policy.evidence:
            raise UsageError(f"{policy.name} decides by other evidence than {self.policy.name}; start a new session")
        self._stream.follow(policy)

    def events(self, text: str | bytes) -> Iterator[Event]:
        """Takes more source text, any piece of it, and yields each event as it happens.

        An iterator that is left early drops the words of the piece that were not yet read. Raises DataError for bytes
        that are not UTF-8, after the events of the text before them; UsageError after `finish`.
        """
        self._require_open()
        text, error = (text, None) if isinstance(text, str) else self._decoder.feed(text)
        self._stream.endless = True
        for unit in self._reader.feed(text):
            yield from self._take(unit)
        if error:
            raise error

    def feed(self, text: str | bytes) -> list[Event]:
        """Takes more source text, any piece of it, and acts at once; as `events`."""
        return self._collect(self.events(text))

    def hear(self, word: str, start_ms: float, end_ms: float) -> Iterator[Event]:
        """Takes one whole word as a recogniser heard it, with its times in the speech, and yields each event.

        Its punctuation may end the sentence, as in `events`.
        """
        self._require_open()
        self._stream.endless = True
        for unit in self._reader.feed(f"{word} ", (start_ms, end_ms)):
            yield from self._take(unit)

    def feed_line(self, line: str) -> list[Event]:
        """Takes one whole sentence, never split, whose end comes with its last word; an empty one gives nothing.

        An open sentence ends before it.
        """
        self._require_open()
        return self._collect(self._read_line(line))

    def feed_word(self, word: str, last: bool = False) -> list[Event]:
        """Takes one whole source word; the sentence ends with it if it is the `last`, never by its punctuation."""
        self._require_open()
        self._stream.endless = False
        return self._collect(self._read_words([Word(without_sequences(word), ends_sentence=last)]))

    def end_sentence(self) -> list[Event]:
        """Writes everything owed; the next word starts a new sentence."""
        self._require_open()
        return self._collect(self._end_sentence())

    def finish(self) -> list[Event]:
        """Writes everything owed and ends the stream.

        Raises DataError if it ends inside a UTF-8 character; the half is forgotten then, and a second call finishes.
        """
        if self.finished:
            return []
        if error := self._decoder.feed(b"", final=True)[1]:
            raise error
        events = self.end_sentence()
        self.finished = True
        return [*events, Done(self._stream.sentence, 0, "", 0, self._now())]

    def _require_open(self) -> None:
        if self.finished or self._failed:
            raise UsageError(f"this session has {'failed' if self._failed else 'finished'}; start a new one")

    def _read_line(self, line: str) -> Iterator[Event]:
        words = source_words(line, self._language)
        if words:
            yield from self._end_sentence()
        self._stream.endless = False
        yield from self._read_words(Word(word, ends_sentence=i == len(words)) for i, word in enumerate(words, 1))

    def _read_words(self, words: Iterable[Word]) -> Iterator[Event]:
        """Reads whole words, after those that still waited in the reader for what follows them."""
        for word in chain(self._reader.flush(), words):
            yield from self._take(word)

    def _end_sentence(self) -> Iterator[Event]:
        yield from self._read_words([])
        yield from self._take(LineEnd())

    def _take(self, unit: Word | LineEnd) -> Iterator[Event]:
        """Hands one unit to the stream; a line that ends right after a sentence ends nothing more."""
        yield from self._work()  # what an iterator that was left early still owes
        if self._open or isinstance(unit, Word):
            if isinstance(unit, Word):
                self._spoken = unit.spoken
            self._open = isinstance(unit, Word) and not unit.ends_sentence
            self._request = self._stream.read(unit)
            yield from self._work()

    def _work(self) -> Iterator[Event]:
        """Answers the stream until it waits for source."""
        while True:
            while self._stream.events:
                start_ms, end_ms = self._spoken or (None, None)
                event = self._stream.events.pop(0)
                yield replace(event, time_ms=self._now(), start_ms=start_ms, end_ms=end_ms)
            if self._request is None:
                return
            self._failed = True  # a pass that was interrupted may have left tokens in the cache
            (prediction,) = self._runner.answer([self._request])
            self._request = self._stream.answer(prediction)
            self._failed = False

    def _collect(self, events: Iterable[Event]) -> list[Event]:
        """All of the events, and before them those that an earlier call could not return because it raised."""
        for event in events:
            self._collected.append(event)
        collected, self._collected = self._collected, []
        return collected

    def _now(self) -> float:
        return (self._clock() - self._start) * 1000
