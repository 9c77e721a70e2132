"""Local agreement: of hypotheses that are still revised, only what is stable is passed on, and never taken back.

Stable is what two successive hypotheses share, less the last `unstable` words. A last word is where recognisers err:
it may be cut off, and Whisper puts a full stop after it because the sound ends there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from streamtrans.speech.hypotheses import Heard, Hypothesis

UNSTABLE_WORDS = 1
"""The usual number of last words of a hypothesis that are held back."""

_RETIMED = 1.0
"""Seconds; the same word may be this much earlier or later in the next hypothesis."""

_COMPARED = 200
"""Words of an utterance that a contradiction may reach back."""

_KEPT = 2000
"""Words passed on that are remembered, where an utterance never ends."""

_SIGNS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Step:
    """The words that a hypothesis made stable, and how it contradicts words that were passed on before."""

    words: list[Heard] = field(default_factory=list)
    revised: str | None = None


class Agreement:
    """Takes the hypotheses of one stream and gives each word once."""

    def __init__(self, unstable: int = UNSTABLE_WORDS):
        """unstable: last words of a hypothesis that are held back until it is final."""
        self._unstable = unstable
        self._last_final: Hypothesis | None = None
        self._begin(None)

    def _begin(self, utterance: str | None) -> None:
        self._utterance = utterance
        self._passed: list[Heard] = []
        self._before: Hypothesis | None = None
        self._contradiction: str | None = None

    @property
    def pending(self) -> bool:
        """Whether there are words that were not yet passed on."""
        return self._before is not None and self._position(self._before.words) < len(self._before.words)

    def take(self, hypothesis: Hypothesis) -> Step:
        """The step that a hypothesis makes; one that says nothing, or was taken before, makes none."""
        if hypothesis == self._before or self._repeats(hypothesis):
            return Step()
        rest: list[Heard] = []
        if hypothesis.utterance != self._utterance:
            rest = self.flush()
            self._begin(hypothesis.utterance)
        open_ = self._before is not None
        if not hypothesis.words and not (hypothesis.final and open_):
            return Step(rest)
        step = self._follow(hypothesis)
        if hypothesis.final:
            self._last_final = hypothesis
            self._begin(None)
        return Step(rest + step.words, step.revised)

    def flush(self) -> list[Heard]:
        """The words of the last hypothesis that were held back, for nothing more comes of it; it counts as final."""
        last = self._before
        words = list(last.words[self._position(last.words) :]) if last else []
        self._passed += words
        return words

    def leave(self, until: float) -> None:
        """Forgets the words that ended by then, in seconds: the hypotheses to come begin there."""
        self._passed = [word for word in self._passed if word.end is None or word.end > until]
        if self._before:
            words = tuple(word for word in self._before.words if word.end is None or word.end > until)
            self._before = replace(self._before, words=words) if words else None

    def _repeats(self, hypothesis: Hypothesis) -> bool:
        """Whether an ended utterance is said again: by its name, by its times, or by words heard in silence."""
        last = self._last_final
        if last is None:
            return False
        if hypothesis.utterance is not None and hypothesis.utterance == last.utterance:
            return True
        if not hypothesis.final or _plain(hypothesis.words) != _plain(last.words):
            return False
        if hypothesis.doubtful and self._before is None:
            return True
        timed = bool(hypothesis.words) and all(word.middle is not None for word in hypothesis.words)
        return timed and hypothesis.words == last.words

    def _follow(self, hypothesis: Hypothesis) -> Step:
        words, before = hypothesis.words, self._before
        position, revised = self._position(words), self._revision(words)
        stable = len(words)
        if not hypothesis.final:
            shared = _shared(words[position:], before.words[self._position(before.words) :]) if before else 0
            stable = min(position + shared, len(words) - self._unstable)
        passed = list(words[position:stable])
        self._passed = (self._passed + passed)[-_KEPT:]
        self._before = hypothesis
        return Step(passed, revised)

    def _position(self, words: Sequence[Heard]) -> int:
        """The number of first words of a hypothesis that stand for what was passed on."""
        passed = self._in_question(words)
        same = _shared(words, passed)
        if same == len(passed):
            return same
        first = max(same, len(passed) - _COMPARED)
        begin, end = max(same, first - _COMPARED), len(passed) + _COMPARED
        position = begin + _aligned(passed[first:], words[begin:end])
        last = passed[-1]
        if position and _letters(words[position - 1].text) == _letters(last.text):
            return position
        # the last word itself is contradicted: all that was said until its end stands for it
        while position < len(words) and _within(words[position], last):
            position += 1
        return position

    def _in_question(self, words: Sequence[Heard]) -> list[Heard]:
        """The words passed on, less those that were spoken before this hypothesis begins."""
        start = words[0].start if words else None
        if start is None:
            return self._passed
        return [word for word in self._passed if word.end is None or word.end + _RETIMED >= start]

    def _revision(self, words: Sequence[Heard]) -> str | None:
        """How a hypothesis contradicts what was passed on, if it does so otherwise than the one before."""
        passed, words = self._in_question(words), words[: self._position(words)]
        contradiction = _difference(passed, words)
        known, self._contradiction = self._contradiction, contradiction
        return contradiction if contradiction != known else None


def _difference(passed: Sequence[Heard], words: Sequence[Heard]) -> str | None:
    first = _shared(passed, words)
    last = _shared(passed[first:][::-1], words[first:][::-1])
    parts = passed[first : len(passed) - last], words[first : len(words) - last]
    fed, said = (" ".join(word.text for word in part) for part in parts)
    return f"revised: fed '{fed}', recogniser now says '{said}'" if fed or said else None


def _letters(text: str) -> str:
    """A word as it is compared: without case and signs, unless it is all signs."""
    return _SIGNS.sub("", text.casefold()) or text


def _plain(words: Sequence[Heard]) -> list[str]:
    return [_letters(word.text) for word in words]


def _shared(words: Sequence[Heard], others: Sequence[Heard]) -> int:
    """The number of first words that are the same."""
    for count, (word, other) in enumerate(zip(words, others, strict=False)):
        if _letters(word.text) != _letters(other.text):
            return count
    return min(len(words), len(others))


def _within(word: Heard, last: Heard) -> bool:
    return word.middle is not None and last.end is not None and word.middle <= last.end


def _apart(word: Heard, other: Heard) -> bool:
    """Whether two words are known to be spoken one after the other."""
    if word.middle is None or other.middle is None:
        return False
    return _after(word, other) or _after(other, word)


def _after(word: Heard, other: Heard) -> bool:
    return word.middle is not None and other.end is not None and word.middle >= other.end


def _aligned(passed: Sequence[Heard], words: Sequence[Heard]) -> int:
    """The number of first words that align with all of `passed` by the fewest edits, the most of equally few.

    Words that are known to be spoken at different times do not stand for one another unless they are the same.
    """
    row = list(range(len(words) + 1))
    for i, word in enumerate(passed, 1):
        above, row = row, [i]
        for j, other in enumerate(words, 1):
            same = _letters(word.text) == _letters(other.text)
            edits = 0 if same else 2 if _apart(word, other) else 1
            row.append(min(above[j - 1] + edits, above[j] + 1, row[j - 1] + 1))
    fewest = min(row)
    return max(j for j, edits in enumerate(row) if edits == fewest)
