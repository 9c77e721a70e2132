"""Where clauses and sentences end."""

from collections.abc import Sequence
from functools import cache
from typing import Any

CLOSERS = "\"'”’»)]}」』）】〉》"
SENTENCE_MARKS = ".!?…。！？؟۔।"
_CLAUSE_MARKS = ",;:—–，、；：،؛"
_OPENERS = CLOSERS + "([{«„“‘¿¡"
LONGEST_END = 400
"""Characters that are looked at."""
_ABBREVIATIONS = {
    "en": "mr mrs ms dr prof st jr sr vs etc inc ltd co corp gen col sgt capt lt rev hon gov sen rep fig vol "
    "approx dept est jan feb mar apr jun jul aug sep sept oct nov dec "
    "mon tue tues wed thu thur thurs fri mt ft al cf ca pp".split(),
    "de": "dr prof hr fr bzw ca etc evtl ggf inkl nr str usw vgl bd abb jan feb mär apr jun jul aug sep okt nov dez "
    "st mio mrd tel zzgl".split(),
    "pt": "sr sra srs dr dra prof profa av etc ex ltda cia núm pág vol jan fev mar abr jun jul ago set out nov dez "
    "gen cel cap".split(),
    "es": "sr sra srta dr dra prof av etc ej núm pág vol ud uds ee uu".split(),
    "fr": "m mm mme mlle dr prof av etc ex st ste vol pp env".split(),
}
_TITLES = frozenset("mr mrs ms dr prof gen col sgt capt lt rev hon gov sen rep sra srs srta dra profa mme mlle".split())
_ORDINAL_DOT_LANGUAGES = frozenset({"de", "da", "nb", "no", "fi", "cs", "hu", "pl", "hr", "sl"})


def ends_sentence(word: str, language: str, first: bool = False) -> bool:
    """Whether a sentence ends with this word, if a space follows: final punctuation, closing quotes allowed after it.

    Not after an abbreviation ("Dr."), an initial or dotted letters ("J.", "U.S.", "Ph.D."), the number of a list entry
    (a `first` word such as "2."), nor an ordinal in languages that write it with a dot ("3. Mai").
    """
    bare = word.rstrip(CLOSERS)
    if not bare or bare[-1] not in SENTENCE_MARKS:
        return False
    if bare[-1] != "." or bare.endswith(".."):
        return True
    stem = bare[:-1].lstrip(_OPENERS)
    code = language.split("-")[0].lower()
    parts = stem.split(".")
    dotted = all(part.isalpha() and len(part) <= min(2, len(parts)) for part in parts)
    ordinal = stem.isdigit() and (first or (code in _ORDINAL_DOT_LANGUAGES and len(stem) <= 2))
    return not (dotted or ordinal or stem.lower() in _ABBREVIATIONS.get(code, ()))


def ends_clause(word: str, language: str) -> bool:
    """Whether a clause ends with this word: a comma, a colon, a dash, or the end of a sentence."""
    bare = word.rstrip(CLOSERS)
    return bool(bare) and (bare[-1] in _CLAUSE_MARKS or ends_sentence(word, language))


class SentenceEnds:
    """Finds sentence ends in words that come one by one; where one depends on the word that follows, it says so.

    Two judges: the rules of `ends_sentence`, which know lists, titles and ordinals, and `sentencex`, which knows about
    300 languages, quotations and names such as "Yahoo!". It is asked with a capital word to follow and with a small
    one: if both begin a sentence, the end is certain.
    """

    def __init__(self, language: str):
        self._language = language
        self._code = language.split("-")[0].lower() or "en"

    def after(self, words: Sequence[str], first: bool) -> bool | None:
        """Whether a sentence ends after the last of these words; None if that depends on the next one.

        words: the last of the sentence. first: whether the last one is the first of its sentence.
        """
        bare = words[-1].rstrip(CLOSERS)
        if bare[-1:] not in SENTENCE_MARKS or not bare:
            return False
        ruled = ends_sentence(words[-1], self._language, first)
        if not ruled and not self._may_end(bare[:-1].lstrip(_OPENERS)):
            return False
        capital, small = self._splits(words, "The"), self._splits(words, "the")
        if capital != small:
            return None
        return ruled and (capital or bare != words[-1] or bare[-1] == ".")  # no sign of a name such as Yahoo!

    def _may_end(self, abbreviation: str) -> bool:
        """Whether a sentence may end after what the rules take for an abbreviation: no initial, title, or number."""
        return len(abbreviation) > 1 and not abbreviation.isdigit() and abbreviation.lower() not in _TITLES

    def before(self, words: Sequence[str], following: str) -> bool:
        """Whether the sentence that depended on its next word has ended, now that this is known."""
        if ends_sentence(words[-1], self._language):
            start = following.lstrip(_OPENERS)
            return start[:1].isupper() or (not start[:1].isdigit() and self._splits(words, following))
        return self._splits(words, following)

    def _splits(self, words: Sequence[str], following: str) -> bool:
        text = " ".join([*words, following])[-LONGEST_END:]
        return str(_splitter().segment(self._code, text)[-1]).strip() == following


@cache
def _splitter() -> Any:
    import sentencex

    return sentencex
