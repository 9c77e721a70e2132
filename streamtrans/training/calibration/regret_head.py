"""Trains the regret head of a checkpoint whose weights stay as they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

from streamtrans.models.qwen2_streaming.attention_recorder import Heads, last_read
from streamtrans.models.qwen2_streaming.exponential import confidence
from streamtrans.models.qwen2_streaming.model import Model
from streamtrans.models.qwen2_streaming.regret_head import RECENT, RegretHead, features
from streamtrans.runtime import mx
from streamtrans.training.calibration.auc import auc
from streamtrans.training.calibration.decisions import Moments, judge, moments, too_few
from streamtrans.training.data.collator import Collator
from streamtrans.training.data.dataset import Pair

EPOCHS, ROWS, RATE, DECAY = 12, 2048, 2e-3, 1e-3
HELD_OUT = 0.1
LEAST_ROWS = 200
WAITS = 0.3


@dataclass(frozen=True)
class Rows:
    """N moments: features (N, F) float32, and (N,) regret 0 to 1, probability of the best token at that moment, and
    whether another token is best a little later."""

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


def train_head(
    model: Model, heads: Heads, collator: Collator, pairs: Sequence[Pair], advance: Callable[[int], None], seed: int = 0
) -> tuple[RegretHead, Measured]:
    """A regret head trained on sentence pairs, and what it is worth on a part of them held out.

    heads: the alignment heads, whose attention it sees. collator: as `collator_for` makes it. advance: is told how many
    more pairs have been computed. Raises DataError for pairs that give too few rows.
    """
    parts = [rows_of(model, found, heads) for found in moments(collator, pairs, seed, advance)]
    if len(parts) < 2 or sum(map(len, parts)) < LEAST_ROWS:
        raise too_few(pairs)
    held_out = max(1, round(HELD_OUT * len(parts)))
    mx.random.seed(seed)
    head = fit(RegretHead(model.args.hidden_size, heads), Rows.joined(parts[:-held_out]), seed)
    return head, measure(head, Rows.joined(parts[-held_out:]))


def rows_of(model: Model, found: Moments, heads: Heads) -> Rows:
    """The rows of the moments of a batch, from one pass."""
    judged = judge(model, found, heads)
    seen = features(judged.hidden, judged.logits, last_read(judged.weights, judged.read, RECENT))
    columns = seen, judged.regret, confidence(judged.logits)[0], judged.changed
    mx.eval(columns)
    return Rows(*map(np.array, columns))


def fit(head: RegretHead, rows: Rows, seed: int = 0) -> RegretHead:
    """The head, trained so that its output is the expected regret: cross-entropy with the regrets as soft labels."""
    rng = np.random.default_rng(seed)
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


def _left(scores: np.ndarray, regret: np.ndarray) -> float:
    """Share of all regret in the rows that are not among the `WAITS` with the highest scores."""
    kept = np.argsort(scores, kind="stable")[: round((1 - WAITS) * len(scores))]
    return float(regret[kept].sum() / max(1e-9, regret.sum()))
