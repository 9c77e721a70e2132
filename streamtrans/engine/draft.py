"""Tokens that were predicted and not yet written."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import takewhile

from streamtrans.text.tokenizer import Detokenizer, Tokenizer
from streamtrans.text.words import TargetWords


@dataclass
class Draft:
    """A tentative continuation of the target.

    tokens: in order, the end mark perhaps last. counts: for each, how many continuations in a row have had it.
    cached: how many of them lie in the cache.
    """

    tokens: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    cached: int = 0

    def append(self, token: int) -> None:
        """Adds a token predicted for the first time."""
        self.tokens.append(token)
        self.counts.append(1)

    def pop(self) -> int:
        """Takes the first token out, to be written; true to `cached`."""
        self.counts.pop(0)
        self.cached = max(0, self.cached - 1)
        return self.tokens.pop(0)

    def verify(self, best: list[int]) -> int:
        """Keeps what the new predictions agree with and adds the first that differs; how many cached tokens must go.

        best: the successors of the last written token and of each draft token, all with more source than before, all
        draft tokens being cached for it. As in speculative decoding, everything after the first difference is void.
        """
        agreed = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(best, self.tokens, strict=False)))
        stale = len(self.tokens) - agreed
        self.tokens, self.counts = self.tokens[:agreed], [count + 1 for count in self.counts[:agreed]]
        self.cached = agreed
        self.append(best[agreed])
        return stale

    def agreed(self, times: int) -> int:
        """How many tokens, from the first, the last `times` continuations have had in common."""
        return sum(1 for _ in takewhile(lambda count: count >= times, self.counts))


def word_ends(
    tokens: list[int], tokenizer: Tokenizer, detokenizer: Detokenizer, words: TargetWords
) -> tuple[list[int], list[str]]:
    """Where the words of a continuation are complete: for each the number of tokens it takes, and the words.

    detokenizer and words: the state in which the target is now; they are copied, not changed. The end mark completes
    the word before it.
    """
    detokenizer, words = copy.copy(detokenizer), copy.copy(words)
    ends: list[int] = []
    found: list[str] = []

    def note(complete: Callable[[], list[str]], size: int) -> None:
        for word in complete():
            ends.append(size)
            found.append(word)

    for size, token in enumerate(tokens, 1):
        if token == tokenizer.end_id:
            note(lambda: words.feed(detokenizer.flush()) + words.flush(), size - 1)
            break
        if not tokenizer.space_after and tokenizer.begins_word(token):
            note(words.flush, size - 1)
        note(lambda token=token: words.feed(detokenizer.push(token)), size)  # type: ignore[misc]
    return ends, found
