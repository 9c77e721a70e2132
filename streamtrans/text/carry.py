"""Carries through a translation whatever is no language, around any model.

The model reads a four-digit number in place of an address, a tag, an emoji, an amount or words of another script;
where the number comes back, the original is written. A name in letters that the vocabulary lacks is read in simpler
letters, quotation marks as straight ones, a line in capitals in lower case; each is written as it was. All of this
follows from the words read and written so far, so that it is the same however the text arrived.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from streamtrans.text.case import upper
from streamtrans.text.clean import without_invisible
from streamtrans.text.disfluencies import is_slip
from streamtrans.text.fold import RUN, fold
from streamtrans.text.opaque import CLOSING, CURRENCIES, LONGEST, OPENING, UNCLOSED, pieces, whole
from streamtrans.text.scripts import foreign_scripts, script
from streamtrans.text.typography import Capitals, Quotes
from streamtrans.text.words import is_unspaced, stream_units

_PLAIN = re.compile(r"[A-Za-z]?[a-z]+(?:['-][a-z]+)*[.,;:!?]*", re.ASCII)
_NUMBER = re.compile(r"\d(?:[.,\u00a0\u202f\u066b\u066c]?\d)*")
_ASCII_RUN = re.compile(r"[A-Za-z0-9]+")
_ADDED_CURRENCY = re.compile(r"(?:R|US|A|C)?[$€£]$")
_DOLLARS = re.compile(r"(?:R|US|A|C)?\$(?=\d|$)")
_LONGEST_TAG = 12
"""Words."""
_LONGEST_RUN = 400
"""Characters in a row that are read as one word, where words are characters."""
_NUMBERS = (6172, 8354, 7413, 9265, 4638, 5827, 3946, 7581)


@dataclass(frozen=True)
class _Carried:
    """An original; `after`, `before`: whether it clings to the word in front of it, to the one that follows.

    partner: the number of the original that it clings to; "" for a word of the language, or none.
    """

    original: str
    after: bool = False
    before: bool = False
    partner: str = ""


@dataclass
class _Output:
    """The state of the target: the numbers that came back, and a word that may not be complete yet."""

    back: set[str] = field(default_factory=set)
    held: str = ""
    part: str = ""  # of a number or a name, where words are characters
    open: bool = False  # the next word joins the held one
    last: str = ""  # the number whose original was written last, if nothing followed it
    entry: str = ""  # the word before, with its comma


class Carrier:
    """Stands between the words of one sentence and a model: `read` before it, `write` after it.

    known: whether the vocabulary spells a text without unknown pieces or single bytes. foreign: how many words were in
    a script that the source language does not use; they are carried letter for letter.
    """

    def __init__(self, known: Callable[[str], bool], source_language: str = "", target_language: str = ""):
        self._known = known
        self._source, self._target = source_language, target_language
        self._carried: dict[str, _Carried] = {}  # by the number that stands for it
        self._names: dict[str, str] = {}  # originals by the spelling that the model reads
        self._numbers: set[str] = set()  # of the source itself
        self._candidates = _stand_ins()
        self._previous = ""
        self._unclosed: list[str] = []  # words of a tag that white space divides, or characters of a word
        self._entries: list[str] = []  # words with a comma
        self._run: list[str] = []  # words of another script, not yet read by the model
        self._capitals = Capitals(source_language, target_language)
        self._quotes = Quotes(target_language)
        self._currencies: set[str] = set()  # signs that the source has used
        self._foreign_scripts = foreign_scripts(source_language)
        self._characters = self._capitals.settled = is_unspaced(source_language)
        self._unspaced = is_unspaced(target_language)
        self._output = _Output()
        self.foreign = 0

    def read(self, word: str) -> str:
        """The words that the model reads for a source word; "" for none, or for none yet."""
        if is_slip(word, self._previous, self._source):
            return ""
        self._previous = word
        if word[-1:] == ",":
            self._entries.append(word.lower())
        if self._characters:
            return self._read_character(word)
        if self._capitals.settled and not self._run and not self._unclosed and _PLAIN.fullmatch(word):
            return word
        text = without_invisible(word)
        if not text:
            return ""
        self._unclosed.append(text)
        if UNCLOSED.search(" ".join(self._unclosed)) and len(self._unclosed) < _LONGEST_TAG:
            return ""
        return self._close(closed=len(self._unclosed) < _LONGEST_TAG)

    def _read_character(self, character: str) -> str:
        """Characters in a row that are not of the language are one word."""
        is_part = self._is_part(character.strip())
        goes_on = is_part and character[0] != " " and len(self._unclosed) < _LONGEST_RUN
        before = "" if goes_on else self._close()
        self._unclosed.append(character)
        return before if is_part else before + self._close()

    def _is_part(self, character: str) -> bool:
        """Whether a character is part of a word: Latin, foreign, a digit, or a sign that the vocabulary lacks."""
        if character.isascii() or character.isdecimal():
            return True
        if character.isalpha():
            return script(character) == "LATIN" or script(character) in self._foreign_scripts
        return not self._known(character)

    def _close(self, closed: bool = True) -> str:
        """The words that the model reads for those that waited; closed: they are one."""
        words, self._unclosed = self._unclosed, []
        if closed and words:
            words = [without_invisible("".join(words)) if self._characters else " ".join(words)]
        return self._spaced(*map(self._take, filter(None, words)))

    def finish(self) -> str:
        """The words that were not read yet; the source ends here."""
        return self._spaced(self._close(closed=self._characters), self._capitals.finish(), self._end_run())

    def write(self, word: str) -> list[str]:
        """The words to show for one that the model wrote; none if it waits for the next, or stands for nothing."""
        word = word.replace("\ufffd", "")
        if not word.strip() or self._is_said_again(word):
            return []
        if not (self._carried or self._names) and self._quotes.idle and self._capitals.idle:
            return [word]
        if self._unspaced and not (word := self._whole(word)):
            return []
        text = self._quotes.write(word)
        if self._currencies and "$" not in self._currencies:  # a number before "€" is taken for dollars now and then
            text = _DOLLARS.sub("", text)
        return self._restore(self._capitals.write(self._named(text)))

    def owed(self) -> list[str]:
        """The words to show at the end of the target: the one that waited, and each original that never came back."""
        output = self._output
        missing = (carried.original for number, carried in self._carried.items() if number not in output.back)
        rest = [output.held, self._named(output.part), *missing]
        output.held = output.part = ""
        output.back.update(self._carried)
        return [word for text in rest for word in stream_units(text, self._target)]

    def leave(self, text: str) -> list[str]:
        """Forgets what nothing in `text`, all that the model still sees of both sides, stands for.

        Gives the words to show for each original among it that never came back.
        """
        self._capitals.leave(text)
        small = text.lower()
        self._names = {name: original for name, original in self._names.items() if name.lower() in small}
        seen = {_digits(number) for word in (text, *self._capitals.held) for number in _NUMBER.findall(word)}
        gone = {number: carried for number, carried in self._carried.items() if number not in seen}
        lost = [carried.original for number, carried in gone.items() if number not in self._output.back]
        self._carried = {number: carried for number, carried in self._carried.items() if number in seen}
        self._output.back &= seen
        self._numbers &= seen
        self._entries = []
        self._candidates = _stand_ins()
        return [word for original in lost for word in stream_units(original, self._target)]

    def shown(self, words: list[str], finished: bool) -> list[str]:
        """The words to show for a whole target, which may be another one next time; `write` is not concerned."""
        output, self._output = self._output, _Output()
        result = [shown for word in words for shown in self.write(word)] + (self.owed() if finished else [])
        self._output = output
        return result

    def _is_said_again(self, word: str) -> bool:
        """Whether it is an entry of a list that the model says twice, while the source has none twice."""
        before, self._output.entry = self._output.entry, word if word[-1] == "," != word else ""
        return bool(before) and before == word and len(set(self._entries)) == len(self._entries)

    def _take(self, text: str) -> str:
        """The words that the model reads for one that is all there; where words are characters, with its space."""
        if len(text) <= LONGEST and self._is_foreign(text):
            self._run.append(text)
            return self._capitals.finish()
        space, word = text[: text[0] == " "], text.lstrip()
        read = self._capitals.read(self._readable(word) if len(text) <= LONGEST else word)
        return self._spaced(self._end_run(), space + read if read else "")

    def _is_foreign(self, text: str) -> bool:
        """Whether it joins a run of words that the model does not read: all its letters are of a foreign script.

        A single letter, such as π, is none of a text in another language.
        """
        if text.isascii():
            return False
        scripts = [script(c) for c in text if c.isalpha()]
        foreign = len(scripts) > 1 and all(name in self._foreign_scripts for name in scripts)
        self.foreign += foreign
        return foreign

    def _end_run(self) -> str:
        run, self._run = self._run, []
        if not run:
            return ""
        return run[0][: run[0][0] == " "] + self._stand_in(_Carried(self._spaced(*run).strip()))

    def _spaced(self, *texts: str) -> str:
        return ("" if self._characters else " ").join(filter(None, texts))

    def _readable(self, text: str) -> str:
        """The word with numbers for its opaque parts and with letters that the model knows."""
        text = self._quotes.read(text, self._known)
        numbers = {_digits(match) for match in _NUMBER.findall(text)}
        taken = not numbers.isdisjoint(self._carried)  # by a stand-in: it would be taken for that
        self._numbers |= numbers
        self._currencies.update(filter(CURRENCIES.__contains__, text))
        parts = whole(text) if taken or not self._spelled(text) else pieces(text, self._known)
        if self._characters and len(parts) > 1 and numbers:
            parts = whole(text)  # its number would stand beside a stand-in
        words = number = ""
        for index, part in enumerate(parts):
            if not part.opaque:
                number = ""
                words += part.text if part.text.isascii() else RUN.sub(lambda match: self._folded(match[0]), part.text)
                continue
            follows = parts[index + 1] if index + 1 < len(parts) else None
            after = bool(words) and (bool(number) or words[-1] not in OPENING)
            before = follows is not None and not follows.opaque and follows.text[0] not in CLOSING
            number = self._stand_in(_Carried(part.text, after, before, partner=number))
            words += " " * after + number + " " * before
        return words

    def _spelled(self, text: str) -> bool:
        """Whether the model can read all its letters, in another spelling perhaps."""
        return text.isascii() or None not in (fold(run, self._known) for run in RUN.findall(text))

    def _folded(self, run: str) -> str:
        """The run in letters that the vocabulary knows, noted if these are not its own."""
        folded = fold(run, self._known) or run
        if folded != run:
            self._names[folded] = run
        return folded

    def _named(self, text: str) -> str:
        """The text with the originals of names; where words are characters, letters of ASCII are a name's."""
        runs = _ASCII_RUN if self._unspaced else RUN
        return runs.sub(lambda match: self._name(match[0]), text) if self._names else text

    def _name(self, run: str) -> str:
        """The original of a run that the model wrote as it had read it."""
        return self._names.get(run) or (self._capitals.on and self._names.get(upper(run, self._source))) or run

    def _stand_in(self, carried: _Carried) -> str:
        """A number for an original that is neither in the sentence nor stands for another one."""
        number = next(n for n in self._candidates if n not in self._numbers and n not in self._carried)
        self._carried[number] = carried
        return number

    def _whole(self, character: str) -> str:
        """Where words are characters: what is complete with this one; "" while it may become a number or a name."""
        text, self._output.part = self._output.part + character, ""
        start = text.lstrip()
        digits = _digits(start) if start.isdecimal() else start
        in_number = any(number.startswith(digits) and number != digits for number in self._carried)
        if in_number or any(name.startswith(start) for name in self._names):
            self._output.part, text = text, ""
        return text

    def _restore(self, text: str) -> list[str]:
        """The target word with originals for the numbers that stand for them, once each."""
        output, shown, position = self._output, "", 0
        joins = before = False
        for match in _NUMBER.finditer(text):
            carried = self._carried.get(number := _digits(match[0]))
            if carried is None:
                continue
            front = _ADDED_CURRENCY.sub("", text[position : match.start()])
            if number not in output.back:
                joins = joins or (carried.after and not shown + front and carried.partner in ("", output.last))
                before, output.last = carried.before, number
                front += carried.original
            shown, position = shown + front, match.end()
            output.back.add(number)
        if rest := text[position:]:
            before, output.last = False, ""
        return self._emit(stream_units(shown + rest, self._target), joins, before)

    def _emit(self, words: list[str], joins: bool, before: bool) -> list[str]:
        """Joins the word that waits with what clings to it; the last one waits if something may cling to it."""
        output = self._output
        if not words:
            return []
        if output.held:
            joined = output.open or joins
            words = [output.held + words[0].lstrip(), *words[1:]] if joined else [output.held, *words]
        expected = any(c.after for number, c in self._carried.items() if number not in output.back)
        output.held, output.open = (words.pop(), before) if before or expected else ("", False)
        return words


def _stand_ins() -> Iterator[str]:
    """Numbers of four digits that are no year and not round, each once; of more digits when they run out."""
    yield from map(str, _NUMBERS)
    for n in count(1):
        number = 2101 + 2357 * n % 7899 if n < 7899 else 10_000 + n
        if number not in _NUMBERS and number % 10:
            yield str(number)


def _digits(number: str) -> str:
    """Its digits, in those of ASCII: Arabic and Indian languages have digits of their own."""
    return "".join(str(unicodedata.decimal(c)) for c in number if c.isdecimal())
