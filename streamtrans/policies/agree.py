"""Local agreement: write the words that the last continuations share (Liu et al., Interspeech 2020)."""

from dataclasses import dataclass

from streamtrans.errors import UsageError
from streamtrans.policies.base import Action, Continuation, PolicyState, option


@dataclass(frozen=True)
class Agree:
    """Writes a word once the last `agree` tentative continuations have had it, and `hold` agreed words follow it.

    `horizon`: words that a continuation goes beyond the written ones; what is beyond a first difference is decoded anew
    after each READ, so that a far horizon costs passes, and words that are agreed too early. Raises UsageError for
    agree < 2, hold < 0, or a horizon that cannot hold a word and those that follow it.
    """

    agree: int = option(2, "N", "Write what the last N continuations agree on")
    hold: int = option(0, "N", "Keep the last N agreed words back")
    horizon: int = option(2, "N", "Words that a continuation looks ahead")
    name = "agree"
    summary = "write what successive readings agree on; for offline models too"

    def __post_init__(self) -> None:
        if self.agree < 2:
            raise UsageError(f"agree: {self.agree} continuations cannot agree; it must be at least 2")
        if self.hold < 0:
            raise UsageError(f"agree: hold is {self.hold}; it must be 0 or more words")
        if self.horizon <= self.hold:
            raise UsageError(f"agree: horizon is {self.horizon}; it must be more than hold, which is {self.hold}")

    @property
    def evidence(self) -> Continuation:
        """Continuations of `horizon` words, the last `agree` compared."""
        return Continuation(self.agree, self.horizon)

    def decide(self, state: PolicyState) -> Action:
        """WRITE while more than `hold` words are agreed."""
        return Action.WRITE if state.evidence["agreed"] > self.hold else Action.READ
