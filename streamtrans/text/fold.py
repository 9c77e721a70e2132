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
RUN = re.compile(r"[^\W_](?:[^\W_]|[\u0300-\u036f])*")
"""Letters and digits in a row, with their marks."""


def fold(run: str, known: Callable[[str], bool]) -> str | None:
    """The run in simpler letters where the vocabulary lacks those it has; None if it lacks the simpler ones too."""
    folded = "".join(c if known(c) else _simpler(c) for c in unicodedata.normalize("NFC", run))
    return folded if folded and known(folded) else None


def _simpler(character: str) -> str:
    plain = unicodedata.normalize("NFKD", character.translate(_SPELLINGS))
    return "".join(c for c in plain if not unicodedata.combining(c)).replace("\u2044", "/")
