"""Monotonicity, the share of a translation that can be said early: word alignment by co-occurrence, and a score.

A simultaneous translator that stays LAG words behind can say a target word without guessing if the source word it
translates has been read by then. The score is the share of such words. Which source word that is, is estimated from
the corpus itself: words that appear in the same pairs more often than apart (Dice coefficient), nothing else. That is
crude, and good enough to compare translations of one corpus with each other.
"""

from collections.abc import Sequence

import numpy as np

from streamtrans.text.words import units
from streamtrans.training.data.dataset import Pair

LAG = 3
"""Source words that the translator of the score stays behind."""

_SAMPLE = 40_000  # pairs that the co-occurrence is counted on: more makes the score no better, only slower
_LEAST = 0.1  # association below which two words are taken for strangers
_NEAR = 0.05  # what a word at the other end of the sentence loses against one at the same place: settles ties


class Monotonicity:
    """Scores pairs by the word associations of a corpus."""

    def __init__(self, pairs: Sequence[Pair], languages: tuple[str, str] = ("", "")):
        """Counts the associations of a corpus; languages: of source and target, which decide what a word is."""
        self._languages = languages
        self._ids: tuple[dict[str, int], dict[str, int]] = ({}, {})
        step = max(1, len(pairs) // _SAMPLE)
        sides = [
            [self._known(text, side, learn=True) for text, side in zip(pair, (0, 1), strict=True)]
            for pair in pairs[::step]
        ]
        self._counts = [np.bincount(np.concatenate([np.unique(row[side]) for row in sides])) for side in (0, 1)]
        keys = np.concatenate([self._keys(np.unique(source), np.unique(target)).ravel() for source, target in sides])
        self._pairs, self._together = np.unique(keys, return_counts=True)

    def _known(self, text: str, side: int, learn: bool = False) -> np.ndarray:
        """Word ids (n,) of a text, punctuation and case taken off; -1 for a word that was not in the corpus."""
        ids = self._ids[side]
        words = [word.lower().strip(".,;:!?\"'()[]«»“”„‘’…—-") or word for word in units(text, self._languages[side])]
        if learn:
            for word in words:
                ids.setdefault(word, len(ids))
        return np.array([ids.get(word, -1) for word in words], np.int64)

    def _keys(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        return source[:, None] * (1 << 32) + target[None]

    def _association(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Dice coefficients (source words, target words), 0 where a word is unknown."""
        keys = self._keys(source, target)
        at = np.minimum(np.searchsorted(self._pairs, keys), len(self._pairs) - 1)
        known = (source[:, None] >= 0) & (target[None] >= 0) & (self._pairs[at] == keys)
        alone = self._counts[0][source][:, None] + self._counts[1][target][None]
        return np.where(known, 2 * self._together[at] / alone, 0.0)

    def alignment(self, source: str, target: str) -> np.ndarray:
        """For each target word the index of the source word it goes with best, -1 for none; (target words,)."""
        rows, columns = self._known(source, 0), self._known(target, 1)
        if not len(rows) or not len(columns):
            return np.full(len(columns), -1)
        distance = np.abs(np.arange(len(rows))[:, None] / len(rows) - np.arange(len(columns))[None] / len(columns))
        found = self._association(rows, columns)
        best = (found - _NEAR * distance).argmax(axis=0)
        return np.where(found[best, np.arange(len(columns))] >= _LEAST, best, -1)

    def score(self, source: str, target: str) -> float:
        """The share, 0 … 1, of aligned target words whose source word a stream LAG words behind has read.

        1 where no word could be aligned: nothing speaks against the pair.
        """
        best = self.alignment(source, target)
        length, wanted = len(units(source, self._languages[0])), np.arange(len(best))
        read = wanted * length / max(1, len(best)) + LAG
        aligned = best >= 0
        return float((best < read)[aligned].mean()) if aligned.any() else 1.0
