"""One session of the service, whose sentences are numbered on when its policy, or its engine, changes."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from streamtrans.engine.events import Done, End, Event, Write
from streamtrans.engine.session import Session
from streamtrans.errors import UsageError
from streamtrans.policies import Policy
from streamtrans.serve.messages import Heard
from streamtrans.text.words import join, stream_units

AT_ONCE = 8
"""Words that are taken before their events are sent."""

_WORDS = re.compile(r"\S*\s|\S+")

Start = Callable[[Policy], Session]


class Hosted:
    """Follows one policy after the other; every method that gives events may wait for passes of the model."""

    def __init__(self, start: Start, policy: Policy, first_sentence: int = 0):
        """start: makes the engine's session for a policy. first_sentence: the number of its first one."""
        self._start, self._before = start, first_sentence
        self._session = start(policy)
        self._next: Session | None = None  # goes on after the open sentence
        self._open: list[str] = []  # target words of the open sentence
        self._read = 0  # source words of the open sentence
        self.sentences = first_sentence

    @property
    def policy(self) -> Policy:
        """The policy that decides, or will after the open sentence."""
        return (self._next or self._session).policy

    @property
    def settings(self) -> Any:
        """The languages and limits of the model."""
        return self._session.settings

    @property
    def _target(self) -> str:
        return self.settings.target_language or ""

    def feed(self, text: str) -> Iterator[list[Event]]:
        """Takes source text; gives the events of some words at a time."""
        for piece in _WORDS.findall(text) if self._next else [text]:
            yield from self._in_pieces(self._session.events(piece))
            self._change()

    def hear(self, words: Iterable[Heard]) -> Iterator[list[Event]]:
        """Takes whole words with their times."""
        for word, start_ms, end_ms in words:
            yield self._noted(self._session.hear(word, start_ms, end_ms))
            self._change()

    def end_sentence(self) -> list[Event]:
        """Writes everything owed."""
        events = self._noted(self._session.end_sentence())
        self._change()
        return events

    def finish(self) -> list[Event]:
        """Writes everything owed and ends the session."""
        return self._noted(self._session.finish())

    def follow(self, policy: Policy) -> None:
        """Decides by another policy from the next word on; one that needs other evidence, from the next sentence."""
        try:
            self._session.follow(policy)
            self._next = None
        except UsageError:
            self._next = self._start(policy)
            self._change()

    def reset(self) -> list[Event]:
        """Forgets the open sentence: what was written of it stays, and is its end."""
        events: list[Event] = []
        if self._read or self._open:
            text = join(self._open, self._target)
            events = self._noted([End(self.sentences - self._before, len(self._open), text, self._read)])
        self._next = self._next or self._start(self.policy)
        self._begin(self._next)
        return events

    def _change(self) -> None:
        """Goes on with the next session, if there is one and no sentence is open."""
        if self._next and self._session.between_sentences:
            self._begin(self._next)

    def _begin(self, session: Session) -> None:
        self._session, self._before, self._next = session, self.sentences, None
        self._open, self._read = [], 0

    def _in_pieces(self, events: Iterator[Event]) -> Iterator[list[Event]]:
        while piece := list(islice(events, AT_ONCE)):
            yield self._noted(piece)

    def _noted(self, events: Iterable[Event]) -> list[Event]:
        found = [replace(event, sentence=event.sentence + self._before) for event in events]
        for event in found:
            self._note(event)
        return found

    def _note(self, event: Event) -> None:
        if isinstance(event, Done):
            return
        if isinstance(event, End):
            self.sentences, self._open, self._read = event.sentence + 1, [], 0
        elif event.type == "revise":
            self._open[event.index :] = stream_units(event.text, self._target)
        elif isinstance(event, Write):
            self._open.append(event.text)
        elif event.type == "read":
            self._read = event.delay
