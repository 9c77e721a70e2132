"""The seam between deciding and computing: the passes that a stream asks for, and their answers.

A `Stream` decides and asks for passes; a `Runner` makes them. A model of another kind moves in with a runner of its
own, and neither streams nor policies know of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

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
