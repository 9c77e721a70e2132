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
from streamtrans.training.calibration.decisions import Decisions, decisions, judge, too_few
from streamtrans.training.data.collator import Collator
from streamtrans.training.data.dataset import Pair

EPOCHS, ROWS, RATE, DECAY = 12, 2048, 2e-3, 1e-3
HELD_OUT = 0.1
LEAST_ROWS = 200
WAITS = 0.3


@dataclass(frozen=True)
class Examples:
    """N judged decisions: features (N, F) float32, and (N,) regret 0 to 1, probability of the best token, and whether
    another token is best a little later."""

    features: np.ndarray
    regret: np.ndarray
    probability: np.ndarray
    changed: np.ndarray

    def __len__(self) -> int:
        return len(self.regret)

    @classmethod
    def joined(cls, parts: Sequence["Examples"]) -> "Examples":
        """Joins several, in order."""
        return cls(*(np.concatenate(column) for column in zip(*(vars(part).values() for part in parts), strict=True)))


@dataclass(frozen=True)
class Measured:
    """The quality of a head on examples it was not trained on, and of the probability of the best token beside it.

    changed: share of examples whose best token more source changes. regret: the mean. auc: the chance that, of an
    example that changes and one that does not, the first is ranked higher. left: share of the regret that remains if
    the `WAITS` highest-ranked examples wait.
    """

    rows: int
    changed: float
    regret: float
    auc: float
    auc_of_probability: float
    left: float
    left_of_probability: float

    def lines(self) -> list[str]:
        """The numbers in words."""
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
    """Trains a regret head on sentence pairs and measures it on a part of them that is held out.

    heads: the alignment heads, whose attention it sees. collator: as `collator_for` makes it. advance: as `decisions`.
    Raises DataError for pairs that give too few examples.
    """
    parts = [examples_of(model, found, heads) for found in decisions(collator, pairs, seed, advance)]
    if len(parts) < 2 or sum(map(len, parts)) < LEAST_ROWS:
        raise too_few(pairs)
    held_out = max(1, round(HELD_OUT * len(parts)))
    mx.random.seed(seed)
    head = fit(RegretHead(model.args.hidden_size, heads), Examples.joined(parts[:-held_out]), seed)
    return head, measure_head(head, Examples.joined(parts[-held_out:]))


def examples_of(model: Model, found: Decisions, heads: Heads) -> Examples:
    """The examples of the decisions of a batch, from one pass."""
    judged = judge(model, found, heads)
    best, entropy = confidence(judged.logits)
    seen = features(judged.hidden, best, entropy, last_read(judged.weights, judged.read, RECENT))
    columns = seen, judged.regret, best, judged.changed
    mx.eval(columns)
    return Examples(*map(np.array, columns))


def fit(head: RegretHead, examples: Examples, seed: int = 0) -> RegretHead:
    """Trains the head to give the expected regret: cross-entropy with the regrets as soft labels."""
    rng = np.random.default_rng(seed)
    steps = EPOCHS * -(-len(examples) // ROWS)
    optimiser = optim.AdamW(optim.linear_schedule(RATE, 0.0, steps), weight_decay=DECAY, bias_correction=True)
    inputs, targets = mx.array(examples.features), mx.array(examples.regret)

    def loss(head: RegretHead, chosen: mx.array) -> mx.array:
        return nn.losses.binary_cross_entropy(head(inputs[chosen]), targets[chosen])

    gradient = nn.value_and_grad(head, loss)
    for _ in range(EPOCHS):
        order = rng.permutation(len(examples))
        for first in range(0, len(examples), ROWS):
            _, found = gradient(head, mx.array(order[first : first + ROWS]))
            optimiser.update(head, found)
            mx.eval(head.parameters(), optimiser.state)
    return head


def measure_head(head: RegretHead, examples: Examples) -> Measured:
    """Measures the head on examples it was not trained on."""
    scores, unsure = np.array(head(mx.array(examples.features))), -examples.probability
    return Measured(
        len(examples),
        float(examples.changed.mean()),
        float(examples.regret.mean()),
        auc(scores, examples.changed),
        auc(unsure, examples.changed),
        _left(scores, examples.regret),
        _left(unsure, examples.regret),
    )


def _left(scores: np.ndarray, regret: np.ndarray) -> float:
    """The share of all regret in the examples that are not among the `WAITS` with the highest scores."""
    kept = np.argsort(scores, kind="stable")[: round((1 - WAITS) * len(scores))]
    return float(regret[kept].sum() / max(1e-9, regret.sum()))
