"""Two models in a chain: a word that the first one writes is a word that the second one reads.

All of it is append-only and in one process. Delays are counted in words of the real source: a word has the delay of the
word in the language between, or of the end, that made the second model write it.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from streamtrans.engine.events import End, Event, Notice, Read, Write
from streamtrans.engine.lines import LineEngine, Opener, Sentences, SequentialEngine
from streamtrans.engine.passes import Executor, Forward, Prediction
from streamtrans.engine.session import Session
from streamtrans.engine.steps import SteppedSession
from streamtrans.engine.stream import Stream
from streamtrans.engine.translator import Translator, load
from streamtrans.errors import UsageError
from streamtrans.models.routes import Route
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies import Policy, revises
from streamtrans.text.languages import HUB
from streamtrans.text.words import LineEnd, Word


@dataclass(frozen=True)
class Chain(Sentences):
    """Translates through a language between: what `Translator` does, with two of them."""

    first: Translator
    second: Translator

    @property
    def links(self) -> tuple[Translator, Translator]:
        """Both of them, in order."""
        return self.first, self.second

    @property
    def settings(self) -> TranslationSettings:
        """The first one's settings, with the target language of the second."""
        return replace(self.first.settings, target_language=self.second.settings.target_language)

    @property
    def default_policy(self) -> Policy:
        """The first one's own; both follow it."""
        return self.first.default_policy

    @property
    def executors(self) -> tuple[Executor, ...]:
        """Both models, in order."""
        return tuple(link.executor for link in self.links)

    def session(self, policy: Policy | None = None, clock: Callable[[], float] = time.perf_counter) -> Session:
        """A new live stream, in which both models follow one policy; clock: seconds.

        Raises UsageError for a policy that takes words back, and what the models raise.
        """
        policy = policy or self.default_policy
        stream = self._stream(policy, [link.executor.drafts for link in self.links])
        return Session(stream, [link.executor.runner(policy) for link in self.links], clock)

    def stepped(self, policy: Policy | None = None, clock: Callable[[], float] = time.perf_counter) -> SteppedSession:
        """A new live stream whose passes are made elsewhere; UsageError as `session`."""
        return SteppedSession(self._stream(policy or self.default_policy, [0, 0]), clock)

    def _stream(self, policy: Policy, drafts: Sequence[float]) -> "ChainedStream":
        if revises(policy):
            raise UsageError(f"policy {policy.name} takes words back, so that no second model can follow; take another")
        first, second = (link.stream(policy, most) for link, most in zip(self.links, drafts, strict=True))
        return ChainedStream(first, second, self.settings)

    def lines(self, policy: Policy | None = None, batch_size: int | None = None) -> LineEngine:
        """The engine for many lines: one session after the other, whatever the batch size."""
        return SequentialEngine(self, policy)


def load_route(route: Route, adapter: Path | None = None, carry: bool = True) -> Opener:
    """The translator of a route, or the chain of two; raises as `load`."""
    tongues = [route.source, *[HUB] * (len(route.models) - 1), route.target]
    languages = [(source, target) if source and target else None for source, target in pairwise(tongues)]
    links = [
        load(model, adapter, carry, pair, route.instructions, route.policy)
        for model, pair in zip(route.models, languages, strict=True)
    ]
    return Chain(*links) if len(links) > 1 else links[0]


class ChainedStream:
    """The decisions of two streams; `asking` is the one that waits for the answer to a pass, 0 or 1."""

    def __init__(self, first: Stream, second: Stream, settings: TranslationSettings):
        """settings: of both together."""
        self._streams, self.settings = (first, second), settings
        self._between: deque[tuple[Word | LineEnd, int]] = deque()  # for the second to read, with their delays
        self._delay = 0
        self.events: list[Event] = []
        self.asking = 0

    @property
    def policy(self) -> Policy:
        """The policy of both streams."""
        return self._streams[0].policy

    def follow(self, policy: Policy) -> None:
        """Both streams decide by another policy from now on."""
        for stream in self._streams:
            stream.follow(policy)

    @property
    def sentence(self) -> int:
        """The number of sentences that have ended."""
        return self._streams[1].sentence

    @property
    def endless(self) -> bool:
        """Whether the first one's input is a stream; the second one's is divided by the first."""
        return self._streams[0].endless

    @endless.setter
    def endless(self, value: bool) -> None:
        self._streams[0].endless = value

    @property
    def cuts(self) -> int:
        """The number of times the input of either was cut."""
        return sum(stream.cuts for stream in self._streams)

    @property
    def foreign(self) -> int:
        """Words of finished sentences in a script that the source language does not use."""
        return self._streams[0].foreign

    def read(self, unit: Word | LineEnd) -> Forward | None:
        """Takes the next source word, or the end of a sentence; as `Stream.read`."""
        self.asking = 0
        return self._go_on(self._streams[0].read(unit))

    def answer(self, prediction: Prediction) -> Forward | None:
        """Takes the answer to the last pass; as `Stream.answer`."""
        return self._go_on(self._streams[self.asking].answer(prediction))

    def _go_on(self, request: Forward | None) -> Forward | None:
        """Lets the second stream read whatever the first one has written, once that waits for source."""
        self._take_events()
        while request is None and self._between:
            self.asking = 1
            unit, self._delay = self._between.popleft()
            request = self._streams[1].read(unit)
            self._take_events()
        return request

    def _take_events(self) -> None:
        """Passes on the words that were read and written in the end; those between become source."""
        first, second = self._streams
        for event in first.events:
            if isinstance(event, Read):
                self.events.append(event)
            elif isinstance(event, Notice):
                self.events.append(replace(event, index=len(second.target)))
            elif isinstance(event, Write):
                self._between.append((Word(event.text), event.delay))
            elif isinstance(event, End):
                self._between.append(self._ended(event.delay))
        self.events += [replace(e, delay=self._delay) for e in second.events if not isinstance(e, Read)]
        first.events, second.events = [], []

    def _ended(self, delay: int) -> tuple[Word | LineEnd, int]:
        """The end of a sentence in the language between: with its last word, if this is not read yet."""
        if self._between and isinstance(word := self._between[-1][0], Word) and not word.ends_sentence:
            self._between.pop()
            return replace(word, ends_sentence=True), delay
        return LineEnd(), delay
