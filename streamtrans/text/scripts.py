"""Which script a letter belongs to, and which scripts a language is written in."""

import unicodedata
from functools import lru_cache

from streamtrans.text.languages import primary

_OF_LANGUAGE = {
    "CYRILLIC": "ru uk be bg mk sr bs sh kk ky mn tg tt ba cv",
    "GREEK": "el",
    "ARABIC": "ar fa ur ps ckb sd ug pnb",
    "HEBREW": "he yi",
    "DEVANAGARI": "hi mr ne sa",
    "BENGALI": "bn as",
    "GURMUKHI": "pa",
    "GUJARATI": "gu",
    "ORIYA": "or",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "SINHALA": "si",
    "THAI": "th",
    "LAO": "lo",
    "MYANMAR": "my",
    "KHMER": "km",
    "ETHIOPIC": "am ti",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
    "HANGUL": "ko",
    "TIBETAN": "bo dz",
    "MONGOLIAN": "mn",
    "THAANA": "dv",
    "SYRIAC": "syr",
    "CHEROKEE": "chr",
    "TIFINAGH": "ber zgh kab",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "KATAKANA-HIRAGANA": "ja",
    "CJK": "zh ja ko yue",
    "IDEOGRAPHIC": "zh ja ko yue",
    "BOPOMOFO": "zh",
    "LATIN": "",
}


@lru_cache(maxsize=4096)
def script(letter: str) -> str | None:
    """The script's name in Unicode's names of letters, such as LATIN or CYRILLIC; None for one that is not listed."""
    name = unicodedata.name(letter, "").split(" ")[0]
    return name if name in _OF_LANGUAGE and letter.isalpha() else None


@lru_cache(maxsize=64)
def foreign_scripts(language: str) -> frozenset[str]:
    """The scripts that text in this language ("en", "zh-TW", …) does not hold; Latin is at home everywhere."""
    code = primary(language)
    if not code:
        return frozenset()
    return frozenset(
        name for name, languages in _OF_LANGUAGE.items() if name != "LATIN" and code not in languages.split()
    )
