"""Pairs of sentences into one framework-neutral batch, with the positions and the mask that a live stream will have.

A row is `[PROMPT s_1 … s_S END][START t_1 … t_T]`, labels `t_1 … t_T END` on the second half only. Each source token
carries the number of words that must have been read for it to be there, 0 for a prompt if there is one; each
target row the number that had been read when its label was chosen. `masks.streaming_mask` makes the mask of both, the
same that inference uses.
"""

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
class TokenRow:
    """The tokens of one pair, before any schedule: S source tokens, end mark included, and T target tokens.

    source, needed (S): ids, and the number of words that must have been read for each, the end mark's being all.
    target, label, word (T): ids, the label of each, and the number, from 0, of the target word that the label belongs
    to, which for the end mark is target_words. source_words, target_words: of the pair.
    """

    source: list[int]
    needed: list[int]
    target: list[int]
    label: list[int]
    word: list[int]
    source_words: int
    target_words: int


@dataclass(frozen=True)
class Collator:
    """Makes batches; every random draw comes from the generator that is handed in.

    wait_ks: the k's drawn from, inf allowed. random_share: rows with a random schedule instead of one k.
    late_end_share: rows whose end-of-source mark arrives one step after the last word, as when someone types.
    early_end_share: rows asked for the end of target at the last word's own budget, maybe before the source has ended;
    the decoder takes that as READ. target_offset: position of the first target token (φ).
    """

    tokenizer: Tokenizer
    source_language: str
    target_language: str
    wait_ks: Sequence[float] = (1, 2, 3, 4, 5, 6, 7, 9, float("inf"))
    random_share: float = 1 / 3
    late_end_share: float = 0.5
    early_end_share: float = 0.5
    target_offset: int = 0
    max_lag: int = 9

    def __call__(self, pairs: Sequence[tuple[str, str]], rng: np.random.Generator) -> Batch:
        """A batch of these (source, target) pairs, schedules drawn anew."""
        rows = [self.encode(pair) for pair in pairs]
        late, schedules = zip(*(self._draw(row, rng) for row in rows), strict=True)
        return self.batch(rows, schedules, late)

    def at_k(self, pairs: Sequence[tuple[str, str]], k: float) -> Batch:
        """A batch without chance, for validation: plain wait-k, end marks only with everything read."""
        rows = [self.encode(pair) for pair in pairs]
        schedules = [wait_k_schedule(k, row.target_words) for row in rows]
        for schedule in schedules:
            schedule[-1] = EVERYTHING
        return self.batch(rows, schedules, [False] * len(rows))

    def lengths(self, pair: tuple[str, str]) -> tuple[int, int]:
        """Tokens of the two halves of a pair's row, prompt, end and start marks included."""
        source, target = (
            sum(len(self.tokenizer.encode_word(word, i == 0)) for i, word in enumerate(units(text, language)))
            for text, language in zip(pair, (self.source_language, self.target_language), strict=True)
        )
        return len(self.tokenizer.prompt_ids) + source + 1, target + len(self.tokenizer.start_ids)

    def encode(self, pair: tuple[str, str]) -> TokenRow:
        """The tokens of a pair, each word encoded alone."""
        tokenizer, (source, target) = self.tokenizer, pair
        source_words, target_words = units(source, self.source_language), units(target, self.target_language)
        pieces = [tokenizer.encode_word(word, i == 0) for i, word in enumerate(source_words)]
        labels = [tokenizer.encode_word(word, i == 0) for i, word in enumerate(target_words)]
        tokens = [token for word in labels for token in word]
        opening = len(tokenizer.start_ids) - 1  # start ids that see what the first word sees, and predict nothing
        return TokenRow(
            [*tokenizer.prompt_ids, *(token for word in pieces for token in word), tokenizer.end_id],
            [0] * len(tokenizer.prompt_ids) + [i for i, word in enumerate(pieces, 1) for _ in word] + [len(pieces)],
            tokenizer.start_ids + tokens,
            [IGNORE] * opening + tokens + [tokenizer.end_id],
            [0] * opening + [i for i, word in enumerate(labels) for _ in word] + [len(labels)],
            len(source_words),
            len(target_words),
        )

    def _draw(self, row: TokenRow, rng: np.random.Generator) -> tuple[bool, np.ndarray]:
        """Whether the end of source comes late, and the read budgets (target_words + 1,), of one row."""
        late = rng.random() < self.late_end_share
        k = self.wait_ks[int(rng.integers(len(self.wait_ks)))]
        if rng.random() < self.random_share:
            schedule = random_schedule(rng, row.source_words, row.target_words, self.max_lag)
        else:
            schedule = wait_k_schedule(k, row.target_words)
        if rng.random() >= self.early_end_share:
            schedule[-1] = EVERYTHING
        return late, schedule

    def batch(self, rows: Sequence[TokenRow], schedules: Sequence[np.ndarray], late: Sequence[bool]) -> Batch:
        """A padded batch of rows; schedules: read budgets (target_words + 1,) of each; late: its end-of-source mark."""
        widths = max(len(row.source) for row in rows), max(len(row.target) for row in rows)
        shape = len(rows), sum(widths)
        ids, kind, read = (np.zeros(shape, np.int64) for _ in range(3))
        labels = np.full((shape[0], widths[1]), IGNORE, np.int64)
        for i, (row, schedule) in enumerate(zip(rows, schedules, strict=True)):
            source, target = slice(len(row.source)), slice(widths[0], widths[0] + len(row.target))
            ids[i, source], kind[i, source], read[i, source] = row.source, SOURCE, row.needed
            read[i, len(row.source) - 1] += late[i]
            ids[i, target], kind[i, target], read[i, target] = row.target, TARGET, schedule[row.word]
            labels[i, : len(row.label)] = row.label
        order = np.broadcast_to(np.concatenate([np.arange(width) for width in widths]), shape)
        positions = order + np.where(kind == TARGET, self.target_offset, 0)
        return Batch(ids, positions, labels, Entries(kind, order, read))
