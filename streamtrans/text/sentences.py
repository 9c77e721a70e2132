"""Where clauses and sentences end."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from streamtrans.text.languages import primary

CLOSERS = "\"'”’»›)]}」』）】〉》"
_QUOTES = CLOSERS + "“‘«‹"
"""Which mark closes and which opens depends on the language: „Halt!“, »Halt!«, ”Halt!”."""
SENTENCE_MARKS = ".!?…。！？．｡؟۔।॥‼⁇⁈⁉።፧။։\u037e"
_QUESTION_MARKS, _ASK_WITHOUT_MARK = "?？؟՞", frozenset({"th", "lo", "km", "my"})
CLAUSE_MARKS = ",;:—–，、；：،؛፣፤၊՝\u00b7\u0387"
_OPENERS = _QUOTES + "([{„‚¿¡「『（【〈《"
LONGEST_END = 400
"""Characters that are looked at."""
_ABBREVIATIONS = {
    "en": "vs etc inc ltd co corp jr sr fig vol "
    "approx dept est jan feb mar apr jun jul aug sep sept oct nov dec "
    "mon tue tues wed thu thur thurs fri mt ft al cf ca pp".split(),
    "de": "bzw ca etc evtl ggf inkl nr str usw vgl bd abb jan feb mär apr jun jul aug sep okt nov dez "
    "mio mrd tel zzgl".split(),
    "pt": "av etc ex ltda cia núm pág vol jan fev mar abr jun jul ago set out nov dez gen cel cap".split(),
    "es": "av etc ej núm pág vol uds ee uu".split(),
    "fr": "av etc ex ste vol pp env".split(),
}
_TITLES = {
    "": "dr prof mr mrs ms st",
    "en": "gen col sgt capt lt rev hon gov sen rep",
    "de": "hr fr",
    "pt": "sr sra srs dra profa",
    "es": "sr sra srta dra ud",
    "ca": "sr sra dra",
    "gl": "sr sra dra",
    "fr": "m mm mme mlle",
    "it": "sig dott avv ing",
    "nl": "dhr mevr drs",
    "da": "hr fr frk",
    "nb": "hr fr frk",
    "sv": "hr fr frk",
    "cs": "ing mgr mudr judr doc ul nám",
    "sk": "ing mgr mudr judr doc ul nám",
    "pl": "ul inż mgr ks św",
    "hu": "özv ifj",
    "ro": "dl dna str",
    "hr": "ul sv gđa inž",
    "sl": "ul sv ga",
    "sr": "ul sv gđa др проф ул св гђа",
    "mk": "др проф ул св",
    "bg": "ул бул гр др проф св",
    "ru": "ул просп пл им св проф акад",
    "uk": "вул просп ім св проф акад",
    "be": "вул ім св праф акад",
    "el": "κα δρ καθ αγ",
    "tr": "sn doç av",
    "az": "dos akad",
    "vi": "tp ts ths gs",
    "id": "jl sdr ny tn bpk",
    "hi": "डॉ डा प्रो",
    "bn": "ড ডা",
    "gu": "ડૉ ડો",
    "kn": "ಡಾ",
    "te": "డా",
    "ml": "ഡോ",
}
"""Abbreviations in front of names: a capital word that follows begins no sentence."""
_SAME = {"no": "nb", "nn": "nb", "bs": "hr", "ms": "id"}
_ORDINAL_DOT_LANGUAGES = frozenset("de da nb no nn is fi et lv cs sk hu pl hr bs sr sl tr eu".split())
_SHORT = 4
"""Letters of a word that may be an abbreviation, where no list says so."""


@cache
def _titles(code: str) -> frozenset[str]:
    code = _SAME.get(code, code)
    return frozenset(f"{_TITLES['']} {_TITLES.get(code, '')}".split())


def sentence_marks(language: str) -> str:
    """The characters that end a sentence of this language; in Greek, a semicolon asks."""
    return SENTENCE_MARKS + ";" * (primary(language) == "el")


def ends_sentence(word: str, language: str, first: bool = False) -> bool:
    """Whether a sentence ends with this word, if a space follows: final punctuation, closing quotes allowed after it.

    Not after an abbreviation ("Dr."), an initial or dotted letters ("J.", "U.S.", "Ph.D."), the number of a list entry
    (a `first` word such as "2."), nor an ordinal in languages that write it with a dot ("3. Mai").
    """
    bare = word.rstrip(_QUOTES)
    if not bare or bare[-1] not in sentence_marks(language):
        return False
    if bare[-1] != "." or bare.endswith(".."):
        return True
    stem = bare[:-1].lstrip(_OPENERS)
    code = primary(language)
    parts = stem.split(".")
    dotted = all(part.isalpha() and len(part) <= min(2, len(parts)) for part in parts)
    ordinal = stem.isdigit() and (first or (code in _ORDINAL_DOT_LANGUAGES and len(stem) <= 2))
    return not (dotted or ordinal or stem.lower() in _titles(code) or stem.lower() in _ABBREVIATIONS.get(code, ()))


def asks(words: Sequence[str], language: str) -> bool:
    """Whether a text of this language may ask something: it has a question mark, or needs none to ask."""
    marks = _QUESTION_MARKS + {"el": ";", "ja": "か"}.get(primary(language), "")
    return primary(language) in _ASK_WITHOUT_MARK or any(mark in word for word in words for mark in marks)


def ends_clause(word: str, language: str) -> bool:
    """Whether a clause ends with this word: a comma, a colon, a dash, or the end of a sentence."""
    bare = word.rstrip(_QUOTES)
    return bool(bare) and (bare[-1] in CLAUSE_MARKS or ends_sentence(word, language))


class SentenceEnds:
    """Finds sentence ends in words that come one by one; where one depends on the word that follows, it says so.

    Two judges: the rules of `ends_sentence`, which know lists, titles and ordinals, and `sentencex`, which knows about
    300 languages, quotations and names such as "Yahoo!". It is asked with a capital word to follow and with a small
    one: if both begin a sentence, the end is certain. Where the rules have no list of abbreviations, a full stop after
    a short word, or one that `sentencex` takes for an abbreviation, ends a sentence if a capital follows; so does a
    mark before a closing quotation mark.
    """

    def __init__(self, language: str):
        self._language = language
        self._code = primary(language) or "en"
        self._listed = self._code in _ABBREVIATIONS

    def after(self, words: Sequence[str], first: bool) -> bool | None:
        """Whether a sentence ends after the last of these words; None if that depends on the next one.

        words: the last of the sentence. first: whether the last one is the first of its sentence.
        """
        in_quotation, words = "«" in words and "»" not in words, _joined(words)
        bare = words[-1].rstrip(_QUOTES)
        if bare[-1:] not in sentence_marks(self._language) or not bare:
            return False
        ruled = ends_sentence(words[-1], self._language, first)
        stem = bare[:-1].lstrip(_OPENERS)
        if not ruled and not self._may_end(stem):
            return False
        capital, small = self._splits(words, "The"), self._splits(words, "the")
        if capital != small or in_quotation:
            return None
        if ruled and not self._listed and (bare != words[-1] or self._may_abbreviate(bare, known=not capital)):
            return None
        return ruled and (capital or bare != words[-1] or bare[-1] == ".")  # no sign of a name such as Yahoo!

    def _may_abbreviate(self, bare: str, known: bool) -> bool:
        stem = bare[:-1].lstrip(_OPENERS)
        return bare[-1] == "." and (known or len(stem) <= _SHORT or "." in stem)

    def _may_end(self, abbreviation: str) -> bool:
        """Whether a sentence may end after what the rules take for an abbreviation: no initial, title, or number."""
        short = len(abbreviation) <= 1 or abbreviation.isdigit()
        return not short and abbreviation.lower() not in _titles(self._code)

    def before(self, words: Sequence[str], following: str) -> bool:
        """Whether the sentence that depended on its next word has ended, now that this is known."""
        if not following.strip(CLOSERS):
            return False  # a French quotation mark that stands alone
        words = _joined(words)
        start = following.lstrip(_OPENERS)[:1]
        if not ends_sentence(words[-1], self._language):
            return self._splits(words, following)
        if start.isupper():
            return True
        if not self._listed and start.islower():
            return False
        return not start.isdigit() and self._splits(words, following)

    def _splits(self, words: Sequence[str], following: str) -> bool:
        text = " ".join([*words, following])[-LONGEST_END:]
        return str(_splitter().segment(self._code, text)[-1]).strip() == following


def _joined(words: Sequence[str]) -> Sequence[str]:
    """The words, a closing mark that stands alone put to the one before it."""
    if len(words) > 1 and not words[-1].strip(CLOSERS):
        return [*list(words)[:-2], words[-2] + words[-1]]
    return words


@cache
def _splitter() -> Any:
    import sentencex

    return sentencex
