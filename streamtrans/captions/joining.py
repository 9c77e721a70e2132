"""Sentences out of cues: joined where one goes on in the next cue, their words timed in proportion of characters."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from streamtrans.captions.cues import Cue, TimedWord
from streamtrans.text.words import LineEnd, Span, Word, WordReader, is_unspaced, join, stream_units

PAUSE_MS = 2000.0
"""A gap between cues that ends a sentence."""
LONGEST = 60
"""Words after which a sentence without an end ends with its cue."""
_DASH = re.compile(r"[-–](?!\d)\s*")


@dataclass
class CueSentence:
    """A sentence and when each of its words was shown.

    cues: the numbers of the first and the last cue that it is from. dash: whether its line began with a speaker's dash.
    """

    language: str
    words: list[str] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    cues: tuple[int, int] = (0, 0)
    dash: bool = False

    @property
    def text(self) -> str:
        """All words on one line."""
        return join(self.words, self.language).strip()


class _Speaker(LineEnd):
    """The end before a line of another speaker."""


def join_cues(cues: Sequence[Cue], language: str) -> Iterator[CueSentence]:
    """The sentences of the cues, in order, with all words but a speaker's dash.

    A sentence ends by its punctuation, before a pause of `PAUSE_MS` or a line that begins with a dash, and with its cue
    when it has `LONGEST` words.
    """
    sentence, cue_of = CueSentence(language), dict[Span, int]()
    for unit in _units(cues, language, cue_of):
        if isinstance(unit, Word):
            assert unit.spoken
            sentence.words.append(unit.text)
            sentence.spans.append(unit.spoken)
        if sentence.words and (isinstance(unit, LineEnd) or unit.ends_sentence):
            sentence.cues = cue_of[sentence.spans[0]], cue_of[sentence.spans[-1]]
            yield sentence
            sentence = CueSentence(language)
        if isinstance(unit, _Speaker):
            sentence.dash = True


def _units(cues: Sequence[Cue], language: str, cue_of: dict[Span, int]) -> Iterator[Word | LineEnd]:
    """The words of all cues, and where sentences end that no word ends; the cue of each time goes into `cue_of`."""
    reader, shown_until, words = WordReader(language), 0.0, 0
    before, after = (" ", "") if is_unspaced(language) else ("", " ")
    for cue in cues:
        if cue.start_ms - shown_until >= PAUSE_MS or words >= LONGEST:
            yield from reader.flush()
            yield LineEnd()
            words = 0
        shown_until = cue.end_ms
        for line, dash in _timed_lines(cue, language):
            if dash:
                yield from reader.flush()
                yield _Speaker()
                words = 0
            for number, (word, start, end) in enumerate(line):
                cue_of[start, end] = cue.number
                for unit in reader.feed((word if number else before + word) + after, (start, end)):
                    words = 0 if isinstance(unit, Word) and unit.ends_sentence else words + 1
                    yield unit
    yield from reader.flush()
    yield LineEnd()


def _timed_lines(cue: Cue, language: str) -> Iterator[tuple[list[TimedWord], bool]]:
    """The words of each line of a cue, each with its share of the cue's time; and whether a dash stood before them."""
    lines = [stream_units(line[_dash(line) :], language) for line in cue.lines]
    whole = sum(len(word) for line in lines for word in line)
    scale, done = (cue.end_ms - cue.start_ms) / max(1, whole), 0
    for line, words in zip(cue.lines, lines, strict=True):
        timed = []
        for word in words:
            timed.append(TimedWord(word, cue.start_ms + scale * done, cue.start_ms + scale * (done + len(word))))
            done += len(word)
        if timed:
            yield timed, _dash(line) > 0


def _dash(line: str) -> int:
    """The characters of a speaker's dash before a line."""
    found = _DASH.match(line)
    return found.end() if found else 0
