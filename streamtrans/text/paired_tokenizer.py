"""A vocabulary for each side, as Firefox's models have them: SentencePiece with the space in front of a word."""

from bisect import bisect_right
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any

from streamtrans.errors import ModelError
from streamtrans.text.tokenizer import LONGEST_WORD, Detokenizer, PieceDetokenizer, are_whole, pieces_of
from streamtrans.text.words import is_unspaced


class PairedTokenizer:
    """Two SentencePiece processors, one for source words and one for target tokens; they may be the same.

    The target starts with a token of its own, beyond the vocabulary. Raises ModelError where the two have different end
    marks.
    """

    space_after = False

    def __init__(self, source: Any, target: Any, source_language: str = "", target_language: str = ""):
        self._source, self._target = source, target
        self._unspaced, self._unspaced_target = map(is_unspaced, (source_language, target_language))
        self._space = [space] if (space := source.piece_to_id("▁")) != source.unk_id() else []
        self.vocab_size: int = target.vocab_size()
        self.end_id: int = target.eos_id()
        self.unknown_id: int | None = target.unk_id() if target.unk_id() >= 0 else None
        if source.eos_id() != self.end_id:
            raise ModelError("the vocabularies of source and target have different end marks")
        self.prompt_ids: list[int] = []
        self.start_ids = [self.vocab_size]
        self._encode = lru_cache(maxsize=200_000)(lambda word: tuple(self.encode(word)))

    def encode(self, text: str) -> list[int]:
        """Source token ids of a text."""
        return list(self._source.encode(text))

    def encode_word(self, word: str, first: bool) -> list[int]:
        """Source token ids of one word, the space in front of it; a huge one loses its end.

        Where words are characters, white space in it becomes a piece of its own, so that `joined` finds it again.
        """
        word = word[:LONGEST_WORD]
        if not self._unspaced or " " not in word:
            return list(self._encode(word))
        start, *others = word.split(" ")
        return [*self._encode(start), *(token for other in others for token in (*self._space, *self._encode(other)))]

    def joined(self, tokens: list[int]) -> tuple[list[int], list[int]]:
        """Source tokens of words as the model was trained on them, and the token that each of them begins in.

        They are the same, but for characters of zh, ja and th, which become pieces of several.
        """
        if not self._unspaced:
            return [*tokens], [*range(len(tokens))]
        texts = self._texts(tokens)
        ends = list(accumulate(map(len, texts)))
        found = self.encode("".join(texts))
        starts = accumulate((len(self._source_pieces[token][0]) for token in found[:-1]), initial=0)  # space in front
        return found, [bisect_right(ends, max(0, start - 1)) for start in starts] if found else []

    def _texts(self, tokens: list[int]) -> list[str]:
        """The characters of tokens of words, each of which the encoder put a space in front of."""
        characters = PieceDetokenizer(self._source_pieces)  # single bytes come out with the last one of a character
        pieces = [characters.push(token) for token in tokens]
        texts = []
        for n, piece in enumerate(pieces):
            is_space = 0 < n < len(pieces) - 1 and piece == " " and pieces[n + 1].startswith(" ")
            texts.append(piece if is_space else piece.removeprefix(" "))
        return texts

    def target_start(self, word: str) -> int | None:
        """The token that begins a word of the target in mid-sentence, with the space in front where there is one."""
        pieces = self._target.encode(word)
        if pieces and self._unspaced_target:
            bare = self._pieces[pieces[0]][0].strip()
            return int(self._target.piece_to_id(bare)) if bare else next(iter(pieces[1:]), None)
        return next(iter(pieces), None)

    def spells(self, text: str) -> bool:
        """Whether the source vocabulary has the text in pieces of whole characters."""
        return are_whole(self._encode(text), self._source_pieces)

    def begins_word(self, token: int) -> bool:
        """Whether the target piece has the space in front."""
        return self._pieces[token][0].startswith(" ")

    def detokenizer(self) -> Detokenizer:
        """A fresh detokenizer of target tokens."""
        return PieceDetokenizer(self._pieces)

    @cached_property
    def _pieces(self) -> list[tuple[str, int]]:
        return pieces_of(self._target)

    @cached_property
    def _source_pieces(self) -> list[tuple[str, int]]:
        return self._pieces if self._source is self._target else pieces_of(self._source)
