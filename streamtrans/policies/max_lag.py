"""A budget for any policy: how far the target may fall behind."""

from dataclasses import dataclass
from math import inf

from streamtrans.errors import UsageError
from streamtrans.policies.base import Action, Evidence, Policy, PolicyState, revises
from streamtrans.policies.waits import least_lag


@dataclass(frozen=True)
class MaxLag:
    """Another policy, but WRITE whenever more than `words` source words are read beyond target words written.

    Raises UsageError for words < 1, for less than the policy inside keeps to, and for one that revises.
    """

    inside: Policy
    words: int

    def __post_init__(self) -> None:
        if self.words < 1:
            raise UsageError(f"max-lag is {self.words}; it must be at least 1 word")
        if revises(self.inside):
            raise UsageError(f"max-lag bounds what is final; {self.inside.name} shows everything at once")
        if self.words < (least := least_lag(self.inside)):
            raise UsageError(f"max-lag is {self.words}, but {self.name} keeps at least {least:g} words behind")

    @property
    def name(self) -> str:
        """The name of the policy inside."""
        return self.inside.name

    @property
    def evidence(self) -> Evidence:
        """The evidence that the policy inside asks for."""
        return self.inside.evidence

    @property
    def min_wait(self) -> float:
        """The words that the policy inside leaves untranslated before it is asked."""
        return getattr(self.inside, "min_wait", -inf)

    def decide(self, state: PolicyState) -> Action:
        """WRITE over budget, else as the policy inside."""
        return Action.WRITE if state.lag > self.words else self.inside.decide(state)
