"""A recogniser of whole pieces of sound made simultaneous: a window that grows, and is recognised again and again.

The window is cut where a sentence ended or a silence began, once the words before it were passed on, so that what a
step costs stays bounded.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Protocol

import numpy as np

from streamtrans.speech.agreement import Agreement, Step
from streamtrans.speech.hypotheses import Heard, Hypothesis
from streamtrans.speech.sound import RATE

LONGEST_STEP = 8 * RATE
"""Samples that are taken at once; with `_LONGEST`, no more than the 30 s that Whisper knows."""

_CUT_AFTER = 15.0  # seconds, from which a window is cut where a sentence ended
_CUT_ANYWHERE = 19.0  # seconds, from which it is cut between words
_LONGEST = 22.0  # seconds, from which all of it counts as final
_SILENCE = 0.8  # seconds without speech that end an utterance
_PADDING = 0.3  # seconds kept around speech
_SENTENCE_ENDS = (".", "!", "?", "。", "！", "？", "…")


class Recogniser(Protocol):
    """Recognises whole pieces of sound, 16-kHz mono float32."""

    def speech(self, samples: np.ndarray) -> list[tuple[float, float]]:
        """Where there is speech, in seconds."""

    def words(self, samples: np.ndarray) -> list[Heard]:
        """The words, with times in seconds."""


class Window:
    """Takes sound as it arrives and gives the words that stand, with times since its start."""

    def __init__(self, recogniser: Recogniser, agreement: Agreement):
        self._recogniser, self._agreement = recogniser, agreement
        self._samples = np.zeros(0, np.float32)
        self._start = 0  # samples before the window
        self._passed: list[Heard] = []  # words of the window that stand
        self._spoke = False  # whether the utterance in the window has begun

    @property
    def heard_until(self) -> float:
        """Seconds of sound so far."""
        return (self._start + len(self._samples)) / RATE

    def hear(self, samples: np.ndarray) -> Iterator[Step]:
        """Takes more sound, shape (n,), and yields each step that it leads to."""
        for at in range(0, len(samples), LONGEST_STEP):
            self._samples = np.concatenate([self._samples, samples[at : at + LONGEST_STEP]])
            yield self._advance()

    def finish(self) -> Step:
        """The last words: all that is in the window."""
        speech = self._speech()
        return self._end_utterance(speech[-1][1]) if speech else self.give_up()

    def give_up(self) -> Step:
        """The words that were held back, without recognising anything more."""
        step = Step(self._agreement.flush())
        self._agreement.leave(self.heard_until)
        self._spoke = False
        return step

    def _speech(self) -> list[tuple[float, float]]:
        """Where there is speech, in seconds of the whole sound."""
        start = self._start / RATE
        found = self._recogniser.speech(self._samples) if len(self._samples) else []
        return [(start + begin, start + end) for begin, end in found]

    def _advance(self) -> Step:
        speech = self._speech()
        if not speech:
            step = self.give_up()
            self._drop(self.heard_until - _PADDING)
            return step
        if not self._spoke:
            self._drop(speech[0][0] - _PADDING)
        self._spoke = True
        end = speech[-1][1]
        if self.heard_until - end >= _SILENCE or len(self._samples) > _LONGEST * RATE:
            return self._end_utterance(end)
        step = self._take(self.heard_until, final=False)
        self._cut()
        return step

    def _take(self, end: float, final: bool) -> Step:
        """Recognises the window up to a time."""
        start = self._start / RATE
        heard = self._recogniser.words(self._samples[: int(end * RATE) - self._start])
        words = [
            Heard(w.text, None if w.start is None else start + w.start, None if w.end is None else start + w.end)
            for w in heard
        ]
        step = self._agreement.take(Hypothesis(tuple(words), final))
        self._passed += step.words
        return step

    def _end_utterance(self, end: float) -> Step:
        end = min(end + _PADDING, self.heard_until)
        step = self._take(end, final=True)
        self._drop(end)
        self._spoke = False
        return step

    def _cut(self) -> None:
        """Cuts a long window after a sentence that stands, or a longer one after any word before the widest gap."""
        length = len(self._samples) / RATE
        gaps = [
            (after.start - word.end, word.end, word.text)
            for word, after in pairwise(self._passed)
            if word.end is not None and after.start is not None
        ]
        ends = [end for _, end, text in gaps if text.endswith(_SENTENCE_ENDS)]
        if ends and length > _CUT_AFTER:
            self._drop(ends[-1])
        elif gaps and length > _CUT_ANYWHERE:
            self._drop(max(gaps[len(gaps) // 2 :])[1])

    def _drop(self, until: float) -> None:
        """Forgets the sound before a time, in seconds."""
        count = min(max(0, int(until * RATE) - self._start), len(self._samples))
        self._samples = self._samples[count:]
        self._start += count
        self._passed = [w for w in self._passed if w.end is None or w.end > until]
        self._agreement.leave(until)
