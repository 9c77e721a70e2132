"""A learned policy: a small head on the model judges whether more source would change the next word."""

from dataclasses import dataclass

from streamtrans.errors import UsageError
from streamtrans.policies.base import Action, PolicyState, Regret, option
from streamtrans.policies.waits import MAX_WAIT, MIN_WAIT, check_waits, within_waits


@dataclass(frozen=True)
class Learned:
    """Between a lag of `min_wait` and of `max_wait` words, writes when the regret to expect is below `threshold`.

    A higher threshold writes earlier; with a far max_wait, what is written late comes in bursts and measures worse.
    Below min_wait it reads, at max_wait it writes. Raises UsageError for values out of range.
    """

    threshold: float = option(0.05, "P", "Most regret to expect")
    min_wait: int = option(1, "W", MIN_WAIT)
    max_wait: int = option(4, "W", MAX_WAIT)
    name = "learned"
    summary = "write when more source would hardly change the next word; the best translation at a low lag"
    evidence = Regret()

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise UsageError(f"learned: threshold is {self.threshold:g}; it must be a regret from 0 to 1")
        check_waits(self.name, self.min_wait, self.max_wait)

    def decide(self, state: PolicyState) -> Action:
        """WRITE when little can be lost, or at the latest allowed moment."""
        return within_waits(state, self.min_wait, self.max_wait, state.evidence["regret"] < self.threshold)
