"""Letters that a vocabulary lacks, spelt with letters that it has."""

import re
import unicodedata
from collections.abc import Callable

_SPELLINGS = str.maketrans(
    {
        "ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th",
        "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ß": "ss", "ẞ": "SS", "ı": "i", "ħ": "h", "Ħ": "H", "ŧ": "t",
        "Ŧ": "T", "ŋ": "n", "Ŋ": "N", "ə": "a", "Ə": "A", "ĸ": "k", "ʼ": "'", "ʻ": "'", "ɓ": "b", "ɗ": "d",
    }
)  # fmt: skip
MARKS = (
    "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc"
    "\u06df-\u06e8\u06ea-\u06ed\u0900-\u0963\u0981-\u09e3\u0a01-\u0a51\u0a70-\u0ae3\u0b01-\u0b63\u0b82-\u0be3\u0c00-\u0c63"
    "\u0c80-\u0ce3\u0d00-\u0d63\u0d81-\u0df3\u0e31-\u0e3a\u0e47-\u0e4e\u102b-\u103e\u200c\u200d"
)
"""Marks that Python takes for no letters, as part of a character class; whole blocks where they stand among letters."""
RUN = re.compile(rf"[^\W_](?:[^\W_]|[{MARKS}])*")
"""Letters and digits in a row, with their marks."""


def fold(run: str, known: Callable[[str], bool]) -> str | None:
    """The run in simpler letters where the vocabulary lacks those it has; None if it lacks the simpler ones too."""
    folded = "".join(c if known(c) else _simpler(c) for c in unicodedata.normalize("NFC", run))
    return folded if folded and known(folded) else None


def _simpler(character: str) -> str:
    plain = unicodedata.normalize("NFKD", character.translate(_SPELLINGS))
    return "".join(c for c in plain if not unicodedata.combining(c)).replace("\u2044", "/")
