"""Words: one definition for collator, engine and scorer.

A word is what `str.split()` gives; in languages written without spaces it is a character. White space between such
characters counts for nothing, but it is part of the text: streams keep it in front of the character that follows.
`WordReader` finds the same words in text that arrives in pieces, whatever the pieces.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from streamtrans.text.clean import SequenceFilter, without_sequences
from streamtrans.text.languages import primary
from streamtrans.text.sentences import CLOSERS, LONGEST_END, SENTENCE_MARKS, SentenceEnds

_IN_SIGHT = 8
"""Words from which the end of a sentence is told."""
_RUN = re.compile(r"\S+|\s")
_MARK_INSIDE = re.compile(r"(?:[0-9A-Za-z]\.|[0-9０-９]．|[0-9A-Za-z/=][?!])[0-9０-９A-Za-z]$", re.ASCII)
"""As in 3.5, U.S. or example.com?a=b, where words are characters."""

UNSPACED_LANGUAGES = frozenset({"zh", "ja", "th"})


def is_unspaced(language: str) -> bool:
    """Whether words of this language ("zh", "pt-BR", …) are characters."""
    return primary(language) in UNSPACED_LANGUAGES


def units(text: str, language: str) -> list[str]:
    """The words of `text`: by white space, or the characters that are not white space for zh, ja and th."""
    return [c for c in text if not c.isspace()] if is_unspaced(language) else text.split()


def stream_units(text: str, language: str) -> list[str]:
    """The words of `text` as `units` has them, but characters keep a space in front where white space stands."""
    words = TargetWords(language, begun=True)
    return words.feed(text) + words.flush()


def source_words(line: str, language: str) -> list[str]:
    """The words of a line of source text, in which terminal control sequences are no text; as `WordReader` has them."""
    return stream_units(without_sequences(line).strip(), language)


def join(words: list[str], language: str) -> str:
    """The text that `stream_units` would split into these words."""
    return ("" if is_unspaced(language) else " ").join(words)


Span = tuple[float, float]
"""Start and end, in milliseconds."""


@dataclass(frozen=True)
class Word:
    """A complete source word; `ends_sentence` by its punctuation, or because its line ends right after it.

    spoken: its start and end in the speech, in milliseconds; None for text.
    """

    text: str
    ends_sentence: bool = False
    spoken: Span | None = None


class LineEnd:
    """The end of a line of source text."""


class WordReader:
    """Words and line ends of text that arrives in pieces; every cut of the same text gives the same result.

    A spaced word is complete when white space follows, and waits for the next word where only that tells whether a
    sentence ends. A character of zh, ja or th is complete at once, but a closing quote still belongs to the sentence
    mark before it, and a dot may be part of 3.5, so that a mark waits for the character that follows it. Terminal
    control sequences are no text.
    """

    def __init__(self, language: str):
        self.language = language
        self._unspaced = is_unspaced(language)
        self._sequences = SequenceFilter()
        self._ends = SentenceEnds(language)
        self._letters: list[str] = []  # of the word that is not complete, in pieces
        self._sentence: deque[str] = deque(maxlen=_IN_SIGHT)
        self._at_start = True
        self._waiting = ""
        self._spoken: Span | None = None  # of the text that arrives
        self._waiting_spoken: Span | None = None
        self._characters = TargetWords(language)

    @property
    def pending(self) -> str:
        """The letters of the word that is not yet complete."""
        self._letters = ["".join(self._letters)] if self._letters else []
        return "".join(self._letters)

    @property
    def empty(self) -> bool:
        """Whether no letter waits for what follows it."""
        return not (self._letters or self._waiting)

    def feed(self, text: str, spoken: Span | None = None) -> Iterator[Word | LineEnd]:
        """The words and line ends that are complete once `text` has arrived, in order; consume it whole.

        spoken: when the words that this text completes were spoken.
        """
        self._spoken = spoken
        text = self._sequences.feed(text)
        advance = self._advance_unspaced if self._unspaced else self._advance_spaced
        for run in text if self._unspaced else _RUN.findall(text):
            yield from advance(run)
            if run == "\n":
                self._at_start = True
                self._characters = TargetWords(self.language)
                self._sentence.clear()
                yield LineEnd()

    def _advance_spaced(self, run: str) -> Iterator[Word]:
        if not run.isspace():
            self._letters.append(run)
        elif self._letters or (self._waiting and run == "\n"):
            yield from self._complete(line_ends=run == "\n")

    def _complete(self, line_ends: bool) -> Iterator[Word]:
        """The word that waited, and the one whose letters are complete now unless it has to wait."""
        word, waited, self._letters, self._waiting = self.pending, self._waiting, [], ""
        if waited:
            before = self._ends.before(self._sentence, word) if word else True
            yield self._word(waited, before, self._waiting_spoken)
        if not word:
            return
        self._sentence.append(word[-LONGEST_END:])
        ends = line_ends or self._ends.after(self._sentence, self._at_start)
        if ends is None:
            self._waiting, self._waiting_spoken = word, self._spoken
        else:
            yield self._word(word, ends, self._spoken)

    def _word(self, text: str, ends: bool, spoken: Span | None) -> Word:
        self._at_start = ends
        if ends:
            self._sentence.clear()
        return Word(text, ends, spoken)

    def _advance_unspaced(self, character: str) -> Iterator[Word]:
        goes_on = bool(self._letters) and character in SENTENCE_MARKS + CLOSERS
        self._sentence.append(character)
        if self._letters:
            inside = _MARK_INSIDE.search("".join(self._sentence))
            yield Word(self._letters.pop(), not (goes_on or inside), self._waiting_spoken)
        for word in self._characters.feed(character):
            if goes_on or character in SENTENCE_MARKS:
                self._letters.append(word)
                self._waiting_spoken = self._spoken
            else:
                yield Word(word, spoken=self._spoken)

    def flush(self) -> Iterator[Word]:
        """The words that were still waiting for what follows them, two at most."""
        if self._unspaced:
            yield from (Word(mark, True, self._waiting_spoken) for mark in self._letters)
        elif self._letters or self._waiting:
            yield from self._complete(line_ends=False)
            if self._waiting:
                yield self._word(self._waiting, True, self._waiting_spoken)
        self._letters, self._waiting, self._at_start = [], "", True
        self._characters = TargetWords(self.language)
        self._sentence.clear()

    def take_back(self, characters: int) -> int:
        """Forgets the last `characters` of the incomplete word (backspace); gives how many there were to forget."""
        letters = self.pending
        kept = letters[: max(0, len(letters) - characters)]
        self._letters = [kept] if kept else []
        return len(letters) - len(kept)


class TargetWords:
    """The words of text that arrives in pieces: by white space, or characters for zh, ja and th.

    White space before such a character, but the first of all, is kept as one space in front of it.
    """

    def __init__(self, language: str, begun: bool = False):
        """begun: text came before."""
        self._unspaced = is_unspaced(language)
        self._begun, self._space = begun, False
        self.pending = ""

    def feed(self, text: str) -> list[str]:
        """The words that are complete now."""
        if self._unspaced:
            return [word for character in text if (word := self._character(character))]
        *complete, self.pending = (self.pending + text + "|").split()
        self.pending = self.pending[:-1]
        return complete

    def _character(self, character: str) -> str:
        if character.isspace():
            self._space = self._begun
            return ""
        space, self._space, self._begun = self._space, False, True
        return " " * space + character

    def flush(self) -> list[str]:
        """The word that no white space followed, if any."""
        word, self.pending = self.pending, ""
        return [word] if word else []
