"""What a policy is: it looks at what was read and written, and says READ or WRITE."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol


class Action(Enum):
    """READ the next source word, or WRITE the next target word."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True)
class NextToken:
    """Evidence: what the model thinks of the next target token, given what has been read."""


@dataclass(frozen=True)
class Regret:
    """Evidence: how much of the next token's probability the next source words are expected to take away."""


@dataclass(frozen=True)
class Attention:
    """Evidence: which source word the model looks at for the next token."""


@dataclass(frozen=True)
class Continuation:
    """Evidence: how the model would go on, up to `horizon` words beyond the written ones (None: to the end).

    A word counts as agreed when the last `agree` continuations, each with one more source word, have had it.
    """

    agree: int = 2
    horizon: int | None = None


@dataclass(frozen=True)
class Revision:
    """No decisions: the whole tentative translation is shown and corrected as the source comes.

    Its last `mask_words` words are held back until the source has ended.
    """

    mask_words: int = 0


Glance = NextToken | Regret | Attention
"""Evidence that comes with the pass that predicts the next target token."""

Calibrated = Regret | Attention
"""Evidence that a checkpoint must have been calibrated for."""

Evidence = Glance | Continuation | Revision | None


@dataclass
class PolicyState:
    """What a policy may know of the current sentence; all counts in words.

    clause_end, sentence_end: source words up to and including the last word read that closes a clause (a sentence),
    0 before there is one. source_finished: the end of the source has been read too. With `NextToken` evidence:
    probability of the best next token, entropy of the choice in nats. With `Regret` evidence: the regret, from 0 to 1.
    With `Attention` evidence: the number, from 1, of the word attended to most. With `Continuation` evidence: agreed
    words beyond the written ones.
    """

    source_read: int = 0
    source_finished: bool = False
    target_written: int = 0
    clause_end: int = 0
    sentence_end: int = 0
    probability: float = 1.0
    entropy: float = 0.0
    regret: float = 0.0
    attended: int = 0
    agreed: int = 0

    @property
    def lag(self) -> int:
        """Source words read beyond target words written."""
        return self.source_read - self.target_written


class Policy(Protocol):
    """Decides before each target word, while the source is unfinished.

    The engine writes everything owed once the source has finished, and reads on when the model has nothing more to say.
    """

    @property
    def name(self) -> str:
        """The name it is registered by."""

    @property
    def evidence(self) -> Evidence:
        """What the engine must find out before each decision; None for policies that only count."""

    def decide(self, state: PolicyState) -> Action:
        """READ or WRITE; must not change the state, nor remember earlier calls."""


def revises(policy: Policy) -> bool:
    """Whether the policy may take back what it has written."""
    return isinstance(policy.evidence, Revision)


def option(default: float, metavar: str, help: str) -> Any:
    """A field of a policy that the command line can set: its default, placeholder and help."""
    return field(default=default, metadata={"metavar": metavar, "help": help})
