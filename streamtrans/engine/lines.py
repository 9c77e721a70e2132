"""Engines of many lines: their protocol, one that takes lines one after the other, and one that spreads them.

`BatchEngine`, many lines in lockstep, has a file of its own.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from streamtrans.engine.events import KINDS, Event
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies import Policy
from streamtrans.ranks import Ranks

if TYPE_CHECKING:
    from streamtrans.engine.passes import Executor
    from streamtrans.engine.session import Session
    from streamtrans.engine.steps import SteppedSession


class Opener(Protocol):
    """Opens sessions, and engines of many lines: a translator, or a chain of two."""

    @property
    def settings(self) -> TranslationSettings:
        """The languages and limits."""

    @property
    def default_policy(self) -> Policy:
        """The policy to follow where none is given."""

    @property
    def executors(self) -> "tuple[Executor, ...]":
        """The models, in the order in which they read."""

    def stepped(self, policy: Policy | None = None, clock: Callable[[], float] = time.perf_counter) -> "SteppedSession":
        """A new live stream whose passes are made elsewhere; clock: seconds."""

    def session(self, policy: Policy | None = None, clock: Callable[[], float] = time.perf_counter) -> "Session":
        """A new live stream; clock: seconds."""

    def lines(self, policy: Policy | None = None, batch_size: int | None = None) -> "LineEngine":
        """The fastest engine for many lines; batch_size: lines in flight."""


class Sentences:
    """Gives whatever opens sessions a way to translate one sentence."""

    def translate(self: Opener, sentence: str, policy: Policy | None = None) -> str:
        """The translation of one sentence, as a stream of its words would give it."""
        events = self.session(policy).feed_line(sentence)
        return events[-1].text if events else ""


class LineEngine(Protocol):
    """Translates lines; `cuts` counts those that were too long for the model in one piece, so far; `foreign` counts
    words in a script that the source language does not use.

    window: lines that it takes before it must give one back.
    """

    window: int

    @property
    def cuts(self) -> int:
        """The number of lines that were cut."""

    @property
    def foreign(self) -> int:
        """The number of words that were copied for their script."""

    def translate(self, lines: Iterable[str]) -> Iterator[tuple[int, list[Event]]]:
        """(number from 0, events) of each line, in order."""


class SequentialEngine:
    """One session per line, whose events have times since the line began: for computation-aware scores."""

    window = 32

    def __init__(self, translator: Opener, policy: Policy | None = None):
        self.translator = translator
        self.policy = policy or translator.default_policy
        self.cuts = self.foreign = 0

    def translate(self, lines: Iterable[str]) -> Iterator[tuple[int, list[Event]]]:
        """(number from 0, events) of each line, in order."""
        for number, line in enumerate(lines):
            session = self.translator.session(self.policy)
            events = session.feed_line(line)
            self.cuts += session.cuts > 0
            self.foreign += session.foreign
            yield number, events


class SpreadEngine:
    """Another engine on several ranks: each translates its share of every chunk, and only rank 0 is given results.

    Every rank reads the same lines and hands its share to the others in one collective, after which rank 0 has the
    chunk. So what is written is always a beginning of the whole, and resuming needs nothing but the output.
    """

    def __init__(self, ranks: Ranks, engine: LineEngine):
        """The lines per rank between two collectives are the engine's window."""
        self._ranks, self._engine, self.window = ranks, engine, engine.window * ranks.size
        self.cuts = self.foreign = 0

    def translate(self, lines: Iterable[str]) -> Iterator[tuple[int, list[Event]]]:
        """(number from 0, events) of each line, in order; none on a rank that does not lead."""
        ranks, numbered = self._ranks, iter(lines)
        base = 0
        while chunk := list(islice(numbered, self.window)):
            own = [_packed(events) for _, events in self._engine.translate(chunk[ranks.rank :: ranks.size])]
            shares = ranks.gather({"cuts": self._engine.cuts, "foreign": self._engine.foreign, "lines": own})
            self.cuts, self.foreign = (sum(share[name] for share in shares) for name in ("cuts", "foreign"))
            if ranks.leads:
                for number in range(len(chunk)):
                    yield base + number, _unpacked(shares[number % ranks.size]["lines"][number // ranks.size])
            base += len(chunk)


def _packed(events: list[Event]) -> list[list[Any]]:
    return [[e.type, e.sentence, e.index, e.text, e.delay, e.time_ms] for e in events]


def _unpacked(rows: list[list[Any]]) -> list[Event]:
    return [KINDS[kind](*fields) for kind, *fields in rows]
