"""Confidence: write when the model is sure of the next word (after Zheng et al., "Simultaneous Translation Policies:
From Fixed to Adaptive", ACL 2020)."""

from dataclasses import dataclass
from math import inf, isnan

from streamtrans.errors import UsageError
from streamtrans.policies.base import Action, NextToken, PolicyState, option
from streamtrans.policies.waits import MAX_WAIT, MIN_WAIT, check_waits, within_waits


@dataclass(frozen=True)
class Confident:
    """Between a lag of `min_wait` and of `max_wait` words, writes when the best next token is likely enough.

    Likely enough: its probability is at least `threshold`, and the entropy of the choice at most `max_entropy` nats.
    Below min_wait it reads, at max_wait it writes. Raises UsageError for values out of range.
    """

    threshold: float = option(0.5, "P", "Least probability of the next word")
    max_entropy: float = option(inf, "H", "Write only when the entropy of the choice is at most H nats")
    min_wait: int = option(1, "W", MIN_WAIT)
    max_wait: int = option(9, "W", MAX_WAIT)
    name = "confident"
    summary = "write when the model is sure of the next word; to compare with, wait-k measures better"
    evidence = NextToken()

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise UsageError(f"confident: threshold is {self.threshold:g}; it must be a probability from 0 to 1")
        if self.max_entropy < 0 or isnan(self.max_entropy):
            raise UsageError(f"confident: max-entropy is {self.max_entropy:g}; it must be 0 or more nats")
        check_waits(self.name, self.min_wait, self.max_wait)

    def decide(self, state: PolicyState) -> Action:
        """WRITE when sure, or at the latest allowed moment."""
        evidence = state.evidence
        sure = evidence["probability"] >= self.threshold and evidence["entropy"] <= self.max_entropy
        return within_waits(state, self.min_wait, self.max_wait, sure)
