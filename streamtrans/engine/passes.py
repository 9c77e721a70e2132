"""The seam between deciding and computing: the passes that a stream asks for, and their answers.

A `Stream` decides and asks for passes; a `Runner` makes them. A model of another kind moves in with an `Executor` of
its own, which makes its runners, and neither streams nor policies know of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from streamtrans.policies.base import Policy

Evidence = Mapping[str, float]
"""Evidence for a policy, by name; `policies.base` explains the names."""


@dataclass(frozen=True)
class Forward:
    """One forward pass: forget everything if `fresh`, take back the last target tokens, append source, then target.

    rows: predict after each of the last `rows` tokens. banned: a token that must not follow the last one. evidence:
    the policy's evidence is wanted at each of these rows too.
    """

    source: list[int]
    target: list[int]
    take_back: int = 0
    fresh: bool = False
    rows: int = 1
    banned: int | None = None
    evidence: bool = False


@dataclass(frozen=True)
class Prediction:
    """The best successor at each row asked for, in order, and the evidence there; none where none was asked for."""

    tokens: list[int]
    evidence: list[Evidence] = field(default_factory=list)


class Runner(Protocol):
    """Makes the passes of one stream, or of several that go in step."""

    def answer(self, requests: Sequence[Forward]) -> list[Prediction]:
        """The predictions for one request of each stream, in order."""


class Group(Runner, Protocol):
    """Makes the passes of several streams that go in step, each at a segment whose whole source is known."""

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these streams only, in this order."""


StartGroup = Callable[[Sequence[Sequence[int]]], Group]
"""Makes the runner of streams with these source tokens, those of a whole segment each."""


class Pool(Protocol):
    """Makes the passes of streams that come and go: those that wait at one time share a pass.

    It belongs to one thread, as the arrays of a memory do.
    """

    def memory(self) -> Any:
        """The memory of a new stream."""

    def answer(self, memories: Sequence[Any], requests: Sequence[Forward]) -> list[Prediction]:
        """The predictions for one request of each of these streams, in order."""


class Executor(Protocol):
    """One model, computed in one way; what it needs for a policy is found, or missed, before the first pass."""

    @property
    def drafts(self) -> float:
        """Tokens of a draft that the pass of a READ should verify: where few cost less than the passes they save."""

    @property
    def parameters(self) -> int:
        """The numbers that the model has learned."""

    def runner(self, policy: Policy) -> Runner:
        """The runner of one stream; ModelError if the checkpoint lacks something that the policy needs."""

    def pool(self, policy: Policy) -> Pool:
        """The maker of passes for live streams of one process that come and go; ModelError as `runner`."""

    def start_group(self, policy: Policy) -> StartGroup:
        """The maker of runners for many streams, each in one thread of several; ModelError as `runner`."""
