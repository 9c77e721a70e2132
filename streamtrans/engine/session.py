"""One live stream: text in as it comes, events out at once."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from streamtrans.engine.events import Event
from streamtrans.engine.passes import Forward, Prediction, Runner
from streamtrans.engine.steps import Decider, SteppedSession, Steps
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies import Policy


class Session:
    """Translates one stream with one policy; `Translator.session` makes it.

    Every cut of the same text into pieces gives the same events, times aside. What was written is never taken back,
    except by a policy that revises. Nothing is lost before an error: what had been translated when a call raises comes
    from the next one.
    """

    def __init__(self, stream: Decider, runners: Sequence[Runner], clock: Callable[[], float] = time.perf_counter):
        """runners: one for each model that the stream asks for passes. clock: seconds."""
        self._steps, self._runners = SteppedSession(stream, clock), runners
        self._stream = stream
        self._collected: list[Event] = []

    @property
    def finished(self) -> bool:
        """Whether the stream has ended."""
        return self._steps.finished

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

    def follow(self, policy: Policy) -> None:
        """Decides by another policy from the next word on, in the middle of a sentence too.

        Raises UsageError for one that decides by other evidence; a new session can follow that.
        """
        self._steps.follow(policy)

    def events(self, text: str | bytes) -> Iterator[Event]:
        """Takes more source text, any piece of it, and yields each event as it happens.

        An iterator that is left early drops the words of the piece that were not yet read. Raises DataError for bytes
        that are not UTF-8, after the events of the text before them; UsageError after `finish`.
        """
        return self._driven(self._steps.text(text))

    def hear(self, word: str, start_ms: float, end_ms: float) -> Iterator[Event]:
        """Takes one whole word as a recogniser heard it, with its times in the speech, and yields each event.

        Its punctuation may end the sentence, as in `events`.
        """
        return self._driven(self._steps.heard(word, start_ms, end_ms))

    def feed(self, text: str | bytes) -> list[Event]:
        """Takes more source text, any piece of it, and acts at once; as `events`."""
        return self._collect(self.events(text))

    def feed_line(self, line: str) -> list[Event]:
        """Takes one whole sentence, never split, whose end comes with its last word; an empty one gives nothing.

        An open sentence ends before it.
        """
        return self._collect(self._driven(self._steps.line(line)))

    def feed_word(self, word: str, last: bool = False) -> list[Event]:
        """Takes one whole source word; the sentence ends with it if it is the `last`, never by its punctuation."""
        return self._collect(self._driven(self._steps.word(word, last)))

    def end_sentence(self) -> list[Event]:
        """Writes everything owed; the next word starts a new sentence."""
        return self._collect(self._driven(self._steps.end()))

    def finish(self) -> list[Event]:
        """Writes everything owed and ends the stream.

        Raises DataError if it ends inside a UTF-8 character; the half is forgotten then, and a second call finishes.
        """
        return self._collect(self._driven(self._steps.finish()))

    def _driven(self, steps: Steps) -> Iterator[Event]:
        """The events of steps, whose passes are made on the way."""
        prediction: Prediction | None = None
        while True:
            try:
                step = steps.send(prediction)
            except StopIteration:
                return
            prediction = None
            if isinstance(step, Forward):
                (prediction,) = self._runners[self._stream.asking].answer([step])
            else:
                yield step

    def _collect(self, events: Iterable[Event]) -> list[Event]:
        """All of the events, and before them those that an earlier call could not return because it raised."""
        for event in events:
            self._collected.append(event)
        collected, self._collected = self._collected, []
        return collected
