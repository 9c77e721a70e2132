"""Local agreement: write the words that the last continuations share (Liu et al., Interspeech 2020)."""

from dataclasses import dataclass

from streamtrans.errors import UsageError
from streamtrans.policies.base import Action, Continuation, NextToken, PolicyState, option


@dataclass(frozen=True)
class Agree:
    """Writes a word once the last `agree` tentative continuations have had it, and `hold` agreed words follow it.

    A word that the model gives more than the probability `certain` need not wait for those that follow.

    `horizon`: words that a continuation goes beyond the written ones; what is beyond a first difference is decoded anew
    after each READ, so that a far horizon costs passes, and words that are agreed too early. Raises UsageError for
    agree < 2, hold < 0, a horizon that cannot hold a word and those that follow it, or certain outside 0 to 1.
    """

    agree: int = option(2, "N", "Write what the last N continuations agree on")
    hold: int = option(0, "N", "Keep the last N agreed words back")
    horizon: int = option(2, "N", "Words that a continuation looks ahead")
    certain: float = option(1.0, "P", "Hold no agreed word back that is more probable than P")
    name = "agree"
    summary = "write what successive readings agree on; for offline models too"

    def __post_init__(self) -> None:
        if self.agree < 2:
            raise UsageError(f"agree: {self.agree} continuations cannot agree; it must be at least 2")
        if self.hold < 0:
            raise UsageError(f"agree: hold is {self.hold}; it must be 0 or more words")
        if self.horizon <= self.hold:
            raise UsageError(f"agree: horizon is {self.horizon}; it must be more than hold, which is {self.hold}")
        if not 0 <= self.certain <= 1:
            raise UsageError(f"agree: certain is {self.certain}; it must be from 0 to 1")

    @property
    def evidence(self) -> Continuation:
        """Continuations of `horizon` words, the last `agree` compared, and the next word's probability if it counts."""
        return Continuation(self.agree, self.horizon, NextToken() if self.hold and self.certain < 1 else None)

    def decide(self, state: PolicyState) -> Action:
        """WRITE while more than `hold` words are agreed, or one that is certain."""
        held = 0 if state.evidence.get("probability", 0) > self.certain else self.hold
        return Action.WRITE if state.evidence["agreed"] > held else Action.READ
