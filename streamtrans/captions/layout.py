"""Where the words of a caption break into lines, and lines into cues: the cheapest of all ways."""

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from math import inf

from rich.cells import cell_len

from streamtrans.text.sentences import CLAUSE_MARKS, CLOSERS, SENTENCE_MARKS, ends_clause, ends_sentence
from streamtrans.text.words import is_unspaced

LINE_COLUMNS = 42
CUE_LINES = 2
DASH = "-"
"""A word that begins with it and a space begins the line of another speaker."""

_OPENING = "([{„‚¿¡「『（【〈《“‘-"
_THAI_BEFORE, _THAI_AFTER = "เแโใไ", "ะาำๅๆฯ"
_KANA_AFTER = "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮー々ゝヽ"
_TO_THE_LEFT = frozenset(CLOSERS + SENTENCE_MARKS + CLAUSE_MARKS + _THAI_AFTER + _KANA_AFTER)
_TO_THE_RIGHT = frozenset(_OPENING + _THAI_BEFORE + "\u200d")
_LATIN_END = "\u0250"

# In the unit of an empty column of a line, squared: balanced lines are what costs least of equal breaks.
_LINE_IN_CLAUSE = 150
_NEW_SPEAKER = -2500
_CUE, _CUE_IN_SENTENCE, _CUE_IN_CLAUSE = 500, 150, 900


def columns(text: str) -> int:
    """The width of a text where letters of Chinese and Japanese take two columns, and combining marks none."""
    return cell_len(text)


def lay_out(words: Sequence[str], language: str) -> list[list[range]]:
    """The words of each line of each cue, as ranges that follow each other and cover all words.

    A line has `LINE_COLUMNS` at most, unless it is one piece that no line can break: a word, or in zh, ja and th a
    character with what belongs to it. A cue has `CUE_LINES` at most.
    """
    return _Layout(words, language).cues()


class _Layout:
    """The search for the cheapest breaks. A state: the piece that a line ends before, and its number in its cue."""

    def __init__(self, words: Sequence[str], language: str):
        self._words, self._language = words, language
        self._unspaced = is_unspaced(language)
        starts = [i for i in range(len(words)) if i == 0 or not self._sticks(words[i - 1], words[i])]
        self._pieces = [range(*pair) for pair in pairwise([*starts, len(words)])]
        texts = [self._text(piece) for piece in self._pieces]
        self._gaps = [len(text) - len(text.lstrip()) if self._unspaced else 1 for text in texts]
        widths = [gap + columns(text.lstrip()) for gap, text in zip(self._gaps, texts, strict=True)]
        self._ends = [0, *accumulate(widths)]

    def cues(self) -> list[list[range]]:
        """The cheapest layout, read from its end."""
        cues: list[list[range]] = []
        end, line = len(self._pieces), min(range(CUE_LINES), key=lambda line: self._cheapest[-1][line][0])
        below = False  # whether the line that was read last stands under this one
        while end:
            _, begin, before = self._cheapest[end][line]
            words = range(self._pieces[begin].start, self._pieces[end - 1].stop)
            cues = [[words, *cues[0]], *cues[1:]] if below else [[words], *cues]
            end, below, line = begin, line > 0, before
        return cues

    @cached_property
    def _cheapest(self) -> list[list[tuple[float, int, int]]]:
        """Of each state its cost, where its line begins, and the number of the line before."""
        best: list[list[tuple[float, int, int]]] = [[(0.0, 0, 0)] + [(inf, 0, 0)] * (CUE_LINES - 1)]
        for end in range(1, len(self._pieces) + 1):
            best.append([(inf, 0, 0)] * CUE_LINES)
            for begin in range(end - 1, -1, -1):
                empty = LINE_COLUMNS - (self._ends[end] - self._ends[begin] - self._gaps[begin])
                if empty < 0 and begin < end - 1:
                    break
                for line in range(CUE_LINES):
                    cost, before = self._before(best, begin, line)
                    best[end][line] = min(best[end][line], (cost + max(0, empty) ** 2, begin, before))
        return best

    def _before(self, best: list[list[tuple[float, int, int]]], begin: int, line: int) -> tuple[float, int]:
        """The cost of all before a line that begins here, its break included, and the number of the line before."""
        if line and begin:
            return best[begin][line - 1][0] + self._line_break(begin), line - 1
        if line:
            return inf, 0
        before = min(range(CUE_LINES), key=lambda before: best[begin][before][0])
        return best[begin][before][0] + _CUE + self._cue_break(begin), before

    def _line_break(self, begin: int) -> float:
        if self._words[self._pieces[begin].start].startswith(f"{DASH} "):
            return _NEW_SPEAKER
        return 0 if self._ends_clause(begin) else _LINE_IN_CLAUSE

    def _cue_break(self, begin: int) -> float:
        if not begin or ends_sentence(self._last_word(begin), self._language):
            return 0
        return _CUE_IN_SENTENCE if self._ends_clause(begin) else _CUE_IN_CLAUSE

    def _ends_clause(self, begin: int) -> bool:
        spaced = self._unspaced and self._gaps[begin] > 0
        return spaced or ends_clause(self._last_word(begin), self._language)

    def _last_word(self, begin: int) -> str:
        """The word before this piece, or in zh, ja and th the piece."""
        piece = self._pieces[begin - 1]
        return self._text(piece) if self._unspaced else self._words[piece.stop - 1]

    def _text(self, piece: range) -> str:
        return ("" if self._unspaced else " ").join(self._words[piece.start : piece.stop])

    def _sticks(self, word: str, following: str) -> bool:
        """Whether no line may end between two words."""
        if all(letter in _TO_THE_LEFT for letter in following) or all(letter in _TO_THE_RIGHT for letter in word):
            return True
        if not self._unspaced or following.startswith(" "):
            return False
        latin = word[-1] < _LATIN_END and following[0] < _LATIN_END and (word[-1] + following[0]).isalnum()
        return latin or columns(following) == 0 or word[-1] in _TO_THE_RIGHT
