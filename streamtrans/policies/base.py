"""The contract of a policy: from what was read and written it decides between READ and WRITE."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol


class Action(Enum):
    """READ the next source word, or WRITE the next target word."""

    READ = "read"
    WRITE = "write"


class Glance:
    """Evidence that comes with the pass that predicts the next target token."""


@dataclass(frozen=True)
class NextToken(Glance):
    """The model's certainty: `probability` of the best next token, and `entropy` of the choice in nats."""


@dataclass(frozen=True)
class Regret(Glance):
    """`regret`, from 0 to 1: the share of the next token's probability that the next source words would take away."""


@dataclass(frozen=True)
class Attention(Glance):
    """`attended`: the source token, from 0, that the model looks at most; see `PolicyState.word_at`."""


@dataclass(frozen=True)
class Continuation:
    """`agreed`: words of the model's own continuation that have settled, up to `horizon` (None: to the end).

    A word has settled when the last `agree` continuations, each with one more source word, have had it. glance: to be
    found beside, for the next token.
    """

    agree: int = 2
    horizon: int | None = None
    glance: Glance | None = None


@dataclass(frozen=True)
class Revision:
    """No evidence and no decisions: the whole tentative translation is shown and corrected as the source comes.

    Its last `mask_words` words are held back until the source has ended.
    """

    mask_words: int = 0


Calibrated = Regret | Attention
"""Evidence that a checkpoint must have been calibrated for."""

Evidence = Glance | Continuation | Revision | None


def glance_of(evidence: Evidence) -> Glance | None:
    """The part of the evidence that comes with the pass that predicts the next target token."""
    return evidence.glance if isinstance(evidence, Continuation) else evidence if isinstance(evidence, Glance) else None


@dataclass
class PolicyState:
    """The current sentence as a policy sees it; all counts in words.

    clause_end, sentence_end: source words up to and including the last word read that closes a clause (a sentence),
    0 before there is one. source_finished: the end of the source has been read too. word_ends: source tokens up to and
    including each word read. evidence: by the names that the policy's kind of evidence explains.
    """

    source_read: int = 0
    source_finished: bool = False
    target_written: int = 0
    clause_end: int = 0
    sentence_end: int = 0
    word_ends: list[int] = field(default_factory=list)
    evidence: Mapping[str, float] = field(default_factory=dict)

    @property
    def lag(self) -> int:
        """Source words read beyond target words written."""
        return self.source_read - self.target_written

    def word_at(self, token: float) -> int:
        """The number, from 1, of the source word that holds a source token, from 0."""
        return 1 + bisect_right(self.word_ends, token)


class Policy(Protocol):
    """Decides before each target word, while the source is unfinished.

    The engine writes everything owed once the source has finished, and reads on when the model has nothing more to say.
    """

    @property
    def name(self) -> str:
        """The name it is registered by."""

    @property
    def evidence(self) -> Evidence:
        """The evidence to find before each decision; None for policies that only count."""

    def decide(self, state: PolicyState) -> Action:
        """READ or WRITE; must not change the state, nor remember earlier calls.

        A policy with a field `min_wait` is not asked, and no evidence is found, while fewer words are untranslated.
        """


def revises(policy: Policy) -> bool:
    """Whether the policy may take back what it has written."""
    return isinstance(policy.evidence, Revision)


def option(default: float, metavar: str, help: str) -> Any:
    """A field of a policy that the command line can set: its default, placeholder and help."""
    return field(default=default, metadata={"metavar": metavar, "help": help})
