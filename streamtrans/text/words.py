"""What a word is, and where clauses and sentences end: one definition for collator, engine and scorer.

A word is what `str.split()` gives; in languages written without spaces it is a character. `WordReader` finds the same
words in text that arrives in pieces, whatever the pieces.
"""

from collections.abc import Iterator
from dataclasses import dataclass

UNSPACED_LANGUAGES = frozenset({"zh", "ja", "th"})

_CLOSERS = "\"'”’»)]}」』）】〉》"
_SENTENCE_MARKS = ".!?…。！？؟۔।"
_CLAUSE_MARKS = ",;:—–，、；：،؛"
_ABBREVIATIONS = {
    "en": "mr mrs ms dr prof st jr sr vs etc inc ltd co corp gen col sgt capt lt rev hon gov sen rep fig vol "
    "approx dept est jan feb mar apr jun jul aug sep sept oct nov dec mt ft al cf ca".split(),
    "de": "dr prof hr fr bzw ca etc evtl ggf inkl nr str usw vgl bd abb jan feb mär apr jun jul aug sep okt nov dez "
    "st mio mrd tel zzgl".split(),
    "pt": "sr sra srs dr dra prof profa av etc ex ltda cia núm pág vol jan fev mar abr jun jul ago set out nov dez "
    "gen cel cap".split(),
    "es": "sr sra srta dr dra prof av etc ej núm pág vol ud uds ee uu".split(),
    "fr": "m mm mme mlle dr prof av etc ex st ste vol pp env".split(),
}
_ORDINAL_DOT_LANGUAGES = frozenset({"de", "da", "nb", "no", "fi", "cs", "hu", "pl", "hr", "sl"})


def is_unspaced(language: str) -> bool:
    """Whether words of this language ("zh", "pt-BR", …) are characters."""
    return language.split("-")[0].lower() in UNSPACED_LANGUAGES


def units(text: str, language: str) -> list[str]:
    """The words of `text`: by white space, or the characters that are not white space for zh, ja and th."""
    return [c for c in text if not c.isspace()] if is_unspaced(language) else text.split()


def join(words: list[str], language: str) -> str:
    """The text that `units` would split into these words."""
    return ("" if is_unspaced(language) else " ").join(words)


def ends_sentence(word: str, language: str, first: bool = False) -> bool:
    """Whether a sentence ends with this word, if a space follows: final punctuation, closing quotes allowed after it.

    Not after an abbreviation ("Dr."), an initial or dotted letters ("J.", "U.S."), the number of a list entry (a
    `first` word such as "2."), nor an ordinal in languages that write it with a dot ("3. Mai").
    """
    bare = word.rstrip(_CLOSERS)
    if not bare or bare[-1] not in _SENTENCE_MARKS:
        return False
    if bare[-1] != "." or bare.endswith(".."):
        return True
    stem = bare[:-1].lstrip(_CLOSERS + "([{«„“‘¿¡")
    code = language.split("-")[0].lower()
    dotted = all(len(part) == 1 and part.isalpha() for part in stem.split("."))
    ordinal = stem.isdigit() and (first or (code in _ORDINAL_DOT_LANGUAGES and len(stem) <= 2))
    return not (dotted or ordinal or stem.lower() in _ABBREVIATIONS.get(code, ()))


def ends_clause(word: str, language: str) -> bool:
    """Whether a clause ends with this word: a comma, a colon, a dash, or the end of a sentence."""
    bare = word.rstrip(_CLOSERS)
    return bool(bare) and (bare[-1] in _CLAUSE_MARKS or ends_sentence(word, language))


@dataclass(frozen=True)
class Word:
    """A complete source word; `ends_sentence` by its punctuation, or because its line ends right after it."""

    text: str
    ends_sentence: bool = False


class LineEnd:
    """The end of a line of source text."""


class WordReader:
    """Words and line ends of text that arrives in pieces; every cut of the same text gives the same result.

    A spaced word is complete when white space follows. A character of zh, ja or th is complete at once, but a closing
    quote still belongs to the sentence mark before it, so that a mark waits for the character that follows it.
    """

    def __init__(self, language: str):
        self.language = language
        self._unspaced = is_unspaced(language)
        self._pending = ""
        self._at_start = True

    @property
    def pending(self) -> str:
        """The letters of the word that is not yet complete."""
        return self._pending

    def feed(self, text: str) -> Iterator[Word | LineEnd]:
        """What is complete once `text` has arrived, in order; consume it whole."""
        advance = self._advance_unspaced if self._unspaced else self._advance_spaced
        for character in text:
            yield from advance(character)
            if character == "\n":
                self._at_start = True
                yield LineEnd()

    def _advance_spaced(self, character: str) -> Iterator[Word]:
        if not character.isspace():
            self._pending += character
        elif self._pending:
            yield self._complete(at_line_end=character == "\n")

    def _advance_unspaced(self, character: str) -> Iterator[Word]:
        goes_on = bool(self._pending) and character in _SENTENCE_MARKS + _CLOSERS
        if self._pending:
            yield self._complete(closes=not goes_on)
        if goes_on or character in _SENTENCE_MARKS:
            self._pending = character
        elif not character.isspace():
            yield Word(character)

    def flush(self) -> Iterator[Word]:
        """The word that was still waiting for what follows it, if any."""
        if self._pending:
            yield self._complete()
        self._at_start = True

    def take_back(self, characters: int) -> int:
        """Forgets the last `characters` of the incomplete word (backspace); gives how many there were to forget."""
        taken = min(characters, len(self._pending))
        self._pending = self._pending[: len(self._pending) - taken]
        return taken

    def _complete(self, closes: bool = True, at_line_end: bool = False) -> Word:
        ends = closes and (self._unspaced or ends_sentence(self._pending, self.language, self._at_start))
        ends = ends or at_line_end
        word = Word(self._pending, ends)
        self._pending, self._at_start = "", ends
        return word


class TargetWords:
    """The words of target text that arrives in pieces: by white space, or characters for zh, ja and th."""

    def __init__(self, language: str):
        self._unspaced = is_unspaced(language)
        self.pending = ""

    def feed(self, text: str) -> list[str]:
        """The words that are complete now."""
        if self._unspaced:
            return units(text, "zh")
        *complete, self.pending = (self.pending + text + "|").split()
        self.pending = self.pending[:-1]
        return complete

    def flush(self) -> list[str]:
        """The word that no white space followed, if any."""
        word, self.pending = self.pending, ""
        return [word] if word else []
