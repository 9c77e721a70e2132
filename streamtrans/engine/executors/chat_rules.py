"""The manners of a chat model, applied to the tokens that it would write."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamtrans.text.chat_tokenizer import ChatTokenizer
from streamtrans.text.manners import Manners
from streamtrans.text.words import is_unspaced

MOST_REFUSALS = 8
"""Tokens refused in one place, after which the best one left is taken."""

BestAfter = Callable[[list[int]], int]
"""The model's best token after these target tokens, with the source as it is."""


@dataclass(frozen=True)
class Rules:
    """Judges tokens; manners: None for none but that a token which ends a text ends it."""

    tokenizer: ChatTokenizer
    manners: Manners | None
    target_language: str = ""

    def judge(
        self, token: int, written: Sequence[int], source: Sequence[int], finished: bool, best_after: BestAfter
    ) -> int | None:
        """The token to take in place of a best one after the tokens written; None if the next best one is to be tried.

        source: the tokens read, which are all there are if `finished`.
        """
        tokenizer = self.tokenizer
        if token in tokenizer.stop_ids:
            return tokenizer.end_id
        if self.manners is None:
            return token
        before, text = tokenizer.text_of(list(written)), tokenizer.text_of([*written, token])
        said = tokenizer.text_of(list(source))
        if not before.strip():
            return token if self._may_open([*written, token], said, best_after) else None
        if "\n" in text[len(before) :]:
            return self._in_line(text[len(before) :])
        begins = tokenizer.begins_word(token) or is_unspaced(self.target_language)
        return tokenizer.end_id if finished and begins and self.manners.is_complete(said, before) else token

    def _may_open(self, tokens: list[int], source: str, best_after: BestAfter) -> bool:
        """Whether the target may open so, after which the model is asked to go on where that must be known."""
        assert self.manners
        while (allowed := self.manners.may_open(self.tokenizer.text_of(tokens), source)) is None:
            following = best_after(tokens)
            if following in self.tokenizer.stop_ids:
                return True
            tokens = [*tokens, following]
        return allowed

    def _in_line(self, text: str) -> int:
        """The first token of what a text has before its line break, the end mark where there is nothing."""
        before = text.split("\n")[0]
        return next(iter(self.tokenizer.going_on(before)), self.tokenizer.end_id) if before else self.tokenizer.end_id
