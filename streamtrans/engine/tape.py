"""The target tokens of a segment, written and drafted, and how many of them the model's cache holds.

Predicted tokens are a draft until they are written. New source makes a draft stale: it was chosen without that source.
The last written token is then fed again, with the new source in sight, and the draft after it: one pass reads, verifies
the draft as in speculative decoding, and predicts the next token.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from streamtrans.engine.passes import Evidence, Forward, Prediction


@dataclass
class Guess:
    """A predicted token that is not written yet.

    evidence: by name, where it was chosen. agreed: the number of successive readings of the source that had it.
    """

    token: int
    evidence: Evidence = field(default_factory=dict)
    agreed: int = 1


class Tape:
    """Turns tokens that were read, written and predicted into the next pass; knows numbers only."""

    def __init__(self, prompt: Sequence[int], start: Sequence[int], end: int, keep: float):
        """prompt: source tokens before any word. start: tokens that open the target. end: the end mark.

        keep: tokens of a stale draft to verify; the rest is forgotten.
        """
        self.draft: list[Guess] = []
        self._end, self._keep = end, keep
        self._source = list(prompt)  # to be fed
        self._last = list(start)  # the last written token; before the first, all that opens the target
        self._fed = 0  # tokens of `_last` and the draft that the cache holds
        self._take_back = 0  # target entries that leave the cache before the next pass
        self._fresh, self._stale = True, False

    @property
    def best(self) -> int | None:
        """The best next token with all that was read; None while a pass must find it."""
        return self.draft[0].token if self.draft and not self._stale else None

    @property
    def tokens(self) -> list[int]:
        """The tokens of the draft."""
        return [guess.token for guess in self.draft]

    def read(self, tokens: Sequence[int]) -> None:
        """Appends source tokens, which make the draft stale."""
        self._source += tokens
        self._rewind()
        del self.draft[int(min(self._keep, len(self.draft))) :]
        if self.tokens[-1:] == [self._end]:
            self.draft.pop()  # where the target ends is asked again each time
        self._stale = True

    def accept(self) -> int:
        """Writes the first token of the draft and returns it."""
        token = self.draft.pop(0).token
        self._fed = max(0, self._fed - len(self._last))
        self._last = [token]
        return token

    def retract(self) -> None:
        """Forgets the draft; the last written token is to be fed again."""
        self.draft = []
        self._rewind()

    def agreed(self, times: int) -> int:
        """The number of draft tokens, from the first, that the last `times` readings had in common."""
        return sum(1 for _ in takewhile(lambda guess: guess.agreed >= times, self.draft))

    def next_pass(self, evidence: bool = False, banned: int | None = None) -> Forward:
        """Feeds what the cache lacks and predicts after it, after each draft token too if the draft is stale."""
        target = (self._last + self.tokens)[self._fed :]
        self._rows = 1 + len(self.draft) if self._stale else 1
        request = Forward(self._source, target, self._take_back, self._fresh, self._rows, banned, evidence)
        self._fed += len(target)
        self._source, self._take_back, self._fresh, self._stale = [], 0, False, False
        return request

    def take(self, prediction: Prediction) -> None:
        """Keeps the draft tokens that were verified and predicted again, and appends the first token that differs."""
        evidence = prediction.evidence or [{}] * len(prediction.tokens)
        found = [Guess(token, about) for token, about in zip(prediction.tokens, evidence, strict=True)]
        if self._rows == 1:
            self.draft += found
            return
        pairs = list(takewhile(lambda pair: pair[0].token == pair[1].token, zip(self.draft, found, strict=False)))
        for old, new in pairs:
            new.agreed = old.agreed + 1
        agreed = len(pairs)
        self._take_back = len(self.draft) - agreed
        self._fed -= self._take_back
        self.draft = found[: agreed + 1]

    def _rewind(self) -> None:
        """Takes the draft out of the cache, and the last written token with it.

        Before the first word, all opening tokens are fed again: in training they see the same source as the first word.
        """
        self._take_back += self._fed
        self._fed = 0
