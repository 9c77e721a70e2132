"""What a stream asks of its driver, and what it is answered."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceWord:
    """The next source word; `last` when its sentence ends with it."""

    text: str
    last: bool = False


@dataclass(frozen=True)
class SourceEnd:
    """The sentence ended after its last word had been read."""


@dataclass(frozen=True)
class Forward:
    """One forward pass: forget everything if `fresh`, take back the last target tokens, append source, then target.

    `rows`: for how many of the last tokens the best successor is wanted; `banned` must not be that of the last one.
    `evidence`: what the policy's instrument reads at the last one is wanted too.
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
    """The best successor of each row asked for, in order.

    At the last row, where evidence was asked for, what the policy's instrument reads, as `PolicyState` explains it, but
    `attended` counts source tokens, from 0.
    """

    tokens: list[int]
    probability: float = 1.0
    entropy: float = 0.0
    regret: float = 0.0
    attended: int = 0


class Wait:
    """Nothing more can be done before the next source word or its end."""


WAIT = Wait()
Request = Forward | Wait
Answer = Prediction | SourceWord | SourceEnd | None
