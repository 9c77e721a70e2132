"""Wait-k: stay k words behind (Ma et al., "STACL", ACL 2019)."""

from dataclasses import dataclass
from math import floor, inf

from streamtrans.errors import UsageError
from streamtrans.policies.base import Action, PolicyState, option


@dataclass(frozen=True)
class WaitK:
    """Before target word i (from 1), k + i − 1 − ⌊c·i⌋ source words have been read; k = inf reads everything first.

    `catch_up` c writes one word more per 1/c target words, for targets longer than their source (Ma et al., section
    3.2). Raises UsageError for k < 1 or c outside [0, 1).
    """

    k: float = option(3, "K", "Stay K words behind: 1, 2, … or inf")
    catch_up: float = option(0.0, "C", "Write one word more per 1/C words written")
    name = "wait-k"
    summary = "stay k words behind; the plain, predictable choice"
    evidence = None

    def __post_init__(self) -> None:
        if not (self.k == inf or (1 <= self.k < 1e6 and self.k == int(self.k))):
            raise UsageError(f"{self.name}: k is {self.k}; it must be a whole number from 1, or inf")
        if not 0 <= self.catch_up < 1:
            raise UsageError(f"{self.name}: catch-up is {self.catch_up:g}; it must be from 0 to below 1")

    def decide(self, state: PolicyState) -> Action:
        """WRITE once the words that the next target word waits for have been read."""
        word = state.target_written + 1
        needed = self.k + word - 1 - floor(self.catch_up * word)
        return Action.WRITE if state.source_read >= needed else Action.READ
