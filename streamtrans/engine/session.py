"""One live stream: text in as it comes, events out at once."""

import codecs
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from streamtrans.engine.answers import answers, recorder_for
from streamtrans.engine.events import Done, Event
from streamtrans.engine.instruments import Instrument
from streamtrans.engine.requests import Forward, Prediction, Request, SourceEnd, SourceWord
from streamtrans.engine.stream import Stream
from streamtrans.errors import DataError, UsageError
from streamtrans.models.qwen2_streaming.masks import SOURCE, TARGET
from streamtrans.models.qwen2_streaming.model import Model
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies import Policy
from streamtrans.runtime import blas_threads
from streamtrans.text.words import Word, WordReader, units

if TYPE_CHECKING:
    from streamtrans.engine.translator import Translator


class SingleRunner:
    """Answers the requests of one stream, with one cache; `passes` counts forward passes."""

    def __init__(self, model: Model, instrument: Instrument | None = None):
        self._model, self._instrument = model, instrument
        self._cache = model.make_cache()
        self.passes = 0

    def forward(self, request: Forward) -> Prediction:
        """What the request asks for."""
        if request.fresh:
            for layer in self._cache:
                layer.reset()
        if request.take_back:
            for layer in self._cache:
                layer.trim(request.take_back)
        self.passes += 1
        tokens = request.source + request.target
        kinds = np.array([SOURCE] * len(request.source) + [TARGET] * len(request.target), np.uint8)
        rows = range(len(tokens) - request.rows, len(tokens))

        def source() -> tuple[np.ndarray, list[int]]:
            columns = np.flatnonzero(np.concatenate([self._cache[0].kinds, kinds]) == SOURCE)
            return columns, [len(columns)]

        with blas_threads(1):
            recorder = recorder_for([request], self._instrument, source)
            hidden = self._model.hidden([tokens], kinds=kinds, cache=self._cache, rows=rows, recorder=recorder)
            return answers([request], hidden, self._model.head(hidden), self._instrument, recorder)[0]


class Session:
    """Translates one stream with one policy.

    Every cut of the same text into pieces gives the same events, times aside. What was written is never taken back.
    """

    def __init__(self, translator: "Translator", policy: Policy, clock: Callable[[], float] = time.perf_counter):
        self.translator, self.policy = translator, policy
        self.runner = SingleRunner(translator.model, translator.instrument(policy))
        self._stream = Stream(translator.tokenizer, translator.settings, policy)
        self._run = self._stream.run()
        self._request: Request = next(self._run)
        self._language = translator.settings.source_language or ""
        self._reader = WordReader(self._language)
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()  # a byte order mark is no text
        self._clock, self._start = clock, clock()
        self._open = False
        self._ready: deque[Event] = deque()  # events that nobody has taken yet
        self.finished = False

    @property
    def pending(self) -> str:
        """The letters that have been fed and are not a word yet."""
        return self._reader.pending

    @property
    def settings(self) -> TranslationSettings:
        """The languages and limits of the model that translates."""
        return self.translator.settings

    @property
    def cuts(self) -> int:
        """How often a sentence was too long for the model and was translated in parts, or a word lost its end."""
        return self._stream.segmented

    @property
    def segmented(self) -> int:
        """How often a sentence was too long for the model and was translated in parts, or a word lost its end."""
        return self._stream.segmented

    def feed(self, text: str | bytes) -> list[Event]:
        """Takes more source text, any piece of it, and acts at once.

        Raises as `events`; the events before the error are given by the next call.
        """
        found: list[Event] = []
        try:
            for event in self.events(text):
                found.append(event)
        except DataError:
            self._ready.extend(found)
            raise
        return found

    def events(self, text: str | bytes) -> Iterator[Event]:
        """Takes more source text, and gives each word's events as soon as they are there.

        Bytes that are not UTF-8 raise DataError once the text before them is translated; what follows them in this
        piece is dropped. Where the caller stops early, the rest of the text is dropped, and the next call gives the
        events that are left. Raises UsageError after `finish`.
        """
        self._require_open()
        yield from self._drained()
        decoded, error = (text, None) if isinstance(text, str) else self._decode(text)
        for unit in self._reader.feed(decoded):
            if isinstance(unit, Word):
                self._ready.extend(self._take(SourceWord(unit.text, last=unit.ends_sentence)))
            else:
                self._ready.extend(self._close_sentence())
            yield from self._drained()
        if error:
            raise error

    def _drained(self) -> Iterator[Event]:
        while self._ready:
            yield self._ready.popleft()

    def feed_line(self, line: str) -> list[Event]:
        """Takes one whole sentence, never split, whose end comes with its last word; an empty one gives nothing."""
        self._require_open()
        words = units(line, self._language)
        events: list[Event] = []
        for number, word in enumerate(words, 1):
            events += self.feed_word(word, last=number == len(words))
        return events

    def feed_word(self, word: str, last: bool = False) -> list[Event]:
        """Takes one whole source word; the sentence ends with it if it is the `last`, never by its punctuation."""
        self._require_open()
        return self._take(SourceWord(word, last))

    def take_back(self, characters: int = 1) -> int:
        """Forgets letters of the word that is not complete yet (backspace); gives how many there were to forget."""
        return self._reader.take_back(characters)

    def end_sentence(self) -> list[Event]:
        """Writes everything owed; the next word starts a new sentence."""
        self._require_open()
        events = list(self._drained())
        for word in self._reader.flush():
            events += self._take(SourceWord(word.text, last=True))
        return events + self._close_sentence()

    def finish(self) -> list[Event]:
        """Writes everything owed and ends the stream.

        Raises DataError if it ends inside a UTF-8 character; the half is forgotten then, and a second call finishes.
        """
        if self.finished:
            return []
        _, error = self._decode(b"", final=True)
        if error:
            raise error
        events = self.end_sentence()
        self.finished = True
        self._run.close()
        return [*events, Done(self._stream.sentence, 0, "", 0, self._now())]

    def _require_open(self) -> None:
        if self.finished:
            raise UsageError("this session has finished; start a new one")

    def _decode(self, data: bytes, final: bool = False) -> tuple[str, DataError | None]:
        """The text of the bytes, or of those before the first that is wrong, and what is wrong."""
        try:
            return self._decoder.decode(data, final), None
        except UnicodeDecodeError as error:
            self._decoder.reset()
            wrong = f"byte 0x{error.object[error.start]:02x} ({error.reason})"
            return error.object[: error.start].decode(), DataError(f"the input is not UTF-8: {wrong}")

    def _close_sentence(self) -> list[Event]:
        return self._take(SourceEnd()) if self._open else []

    def _take(self, item: SourceWord | SourceEnd) -> list[Event]:
        """Hands one item to the stream and answers it until it waits for the next."""
        self._open = isinstance(item, SourceWord) and not item.last
        events: list[Event] = []
        self._request = self._run.send(item)
        while True:
            events += [replace(event, time_ms=self._now()) for event in self._drain()]
            if not isinstance(self._request, Forward):
                return events
            self._request = self._run.send(self.runner.forward(self._request))

    def _drain(self) -> list[Event]:
        events, self._stream.events = self._stream.events, []
        return events

    def _now(self) -> float:
        return (self._clock() - self._start) * 1000
