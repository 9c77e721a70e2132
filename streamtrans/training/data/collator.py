"""Pairs of sentences into one framework-neutral batch, with the positions and the mask that a live stream will have.

A row is `[PROMPT s_1 … s_S END][START t_1 … t_T]`, labels `t_1 … t_T END` on the second half only. Each source token
carries the number of words that must have been read for it to be there, 0 for a prompt if there is one; each
target row the number that had been read when its label was chosen. `masks.streaming_mask` makes the mask of both, the
same that inference uses.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from streamtrans.models.qwen2_streaming.masks import PAD, SOURCE, TARGET, Entries, streaming_mask
from streamtrans.text.tokenizer import Tokenizer
from streamtrans.text.words import units
from streamtrans.training.data.schedules import EVERYTHING, random_schedule, wait_k_schedule

IGNORE = -100
"""The label of padding."""


@dataclass(frozen=True)
class Batch:
    """B rows of L = source_length + target_length tokens, numpy arrays.

    ids, positions (B, L) int64; labels (B, target_length) int64 for the last target_length columns, IGNORE where
    padding; entries: kind, order, read (B, L).
    """

    ids: np.ndarray
    positions: np.ndarray
    labels: np.ndarray
    entries: Entries

    @property
    def source_length(self) -> int:
        """Columns of the source half, padding included."""
        return self.ids.shape[1] - self.labels.shape[1]

    @cached_property
    def mask(self) -> np.ndarray:
        """The streaming mask (B, L, L), boolean."""
        return streaming_mask(self.entries, self.entries)

    @property
    def label_count(self) -> int:
        """Target tokens to predict, end marks included."""
        return int((self.labels != IGNORE).sum())

    @property
    def token_count(self) -> int:
        """Tokens of both halves, padding not counted."""
        return int((self.entries.kind != PAD).sum())

    def part(self, number: int, parts: int) -> "Batch":
        """Every `parts`-th row from row `number` on; maybe none."""
        rows = slice(number, None, parts)
        entries = Entries(*(field[rows] for field in (self.entries.kind, self.entries.order, self.entries.read)))
        return Batch(self.ids[rows], self.positions[rows], self.labels[rows], entries)


@dataclass(frozen=True)
class Half:
    """One side of a row: token ids, and for each what the mask calls `read`."""

    ids: list[int]
    read: list[int]


@dataclass(frozen=True)
class Collator:
    """Makes batches; every random draw comes from the generator that is handed in.

    wait_ks: the k's drawn from, inf allowed. random_share: rows with a random schedule instead of one k.
    late_end_share: rows whose end-of-source mark arrives one step after the last word, as when someone types.
    early_end_share: rows asked for the end of target at the last word's own budget, maybe before the source has ended;
    the decoder takes that as READ. recogniser_share: rows whose source is lower-cased and without punctuation.
    target_offset: position of the first target token (φ).
    """

    tokenizer: Tokenizer
    source_language: str
    target_language: str
    wait_ks: Sequence[float] = (1, 2, 3, 4, 5, 6, 7, 9, float("inf"))
    random_share: float = 1 / 3
    late_end_share: float = 0.5
    early_end_share: float = 0.5
    recogniser_share: float = 0.08
    target_offset: int = 0
    max_lag: int = 9

    def __call__(self, pairs: Sequence[tuple[str, str]], rng: np.random.Generator) -> Batch:
        """A batch of these (source, target) pairs, schedules drawn anew."""
        rows = [self._row(source, target, rng) for source, target in pairs]
        return self._pad([source for source, _, _ in rows], [target for _, target, _ in rows], [row[2] for row in rows])

    def at_k(self, pairs: Sequence[tuple[str, str]], k: float) -> Batch:
        """A batch without chance, for validation: plain wait-k, end marks only with everything read."""
        fixed = Collator(
            self.tokenizer, self.source_language, self.target_language, (k,), 0, 0, 0, 0, self.target_offset
        )
        return fixed(pairs, np.random.default_rng(0))

    def lengths(self, pair: tuple[str, str]) -> tuple[int, int]:
        """Tokens of the two halves of a pair's row, prompt, end and start marks included."""
        source, target = (
            sum(len(self.tokenizer.encode_word(word, i == 0)) for i, word in enumerate(units(text, language)))
            for text, language in zip(pair, (self.source_language, self.target_language), strict=True)
        )
        return len(self.tokenizer.prompt_ids) + source + 1, target + len(self.tokenizer.start_ids)

    def _row(self, source: str, target: str, rng: np.random.Generator) -> tuple[Half, Half, list[int]]:
        if rng.random() < self.recogniser_share:
            source = as_recognised(source) or source
        source_words, target_words = units(source, self.source_language), units(target, self.target_language)
        late = rng.random() < self.late_end_share
        schedule = self._schedule(len(source_words), len(target_words), rng)
        if rng.random() >= self.early_end_share:
            schedule[-1] = EVERYTHING
        encode = self.tokenizer.encode_word
        pieces = [encode(word, i == 0) for i, word in enumerate(source_words)]
        prompt = self.tokenizer.prompt_ids
        source_half = Half(
            prompt + [token for word in pieces for token in word] + [self.tokenizer.end_id],
            [0] * len(prompt) + [i for i, word in enumerate(pieces, 1) for _ in word] + [len(source_words) + late],
        )
        pieces = [encode(word, i == 0) for i, word in enumerate(target_words)]
        tokens = [token for word in pieces for token in word]
        budgets = [int(schedule[i]) for i, word in enumerate(pieces) for _ in word] + [int(schedule[-1])]
        start = self.tokenizer.start_ids
        target_half = Half(start + tokens, [budgets[0]] * (len(start) - 1) + budgets)
        return source_half, target_half, [IGNORE] * (len(start) - 1) + tokens + [self.tokenizer.end_id]

    def _schedule(self, source_words: int, target_words: int, rng: np.random.Generator) -> np.ndarray:
        k = self.wait_ks[int(rng.integers(len(self.wait_ks)))]
        if rng.random() < self.random_share:
            return random_schedule(rng, source_words, target_words, self.max_lag)
        return wait_k_schedule(k, target_words)

    def _pad(self, sources: list[Half], targets: list[Half], labels: list[list[int]]) -> Batch:
        widths = max(len(half.ids) for half in sources), max(len(half.ids) for half in targets)
        shape = len(sources), sum(widths)
        ids, kind, read = (np.zeros(shape, np.int64) for _ in range(3))
        padded = np.full((shape[0], widths[1]), IGNORE, np.int64)
        for row, (source, target, label) in enumerate(zip(sources, targets, labels, strict=True)):
            for half, first, what in ((source, 0, SOURCE), (target, widths[0], TARGET)):
                span = slice(first, first + len(half.ids))
                ids[row, span], kind[row, span], read[row, span] = half.ids, what, half.read
            padded[row, : len(label)] = label
        order = np.broadcast_to(np.concatenate([np.arange(width) for width in widths]), shape)
        positions = order + np.where(kind == TARGET, self.target_offset, 0)
        return Batch(ids, positions, padded, Entries(kind, order, read))


def as_recognised(text: str) -> str:
    """The text as a speech recogniser gives it: lower case, no punctuation outside words and numbers."""
    return " ".join(re.sub(r"(?<!\w)[^\w\s]+|[^\w\s]+(?!\w)|[^\w\s.,:'’-]", " ", text.lower()).split())
