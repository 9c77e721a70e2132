"""One session of the service, whose sentences are numbered on when its policy, or its engine, changes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from streamtrans.engine.events import Done, End, Event, Write
from streamtrans.engine.session import Session
from streamtrans.errors import UsageError
from streamtrans.policies import Policy
from streamtrans.serve.messages import Heard
from streamtrans.text.words import join

AT_ONCE = 8
"""Words that are taken before their events are sent."""

Start = Callable[[Policy], Session]


class Hosted:
    """Follows one policy after the other; every method that gives events may wait for passes of the model."""

    def __init__(self, start: Start, policy: Policy, first_sentence: int = 0):
        """start: makes the engine's session for a policy. first_sentence: the number of its first one."""
        self._start, self._before = start, first_sentence
        self._session = start(policy)
        self._open: list[str] = []  # target words of the open sentence
        self._read = 0  # source words of the open sentence
        self.sentences = first_sentence

    @property
    def policy(self) -> Policy:
        """The policy that decides."""
        return self._session.policy

    @property
    def settings(self) -> Any:
        """The languages and limits of the model."""
        return self._session.settings

    def feed(self, text: str) -> Iterator[list[Event]]:
        """Takes source text; gives the events of some words at a time."""
        yield from self._in_pieces(self._session.events(text))

    def hear(self, words: Iterable[Heard]) -> Iterator[list[Event]]:
        """Takes whole words with their times."""
        for word, start_ms, end_ms in words:
            yield self._noted(self._session.hear(word, start_ms, end_ms))

    def end_sentence(self) -> list[Event]:
        """Writes everything owed."""
        return self._noted(self._session.end_sentence())

    def finish(self) -> list[Event]:
        """Writes everything owed and ends the session."""
        return self._noted(self._session.finish())

    def follow(self, policy: Policy) -> list[Event]:
        """Decides by another policy from the next word on; one that needs other evidence ends the open sentence."""
        try:
            self._session.follow(policy)
            return []
        except UsageError:
            session = self._start(policy)  # first: it may not be possible
            events = self.end_sentence()
            self._begin(session)
            return events

    def reset(self) -> list[Event]:
        """Forgets the open sentence: what was written of it stays, and is its end."""
        events: list[Event] = []
        if self._read or self._open:
            text = join(self._open, self.settings.target_language or "")
            events = self._noted([End(self.sentences - self._before, len(self._open), text, self._read)])
        self._begin(self._start(self.policy))
        return events

    def _begin(self, session: Session) -> None:
        self._session, self._before = session, self.sentences
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
            self._open[event.index :] = [event.text]
        elif isinstance(event, Write):
            self._open.append(event.text)
        elif event.type == "read":
            self._read = event.delay
