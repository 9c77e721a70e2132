"""Carries through a translation whatever is no language, around any model.

The model reads a four-digit number in place of an address, a tag, an emoji, an amount or words of another script;
where the number comes back, the original is written. A name in letters that the vocabulary lacks is read in simpler
letters, quotation marks as straight ones, a line in capitals in lower case; each is written as it was. All of this
follows from the words read and written so far, so that it is the same however the text arrived.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from streamtrans.text.clean import without_invisible
from streamtrans.text.disfluencies import is_slip
from streamtrans.text.fold import RUN, fold
from streamtrans.text.opaque import CLOSING, CURRENCIES, LONGEST, OPENING, UNCLOSED, pieces, whole
from streamtrans.text.scripts import foreign_scripts, script
from streamtrans.text.typography import Capitals, Quotes
from streamtrans.text.words import is_unspaced, join, units

_PLAIN = re.compile(r"[A-Za-z]?[a-z]+(?:['-][a-z]+)*[.,;:!?]*", re.ASCII)
_NUMBER = re.compile(r"\d(?:[.,\u00a0\u202f]?\d)*")
_ADDED_CURRENCY = re.compile(r"(?:R|US|A|C)?[$€£]$")
_DOLLARS = re.compile(r"(?:R|US|A|C)?\$(?=\d|$)")
_LONGEST_TAG = 12
"""Words."""
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
    digits: str = ""  # of a number, where words are characters
    open: bool = False  # the next word joins the held one
    last: str = ""  # the number whose original was written last, if nothing followed it


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
        self._unclosed: list[str] = []  # words of a tag that white space divides
        self._run: list[str] = []  # words of another script, not yet read by the model
        self._capitals = Capitals(source_language)
        self._quotes = Quotes(target_language)
        self._currencies: set[str] = set()  # signs that the source has used
        self._foreign_scripts = foreign_scripts(source_language)
        self._unspaced = is_unspaced(target_language)
        self._output = _Output()
        self.foreign = 0

    def read(self, word: str) -> str:
        """The words that the model reads for a source word; "" for none, or for none yet."""
        if is_slip(word, self._previous, self._source):
            return ""
        self._previous = word
        if self._capitals.settled and not self._run and not self._unclosed and _PLAIN.fullmatch(word):
            return word
        text = without_invisible(word)
        if not text:
            return ""
        self._unclosed.append(text)
        if UNCLOSED.search(" ".join(self._unclosed)) and len(self._unclosed) < _LONGEST_TAG:
            return ""
        closed = len(self._unclosed) < _LONGEST_TAG
        words, self._unclosed = [" ".join(self._unclosed)] if closed else self._unclosed, []
        return _spaced(*map(self._take, words))

    def finish(self) -> str:
        """The words that were not read yet; the source ends here."""
        words, self._unclosed = self._unclosed, []
        return _spaced(*map(self._take, words), self._capitals.finish(), self._end_run())

    def write(self, word: str) -> list[str]:
        """The words to show for one that the model wrote; none if it waits for the next, or stands for nothing."""
        if not (self._carried or self._names) and self._quotes.idle and self._capitals.idle:
            word = word.replace("\ufffd", "")
            return [word] if word else []
        if self._unspaced and not (word := self._whole_number(word)):
            return []
        text = self._quotes.write(word.replace("\ufffd", ""))
        if self._currencies and "$" not in self._currencies:  # a number before "€" is taken for dollars now and then
            text = _DOLLARS.sub("", text)
        if self._names:
            text = RUN.sub(lambda match: self._name(match[0]), text)
        return self._restore(self._capitals.write(text))

    def owed(self) -> list[str]:
        """The words to show at the end of the target: the one that waited, and each original that never came back."""
        output = self._output
        rest = [output.held, output.digits, *(c.original for n, c in self._carried.items() if n not in output.back)]
        output.held = output.digits = ""
        output.back.update(self._carried)
        return [word for text in rest for word in units(text, self._target)]

    def leave(self, words: list[str]) -> list[str]:
        """Forgets what none of these words, all of the model's that stay in sight, stands for.

        Gives the words to show for each original among it that never came back.
        """
        seen = {_digits(number) for word in words for number in _NUMBER.findall(word)}
        gone = {number: carried for number, carried in self._carried.items() if number not in seen}
        lost = [carried.original for number, carried in gone.items() if number not in self._output.back]
        for number in gone:
            del self._carried[number]
        if gone:
            self._candidates = _stand_ins()
        self._output.back -= gone.keys()
        self._numbers &= seen
        return [word for text in lost for word in units(text, self._target)]

    def shown(self, words: list[str], finished: bool) -> list[str]:
        """The words to show for a whole target, which may be another one next time; `write` is not concerned."""
        output, self._output = self._output, _Output()
        result = [shown for word in words for shown in self.write(word)] + (self.owed() if finished else [])
        self._output = output
        return result

    def _take(self, text: str) -> str:
        """The words that the model reads for one that is all there."""
        if len(text) <= LONGEST and self._is_foreign(text):
            self._run.append(text)
            return self._capitals.finish()
        return _spaced(self._end_run(), self._capitals.read(self._readable(text) if len(text) <= LONGEST else text))

    def _is_foreign(self, text: str) -> bool:
        """Whether it joins a run of words that the model does not read: all its letters are of a foreign script.

        A single letter, such as π, is none of a text in another language. Where words are characters, signs that the
        vocabulary lacks are joined too, or the parts of an emoji would go different ways.
        """
        if text.isascii():
            return False
        scripts = [script(c) for c in text if c.isalpha()]
        foreign = bool(scripts) and all(name in self._foreign_scripts for name in scripts)
        if is_unspaced(self._source):
            return foreign or not (scripts or self._known(text))
        self.foreign += foreign and len(scripts) > 1
        return foreign and len(scripts) > 1

    def _end_run(self) -> str:
        original, self._run = join(self._run, self._source), []
        return self._stand_in(_Carried(original)) if original else ""

    def _readable(self, text: str) -> str:
        """The word with numbers for its opaque parts and with letters that the model knows."""
        text = self._quotes.read(text, self._known)
        numbers = {_digits(match) for match in _NUMBER.findall(text)}
        taken = not numbers.isdisjoint(self._carried)  # by a stand-in: it would be taken for that
        self._numbers |= numbers
        self._currencies.update(filter(CURRENCIES.__contains__, text))
        parts = whole(text) if taken or not self._spelled(text) else pieces(text, self._known)
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

    def _name(self, run: str) -> str:
        """The original of a run that the model wrote as it had read it."""
        return self._names.get(run) or (self._capitals.on and self._names.get(run.upper())) or run

    def _stand_in(self, carried: _Carried) -> str:
        """A number for an original that is neither in the sentence nor stands for another one."""
        number = next(n for n in self._candidates if n not in self._numbers and n not in self._carried)
        self._carried[number] = carried
        return number

    def _whole_number(self, character: str) -> str:
        """Where words are characters: the number that is complete with this one; "" while it may become one."""
        text, self._output.digits = self._output.digits + character, ""
        if any(number.startswith(text) and number != text for number in self._carried):
            self._output.digits, text = text, ""
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
        return self._emit(units(shown + rest, self._target), joins, before)

    def _emit(self, words: list[str], joins: bool, before: bool) -> list[str]:
        """Joins the word that waits with what clings to it; the last one waits if something may cling to it."""
        output = self._output
        if not words:
            return []
        if output.held:
            joined = output.open or joins
            words = [output.held + words[0], *words[1:]] if joined else [output.held, *words]
        expected = any(c.after for number, c in self._carried.items() if number not in output.back)
        output.held, output.open = (words.pop(), before) if before or expected else ("", False)
        return words


class Plain:
    """Carries nothing: the model reads each word as it is, and what it writes is shown."""

    foreign = 0

    def read(self, word: str) -> str:
        """The word."""
        return word

    def finish(self) -> str:
        """Nothing."""
        return ""

    def write(self, word: str) -> list[str]:
        """The word."""
        return [word]

    def leave(self, words: list[str]) -> list[str]:
        """Nothing."""
        return []

    def owed(self) -> list[str]:
        """Nothing."""
        return []

    def shown(self, words: list[str], finished: bool) -> list[str]:
        """The words."""
        return words


def _stand_ins() -> Iterator[str]:
    """Numbers of four digits that are no year and not round, each once; of more digits when they run out."""
    yield from map(str, _NUMBERS)
    for n in count(1):
        number = 2101 + 2357 * n % 7899 if n < 7899 else 10_000 + n
        if number not in _NUMBERS and number % 10:
            yield str(number)


def _digits(number: str) -> str:
    return "".join(filter(str.isdigit, number))


def _spaced(*texts: str) -> str:
    return " ".join(filter(None, texts))
