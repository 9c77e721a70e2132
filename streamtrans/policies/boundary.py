"""Boundary policies: write when punctuation closes a clause or a sentence."""

from dataclasses import dataclass

from streamtrans.errors import UsageError
from streamtrans.policies.base import Action, PolicyState, option
from streamtrans.policies.wait_k import WaitK
from streamtrans.policies.waits import MAX_WAIT


@dataclass(frozen=True)
class Boundary:
    """Reads to the end of a clause, then writes as many words as were read up to there.

    Unpunctuated input flows too: no more than `max_wait` words read stay untranslated. Raises UsageError for
    max_wait < 1.
    """

    max_wait: int = option(12, "W", MAX_WAIT)
    name = "boundary"
    summary = "wait for the end of a clause; for captions that come in phrases"
    evidence = None

    def __post_init__(self) -> None:
        if self.max_wait < 1:
            raise UsageError(f"boundary: max-wait is {self.max_wait}; it must be at least 1 word")

    def decide(self, state: PolicyState) -> Action:
        """WRITE while words of a closed clause, or beyond `max_wait`, are owed."""
        owed_to = max(state.clause_end, state.source_read - self.max_wait + 1)
        return Action.WRITE if state.target_written < owed_to else Action.READ


@dataclass(frozen=True)
class WaitKFlush(WaitK):
    """Wait-k inside a sentence; where one ends inside the line, everything up to there is written before reading on."""

    name = "wait-k-flush"
    summary = "wait-k, all written at sentence ends; for several sentences a line"

    def decide(self, state: PolicyState) -> Action:
        """WRITE up to a sentence end, else as wait-k."""
        return Action.WRITE if state.target_written < state.sentence_end else super().decide(state)
