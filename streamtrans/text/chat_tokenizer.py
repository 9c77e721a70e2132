"""The tokenizer of a chat model, and its conversation as pieces: in front of the text, between, and after it."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from streamtrans.text.instructions import Instructions
from streamtrans.text.tokenizer import LONGEST_WORD, HuggingFaceTokenizer
from streamtrans.text.words import is_unspaced

_SOURCE, _TARGET, _NEXT = "\ue0f1", "\ue0f2", "\ue0f3"
"""Characters of no text, which stand for the texts where a template is taken apart."""

Render = Callable[[list[dict[str, str]], bool], str]
"""The text of a conversation; whether the assistant's turn is opened after it."""


class ChatTokenizer(HuggingFaceTokenizer):
    """Reads source as the user's message and target as the assistant's; `prompt_ids` and `start_ids` lie around them.

    earlier_turn_ids: what stands between source and target of a finished sentence. next_ids: what stands between
    such a target and the next source. stop_ids: tokens that end a target; `end_id` is one of them.
    """

    def __init__(
        self, backend: Any, render: Render, stop_ids: set[int], instructions: Instructions, languages: tuple[str, str]
    ):
        """backend: of the `tokenizers` library. languages: codes of source and target.

        Raises ValueError for a template that does not keep the texts it is given, no end token, and
        instructions that spell a special token.
        """
        self._use(backend)
        stop_ids = {token for token in stop_ids if 0 <= token < self.vocab_size}
        if not stop_ids:
            raise ValueError("it names no token that ends an answer")
        self._word = lru_cache(maxsize=200_000)(self._after)
        self._spaced = not is_unspaced(languages[0])
        before = instructions.before_text(*languages)
        special = {number: token for number, token in backend.get_added_tokens_decoder().items() if token.special}
        if spelled := [token.content for token in special.values() if token.content in before]:
            raise ValueError(f"the instruction or the glossary has {spelled[0]!r}, which it takes for its own")
        said = {"role": "user", "content": before + _SOURCE}
        prompt, turn = _split(render([said], True), _SOURCE)
        answered = [said, {"role": "assistant", "content": _TARGET}, {"role": "user", "content": _NEXT}]
        earlier_turn, rest = _split(_split(render(answered, True), _SOURCE)[1], _TARGET)
        self.prompt_ids = self._before_text(self.encode(prompt + "A"))
        self.start_ids = self.going_on(turn)
        if not self.start_ids:
            raise ValueError("there is no turn to the assistant in it")
        if earlier_turn.endswith(" ") and not turn.endswith(" "):
            earlier_turn = earlier_turn[:-1]  # which an answer brings along
        self.earlier_turn_ids = self.going_on(earlier_turn)
        before_next = _split(rest, _NEXT)[0]
        try:
            self.next_ids = self._before_text(self.going_on(before_next + "A"))
        except ValueError:  # "[INST] ": a space that would be one token with the word after it stands alone
            self.next_ids = self.going_on(before_next)
        self.stop_ids = stop_ids | special.keys()
        self.end_id: int = min(stop_ids)
        backend.encode_special_tokens = True  # from here on: a text that spells one out is a text

    def encode_word(self, word: str, first: bool) -> list[int]:
        """Token ids of the word in its place, with the space in front of it where the language has one."""
        if first or not self._spaced:
            return [*self._word("\n", (word.lstrip() if first else word)[:LONGEST_WORD])]
        return [*self._word("a", f" {word.lstrip()}"[:LONGEST_WORD])]

    def spells(self, text: str) -> bool:
        """Whether the vocabulary has the text, in single bytes too, which chat models read and write as well."""
        return self.text_of(self.encode(text)).lstrip(" ") == text.lstrip(" ")

    def joined(self, tokens: list[int]) -> tuple[list[int], list[int]]:
        """Source tokens of words as a whole text has them, and the token that each of them begins in.

        They are the same, but for characters of zh, ja and th, which become tokens of several.
        """
        if self._spaced:
            return tokens, [*range(len(tokens))]
        detokenizer, owners = self.detokenizer(), []
        for number, token in enumerate(tokens):
            owners += [number] * len(detokenizer.push(token))
        found = self._backend.encode("\n" + self._backend.decode(tokens), add_special_tokens=False)
        pairs = [(token, span[0] - 1) for token, span in zip(found.ids, found.offsets, strict=True) if span[0]]
        last = max(0, len(owners) - 1)
        return [token for token, _ in pairs], [owners[min(start, last)] for _, start in pairs] if owners else []

    def text_of(self, tokens: list[int]) -> str:
        """The text of some tokens; special ones have none."""
        return str(self._backend.decode(tokens))

    def going_on(self, text: str) -> list[int]:
        """Token ids of a text that follows a letter."""
        return self._after("a", text)

    def _before_text(self, tokens: list[int]) -> list[int]:
        """Tokens without the letter A at their end, in front of which white space has other tokens than at an end."""
        letter = self._after("\n", "A")
        if not letter:
            raise ValueError("the tokenizer has no letters")
        if tokens[-len(letter) :] != letter:
            raise ValueError("the tokenizer joins the user's text with the template before it")
        return tokens[: -len(letter)]

    def _after(self, anchor: str, text: str) -> list[int]:
        """Token ids of a text that follows another one, which must not be tokens of both."""
        before, both = self.encode(anchor), self.encode(anchor + text)
        return both[len(before) :] if both[: len(before)] == before else self.encode(text)


def _split(text: str, mark: str) -> tuple[str, str]:
    parts = text.split(mark)
    if len(parts) != 2:
        raise ValueError("the chat template does not keep the user's text once, as it is")
    return parts[0], parts[1]
