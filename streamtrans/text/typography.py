"""Quotation marks and capitals: the model reads plain ones, and the target is set as the source is."""

import re
from collections.abc import Callable

from streamtrans.text.case import lower, upper
from streamtrans.text.languages import primary

_PLAIN = str.maketrans(
    "“”„‟«»″‘’‚‛‹›′‐‑‒―", '"""""""' + "'''''''" + "---—"
)  # fmt: skip
_TYPOGRAPHIC = re.compile("[“”„‟«»″‘’‚‛‹›′‐‑‒―]")
_QUOTES = re.compile("[“”„‟«»‘‚‛‹›]|’(?![^\\W\\d_])")
_MARKS = {
    language: marks
    for marks, languages in {
        "“”‘’": "en pt nl tr id ms vi hi bn gu kn ml ta te ko cy ga mt af",
        "„“‚‘": "de cs sk sl hr bs sr bg mk is et lt ka",
        "„”‚’": "pl hu ro",
        "””’’": "sv fi",
        "«»„“": "ru uk be",
        "«»“”": "el",
        "«»‘’": "nb nn no",
    }.items()
    for language in languages.split()
}
"""Where usage is settled; elsewhere marks stay as the model writes them."""
_INNER = re.compile(r"(?<=\w)'(?=\w)")
_OPENING = re.compile(r"(?<![^([{¿¡“„‘‚—-])([\"'])(?=.)")

_SHOUT = 4
"""Letters of a word in capitals that is a sentence alone and taken for no acronym."""
_HOLD = 3
"""Words that may wait for a second one in capitals."""
_SPELLED = re.compile(r"[^\W\d_]{3,}")


class Quotes:
    """Quotation marks, apostrophes and hyphens: straight for the model, the target language's own where the source has
    typographic ones."""

    def __init__(self, language: str):
        self._marks = _MARKS.get(primary(language))
        self._quotes = self._apostrophes = False

    def read(self, text: str, known: Callable[[str], bool]) -> str:
        """The word with straight marks, where the vocabulary lacks those it has."""
        if text.isascii() or not (marks := _TYPOGRAPHIC.findall(text)) or all(map(known, marks)):
            return text
        self._quotes = self._quotes or bool(_QUOTES.search(text))
        self._apostrophes = self._apostrophes or "’" in text
        return text.translate(_PLAIN)

    def write(self, text: str) -> str:
        """The target word with typographic marks, once the source has had one."""
        if self.idle or not self._marks or ('"' not in text and "'" not in text):
            return text
        open_double, close_double, open_single, close_single = tuple(self._marks)
        text = _INNER.sub("’", text)
        if not self._quotes:
            return text.replace("'", "’")
        text = _OPENING.sub(lambda match: open_double if match[1] == '"' else open_single, text)
        return text.replace('"', close_double).replace("'", close_single)

    @property
    def idle(self) -> bool:
        """Whether nothing is to be set."""
        return not (self._quotes or self._apostrophes)


class Capitals:
    """A sentence that starts in capitals is read in lower case, and written in capitals as long as it goes on so.

    Two words in a row with two letters each or more tell: NASA alone is an acronym. The first one waits for the second;
    a sentence of one word is in capitals if it is long, or called out.
    """

    def __init__(self, source_language: str, target_language: str):
        self._source, self._target = source_language, target_language
        self._english = primary(source_language) == "en"
        self.held: list[str] = []  # words that wait
        self._begun = False
        self._spellings: dict[str, str] = {}  # words of the capitals, by their lower case
        self.on = False
        self.settled = False  # no word that comes changes anything

    def read(self, text: str) -> str:
        """The words that the model reads for a word; "" if it waits."""
        if self.settled:
            return text
        capital = _in_capitals(text)
        if capital is False:
            self.on, self.settled = False, True
            return self._release(text)
        if self.on:
            return self._lower(text)
        waiting = any(map(_in_capitals, self.held))
        if not capital and not waiting:
            self._begun = True
            return text
        self.held.append(text)
        self.on = bool(capital and waiting)
        if self.on:
            return self._release()
        self.settled = len(self.held) > _HOLD
        return self._release() if self.settled else ""

    def finish(self) -> str:
        """The words that wait, at the end of the sentence."""
        if len(self.held) == 1 and not self._begun:
            letters = sum(map(str.isalpha, self.held[0]))
            self.on = letters >= _SHOUT or self.held[0].rstrip("\"'")[-1:] in ("!", "?")
        return self._release()

    def write(self, text: str) -> str:
        """The target word as the source is set where it is now."""
        if self.on:
            return upper(text, self._target)
        if self._spellings:
            return _SPELLED.sub(lambda match: self._spellings.get(lower(match[0], self._source), match[0]), text)
        return text

    @property
    def idle(self) -> bool:
        """Whether nothing is to be set."""
        return not self.on and not self._spellings

    def leave(self, text: str) -> None:
        """Forgets words that are not in `text`."""
        words = {lower(word, self._source) for word in _SPELLED.findall(text)}
        self._spellings = {word: capitals for word, capitals in self._spellings.items() if word in words}

    def _release(self, *more: str) -> str:
        held, self.held = self.held, []
        return " ".join([*(self._lower(text) if self.on else text for text in held), *more])

    def _lower(self, text: str) -> str:
        small = lower(text, self._source)
        for match in _SPELLED.finditer(text):
            self._spellings[lower(match[0], self._source)] = match[0]
        first, self._begun = not self._begun, True
        if first or (self._english and re.match(r"\W*i(?:\b|$)", small)):
            return re.sub(r"[^\W\d_]", lambda match: upper(match[0], self._source), small, count=1)
        return small


def _in_capitals(text: str) -> bool | None:
    """True for two capitals or more, False if there is a small letter, None for words that do not tell."""
    if text.isascii() and text.islower():
        return False
    if any(map(str.islower, text)):
        return False
    return True if sum(map(str.isupper, text)) >= 2 else None
