"""Decisions to calibrate with: a target word is about to begin, and not all of the source has been read.

At each the model itself says what writing its best token would cost: how probable that token still is a little later,
once `PATIENCE` more words have been read. Words that come after these are too late for any stream with a small lag.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from streamtrans.errors import DataError
from streamtrans.models.qwen2_streaming.attention_recorder import AttentionRecorder, Heads
from streamtrans.models.qwen2_streaming.masks import Entries
from streamtrans.models.qwen2_streaming.model import Model
from streamtrans.models.settings import TranslationSettings
from streamtrans.runtime import mx
from streamtrans.text.tokenizer import Tokenizer
from streamtrans.text.words import units
from streamtrans.training.data.collator import IGNORE, Batch, Collator
from streamtrans.training.data.dataset import Pair, batches
from streamtrans.training.data.mixing import Mixture

SCHEDULES: dict[str, Any] = {"random_share": 1.0, "max_lag": 8, "early_end_share": 1.0}
"""The settings with which `Collator` draws the words that had been read."""

MIXTURE = Mixture(recogniser_share=0.05)

BATCH_TOKENS = 1000

PATIENCE = 3
"""Source words."""


@dataclass(frozen=True)
class Decisions:
    """N decisions in a batch of B pairs: decision i is before label `place[i]` of pair `where[i]`."""

    batch: Batch
    where: np.ndarray
    place: np.ndarray

    @classmethod
    def of(cls, batch: Batch, begins: Sequence[Sequence[int]]) -> "Decisions":
        """Finds the decisions of a batch; begins: for each pair, the places among its labels where words begin."""
        beginning = np.zeros(batch.labels.shape, bool)
        for row, places in enumerate(begins):
            beginning[row, list(places)] = True
        source = batch.source_length
        unread = batch.entries.read[:, source:] < batch.entries.read[:, :source].max(axis=1, keepdims=True)
        return cls(batch, *np.nonzero(beginning & unread & (batch.labels != IGNORE)))

    def of_both(self, both: mx.array) -> tuple[mx.array, mx.array]:
        """Picks the results at the decisions, (now, then), each (N, ...), from `both` (B, S + 2·T, ...)."""
        now, then = (first + self.place for first in (self.batch.source_length, self.batch.ids.shape[1]))
        return both[mx.array(self.where), mx.array(now)], both[mx.array(self.where), mx.array(then)]


def collator_for(tokenizer: Tokenizer, settings: TranslationSettings) -> Collator:
    """The collator whose batches calibrate a checkpoint."""
    return Collator(
        tokenizer,
        settings.source_language or "",
        settings.target_language or "",
        target_offset=settings.target_position_offset,
        **SCHEDULES,
    )


def decisions(
    collator: Collator, pairs: Sequence[Pair], seed: int, advance: Callable[[int], None]
) -> Iterator[Decisions]:
    """Yields the decisions of one batch of pairs after the other, in random order, with random read schedules.

    advance: is told the number of pairs of each batch.
    """
    for place, chosen, rng in batches(pairs, collator.lengths, BATCH_TOKENS, seed, mixture=MIXTURE):
        if place.epoch:
            return
        begins = [word_begins(collator.tokenizer, units(target, collator.target_language)) for _, target in chosen]
        found = Decisions.of(collator(chosen, rng), begins)
        if len(found.where):
            yield found
        advance(len(chosen))


def too_few(pairs: Sequence[Pair]) -> DataError:
    """The error for pairs that give too few decisions."""
    return DataError(f"{len(pairs)} sentence pairs are too few to calibrate with; give some thousands")


def word_begins(tokenizer: Tokenizer, words: Sequence[str]) -> list[int]:
    """The places among the labels of a target where a word begins, and the place of the end mark."""
    sizes = [len(tokenizer.start_ids) - 1, *(len(tokenizer.encode_word(word, i == 0)) for i, word in enumerate(words))]
    return np.cumsum(sizes).tolist()


def now_and_then(batch: Batch) -> tuple[np.ndarray, np.ndarray, None, np.ndarray]:
    """Joins each source, its target as the batch has it, and the target once more with `PATIENCE` more words read.

    Returns the arguments of `Model.hidden` for these S + 2·T tokens: ids, positions, kinds (none), mask.
    """
    source, length = batch.source_length, batch.ids.shape[1]
    entries, read = batch.entries, batch.entries.read.copy()
    read[:, source:] += PATIENCE
    then = replace(batch, entries=Entries(entries.kind, entries.order, read)).mask
    mask = np.zeros((len(then), 2 * length - source, 2 * length - source), bool)
    mask[:, :length, :length] = batch.mask
    mask[:, length:, :source], mask[:, length:, length:] = then[:, source:, :source], then[:, source:, source:]
    ids, positions = (np.concatenate([x, x[:, source:]], axis=1) for x in (batch.ids, batch.positions))
    return ids, positions, None, mask


@dataclass(frozen=True)
class Judged:
    """N decisions, judged by the model: hidden states (N, H) and logits (N, V) now, regret and changed (N,) as `label`
    gives them, and the attention (N, heads, S) to the source tokens, of which read (N,) have been read."""

    hidden: mx.array
    logits: mx.array
    regret: mx.array
    changed: mx.array
    weights: mx.array
    read: mx.array


def judge(model: Model, found: Decisions, heads: Heads) -> Judged:
    """Judges the decisions of a batch in one pass; heads: the attention heads to record."""
    batch, place, source = found.batch, found.place, found.batch.source_length
    ids, positions, kinds, mask = now_and_then(batch)
    recorder = AttentionRecorder(heads, np.arange(source), rows=ids.shape[1] - source)
    now, then = found.of_both(model.hidden(ids, positions, kinds, mask, recorder=recorder))
    logits = model.head(now)
    weights = recorder.weights[mx.array(found.where), :, mx.array(place)]
    read = batch.mask[found.where, source + place, :source].sum(axis=1)
    return Judged(now, logits, *label(logits, model.head(then)), weights, mx.array(read))


def label(logits: mx.array, logits_then: mx.array) -> tuple[mx.array, mx.array]:
    """Labels (N,) from logits (N, V) now and with more read: the regret, and whether another token is best then.

    The regret is 1 − p(best token now) / p(best token then), both probabilities with more read.
    """
    best, then = mx.argmax(logits, axis=-1), logits_then.astype(mx.float32)
    kept = mx.exp(mx.take_along_axis(then, best[:, None], axis=-1)[:, 0] - then.max(axis=-1))
    return 1 - kept, best != mx.argmax(then, axis=-1)
