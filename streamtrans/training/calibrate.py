"""Trains the regret head of a checkpoint whose weights stay as they are.

A row is the beginning of a target word at a moment when not all of the source has been read. The model itself says what
writing its best token there would cost: how probable it still is once everything has been read.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

from streamtrans.errors import DataError
from streamtrans.models.masks import Entries
from streamtrans.models.qwen2_streaming import Model
from streamtrans.models.regret import (
    FILE,
    RegretHead,
    best_and_entropy,
    features,
    log_probabilities,
    save_regret_head,
)
from streamtrans.models.settings import TranslationSettings
from streamtrans.runtime import mx
from streamtrans.text.tokenizer import Tokenizer
from streamtrans.text.words import units
from streamtrans.training.collator import IGNORE, Batch, Collator
from streamtrans.training.dataset import Pair, batches
from streamtrans.training.files import written_aside
from streamtrans.training.schedules import EVERYTHING

MIX: dict[str, Any] = {"random_share": 1.0, "max_lag": 8, "early_end_share": 1.0, "recogniser_share": 0.05}
"""How `Collator` draws what had been read."""

BATCH_TOKENS = 1000
EPOCHS, ROWS, RATE, DECAY = 12, 2048, 2e-3, 1e-3
HELD_OUT = 0.1
WAITS = 0.3


@dataclass(frozen=True)
class Rows:
    """N beginnings of words: features (N, F) float32, and (N,) regret 0 to 1, probability of the best token then, and
    whether another token is best once everything has been read."""

    features: np.ndarray
    regret: np.ndarray
    probability: np.ndarray
    changed: np.ndarray

    def __len__(self) -> int:
        return len(self.regret)

    @classmethod
    def joined(cls, parts: Sequence["Rows"]) -> "Rows":
        """All rows of several, in order."""
        return cls(*(np.concatenate(column) for column in zip(*(vars(part).values() for part in parts), strict=True)))


@dataclass(frozen=True)
class Measured:
    """What a head is worth on rows it was not trained on, and what the probability of the best token is worth there.

    changed: share of rows whose best token more source changes; regret: their mean. auc: how often, of a row that
    changes and one that does not, the first is ranked higher. left: share of all regret that is left after waiting in
    the `WAITS` of rows that are ranked highest.
    """

    rows: int
    changed: float
    regret: float
    auc: float
    auc_of_probability: float
    left: float
    left_of_probability: float

    def lines(self) -> list[str]:
        """The same in words."""
        return [
            f"held out: {self.rows:,} beginnings of words; more source changes {self.changed:.1%} of them, mean regret "
            f"{self.regret:.3f}",
            f"AUC of the head {self.auc:.3f}, of the probability of the best token {self.auc_of_probability:.3f}",
            f"regret left after waiting at {WAITS:.0%} of them: {self.left:.1%}, by that probability "
            f"{self.left_of_probability:.1%}",
        ]


def calibrate(
    model: Model, collator: Collator, pairs: Sequence[Pair], advance: Callable[[int], None], seed: int = 0
) -> tuple[RegretHead, Measured]:
    """A regret head trained on sentence pairs, and what it is worth on a part of them held out.

    collator: as `collator_for` makes it. advance: is told how many pairs have been computed. Raises DataError for pairs
    that give too few rows.
    """
    parts = list(collect(model, collator, pairs, advance, seed))
    held_out = max(1, round(HELD_OUT * len(parts)))
    if len(parts) < 2:
        raise DataError(f"{len(pairs)} sentence pairs are too few to calibrate with; give some thousands")
    head = fit(Rows.joined(parts[:-held_out]), model.args.hidden_size, seed)
    return head, measure(head, Rows.joined(parts[-held_out:]))


def collator_for(tokenizer: Tokenizer, settings: TranslationSettings) -> Collator:
    """The collator whose batches calibrate a checkpoint."""
    return Collator(
        tokenizer,
        settings.source_language or "",
        settings.target_language or "",
        target_offset=settings.target_position_offset,
        **MIX,
    )


def collect(
    model: Model, collator: Collator, pairs: Sequence[Pair], advance: Callable[[int], None], seed: int = 0
) -> Iterator[Rows]:
    """The rows of each batch of these pairs, in random order, with random read schedules."""
    for place, chosen, rng in batches(pairs, collator.lengths, BATCH_TOKENS, seed):
        if place.epoch:
            return
        begins = [word_begins(collator.tokenizer, units(target, collator.target_language)) for _, target in chosen]
        rows = rows_of(model, collator(chosen, rng), begins)
        if len(rows):
            yield rows
        advance(len(chosen))


def word_begins(tokenizer: Tokenizer, words: Sequence[str]) -> list[int]:
    """The places among the labels of a target where a word begins, and that of the end mark."""
    sizes = [len(tokenizer.start_ids) - 1, *(len(tokenizer.encode_word(word, i == 0)) for i, word in enumerate(words))]
    return np.cumsum(sizes).tolist()


def rows_of(model: Model, batch: Batch, begins: Sequence[Sequence[int]]) -> Rows:
    """The rows of a batch of B pairs; begins: for each, the places among its labels where words begin."""
    source = batch.source_length
    beginning = np.zeros(batch.labels.shape, bool)
    for row, places in enumerate(begins):
        beginning[row, list(places)] = True
    unread = batch.entries.read[:, source:] < batch.entries.read[:, :source].max(axis=1, keepdims=True)
    where, place = np.nonzero(beginning & unread & (batch.labels != IGNORE))
    hidden = model.hidden(*now_and_then(batch))
    now, then = (hidden[mx.array(where), mx.array(place + first)] for first in (source, batch.ids.shape[1]))
    logits = model.head(now)
    regret, changed = label(logits, model.head(then))
    columns = features(now, logits), regret, best_and_entropy(logits)[0], changed
    mx.eval(columns)
    return Rows(*map(np.array, columns))


def label(logits: mx.array, logits_then: mx.array) -> tuple[mx.array, mx.array]:
    """What the head is to predict (N,), and whether another token is best then: logits (N, V) now and with all read.

    The regret is 1 − p(best token now) / p(best token then), both probabilities with everything read.
    """
    best, then = mx.argmax(logits, axis=-1), log_probabilities(logits_then)
    kept = mx.exp(mx.take_along_axis(then, best[:, None], axis=-1)[:, 0] - then.max(axis=-1))
    return 1 - kept, best != mx.argmax(then, axis=-1)


def now_and_then(batch: Batch) -> tuple[np.ndarray, np.ndarray, None, np.ndarray]:
    """Each source, its target as the batch has it, and the target once more with all of the source read.

    The arguments of `Model.hidden` for these S + 2·T tokens: ids, positions, kinds (none), mask.
    """
    source, length = batch.source_length, batch.ids.shape[1]
    entries, read = batch.entries, batch.entries.read.copy()
    read[:, source:] = EVERYTHING
    then = replace(batch, entries=Entries(entries.kind, entries.order, read)).mask
    mask = np.zeros((len(then), 2 * length - source, 2 * length - source), bool)
    mask[:, :length, :length] = batch.mask
    mask[:, length:, :source], mask[:, length:, length:] = then[:, source:, :source], then[:, source:, source:]
    ids, positions = (np.concatenate([x, x[:, source:]], axis=1) for x in (batch.ids, batch.positions))
    return ids, positions, None, mask


def fit(rows: Rows, hidden_size: int, seed: int = 0) -> RegretHead:
    """A head whose output is the expected regret: cross-entropy with the regrets as soft labels."""
    mx.random.seed(seed)
    rng = np.random.default_rng(seed)
    head = RegretHead(hidden_size)
    steps = EPOCHS * -(-len(rows) // ROWS)
    optimiser = optim.AdamW(optim.linear_schedule(RATE, 0.0, steps), weight_decay=DECAY, bias_correction=True)
    inputs, targets = mx.array(rows.features), mx.array(rows.regret)

    def loss(head: RegretHead, chosen: mx.array) -> mx.array:
        return nn.losses.binary_cross_entropy(head(inputs[chosen]), targets[chosen])

    gradient = nn.value_and_grad(head, loss)
    for _ in range(EPOCHS):
        order = rng.permutation(len(rows))
        for first in range(0, len(rows), ROWS):
            _, found = gradient(head, mx.array(order[first : first + ROWS]))
            optimiser.update(head, found)
            mx.eval(head.parameters(), optimiser.state)
    return head


def measure(head: RegretHead, rows: Rows) -> Measured:
    """What the head is worth on rows it was not trained on."""
    scores, unsure = np.array(head(mx.array(rows.features))), -rows.probability
    return Measured(
        len(rows),
        float(rows.changed.mean()),
        float(rows.regret.mean()),
        auc(scores, rows.changed),
        auc(unsure, rows.changed),
        _left(scores, rows.regret),
        _left(unsure, rows.regret),
    )


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve of scores (N,) for the rows that are positive (N,): ties count half.

    As the Mann-Whitney statistic: the chance that a positive row has a higher score than another. NaN without both.
    """
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _left(scores: np.ndarray, regret: np.ndarray) -> float:
    """Share of all regret in the rows that are not among the `WAITS` with the highest scores."""
    kept = np.argsort(scores, kind="stable")[: round((1 - WAITS) * len(scores))]
    return float(regret[kept].sum() / max(1e-9, regret.sum()))


def write_calibrated(directory: Path, output: Path | None, head: RegretHead) -> Path:
    """Puts the head into the checkpoint, or into a copy of it at `output`; the directory. A kill spoils neither.

    Raises OSError or StreamtransError where that cannot be written.
    """
    if output is None:
        aside = directory / f"new.{FILE}"
        save_regret_head(head, aside)
        os.replace(aside, directory / FILE)
        return directory
    with written_aside(output) as copy:
        shutil.copytree(directory, copy, dirs_exist_ok=True)
        save_regret_head(head, copy / FILE)
    return output
