"""What a policy is: it looks at what was read and written, and says READ or WRITE."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Action(Enum):
    """READ the next source word, or WRITE the next target word."""

    READ = "read"
    WRITE = "write"


@dataclass
class PolicyState:
    """What a policy may know of the current sentence; all counts in words.

    clause_end, sentence_end: source words up to and including the last word read that closes a clause (a sentence),
    0 before there is one. source_finished: the end of the source has been read too.
    """

    source_read: int = 0
    source_finished: bool = False
    target_written: int = 0
    clause_end: int = 0
    sentence_end: int = 0

    @property
    def lag(self) -> int:
        """Source words read beyond target words written."""
        return self.source_read - self.target_written


class Policy(Protocol):
    """Decides before each target word. The engine writes everything owed once the source has finished, and reads when
    the model has nothing more to say; a policy is only asked while both are possible."""

    @property
    def name(self) -> str:
        """The name it is registered by."""

    def decide(self, state: PolicyState) -> Action:
        """READ or WRITE; must not change the state, nor remember earlier calls."""
