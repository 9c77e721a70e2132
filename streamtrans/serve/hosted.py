"""One session of the service, whose sentences are numbered on when its policy, or its engine, changes."""

import re
from collections.abc import Iterable
from dataclasses import replace

from streamtrans.engine.events import Done, End, Event, Read, Revise, Write
from streamtrans.engine.lines import Opener
from streamtrans.engine.passes import Forward
from streamtrans.engine.steps import Steps
from streamtrans.errors import UsageError
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies import Policy
from streamtrans.serve.messages import Heard
from streamtrans.serve.scheduler import Lane, Scheduler, Share, Wish, Work
from streamtrans.text.words import join, stream_units

_WORDS = re.compile(r"\S*\s|\S+")


class _Course:
    """A stream that follows one policy, and its memory in each model that it asks."""

    def __init__(self, translator: Opener, policy: Policy, lane: Lane):
        self.session = translator.stepped(policy)
        self._places = [(pool, pool.memory()) for pool in (lane.pool(e, policy) for e in translator.executors)]

    @property
    def policy(self) -> Policy:
        return self.session.stream.policy

    def wish(self, request: Forward) -> Wish:
        return Wish(*self._places[self.session.stream.asking], request)


class Hosted:
    """Follows one policy after the other. The work that its methods give is for its `lane`, one piece at a time."""

    def __init__(self, translator: Opener, policy: Policy, scheduler: Scheduler, first_sentence: int = 0):
        """first_sentence: the number of its first one. Raises what the model and the policy raise."""
        self._translator = translator
        self.settings: TranslationSettings = translator.settings
        self._target = translator.settings.target_language or ""
        self.lane, self.share = scheduler.join(self), Share()
        self._course = _Course(translator, policy, self.lane)
        self._next: _Course | None = None  # goes on after the open sentence
        self._before = self.sentences = first_sentence
        self._written: list[str] = []  # of the open sentence
        self._read = 0  # source words of the open sentence

    @property
    def policy(self) -> Policy:
        """The policy that decides, or will after the open sentence."""
        return (self._next or self._course).policy

    def feed(self, text: str) -> Work:
        """Takes source text."""
        for piece in _WORDS.findall(text) if self._next else [text]:
            yield from self._noted(self._course.session.text(piece))
            self._change()

    def hear(self, words: Iterable[Heard]) -> Work:
        """Takes whole words with their times."""
        for word, start_ms, end_ms in words:
            yield from self._noted(self._course.session.heard(word, start_ms, end_ms))
            self._change()

    def end_sentence(self) -> Work:
        """Writes everything owed."""
        yield from self._noted(self._course.session.end())
        self._change()

    def finish(self) -> Work:
        """Writes everything owed and ends the session."""
        yield from self._noted(self._course.session.finish())

    def reset(self) -> Work:
        """Forgets the open sentence: what was written of it stays, and is its end."""
        if self._read or self._written:
            text = join(self._written, self._target)
            yield self._note(End(self.sentences - self._before, len(self._written), text, self._read))
        self._begin(self._next or _Course(self._translator, self.policy, self.lane))

    def follow(self, policy: Policy) -> None:
        """Decides by another policy from the next word on; one that needs other evidence, from the next sentence.

        Raises what the model raises if it cannot.
        """
        try:
            self._course.session.follow(policy)
            self._next = None
        except UsageError:
            self._next = _Course(self._translator, policy, self.lane)
            self._change()

    def _change(self) -> None:
        """Goes on with the next course, if there is one and no sentence is open."""
        if self._next and self._course.session.between_sentences:
            self._begin(self._next)

    def _begin(self, course: _Course) -> None:
        self._course, self._before, self._next = course, self.sentences, None
        self._written, self._read = [], 0

    def _noted(self, steps: Steps) -> Work:
        """The steps of the course as work, with events that are numbered on."""
        course, prediction = self._course, None
        while True:
            try:
                step = steps.send(prediction)
            except StopIteration:
                return
            prediction = yield course.wish(step) if isinstance(step, Forward) else self._note(step)

    def _note(self, event: Event) -> Event:
        event = replace(event, sentence=event.sentence + self._before)
        match event:
            case Done():
                pass
            case End():
                self.sentences, self._written, self._read = event.sentence + 1, [], 0
            case Revise():
                self._written[event.index :] = stream_units(event.text, self._target)
            case Write():
                self._written.append(event.text)
            case Read():
                self._read = event.delay
        return event
