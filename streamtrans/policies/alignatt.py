"""AlignAtt: write while attention does not fall on the last words read (Papi et al., Interspeech 2023)."""

from dataclasses import dataclass

from streamtrans.errors import UsageError
from streamtrans.policies.base import Action, Attention, PolicyState, option


@dataclass(frozen=True)
class AlignAtt:
    """Writes while the source word that the model looks at most is not one of the `last` words read.

    A word that the translation needs is taken to be still coming if the best there is was read just now. Raises
    UsageError for last < 1.
    """

    last: int = option(2, "N", "Write when the model looks at none of the last N words read")
    name = "alignatt"
    summary = "write while the model does not look at the last words read"
    evidence = Attention()

    def __post_init__(self) -> None:
        if self.last < 1:
            raise UsageError(f"alignatt: last is {self.last}; it must be at least 1 word")

    def decide(self, state: PolicyState) -> Action:
        """WRITE when the model looks further back."""
        attended = state.word_at(state.evidence["attended"])
        return Action.WRITE if attended <= state.source_read - self.last else Action.READ
