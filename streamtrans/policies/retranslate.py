"""Revising captions: show the whole tentative translation and correct it (Arivazhagan et al., IWSLT 2020)."""

from dataclasses import dataclass

from streamtrans.errors import UsageError
from streamtrans.policies.base import Action, PolicyState, Revision, option


@dataclass(frozen=True)
class Retranslate:
    """After each source word shows all that the model would say, less the last `mask_words` words while reading.

    For displays where text may change; every other policy never takes a word back. Raises UsageError for
    mask_words < 0.
    """

    mask_words: int = option(0, "N", "Show all but the last N words while reading")
    name = "retranslate"
    summary = "show everything at once and correct it; for displays where text may change"

    def __post_init__(self) -> None:
        if self.mask_words < 0:
            raise UsageError(f"retranslate: mask-words is {self.mask_words}; it must be 0 or more")

    @property
    def evidence(self) -> Revision:
        """That it revises, and how much it holds back."""
        return Revision(self.mask_words)

    def decide(self, state: PolicyState) -> Action:
        """READ: nothing is final before the end of the source."""
        return Action.READ
