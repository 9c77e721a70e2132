"""Finds the attention heads that look at the source word to translate: what policies alignatt and learned go by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from streamtrans.models.qwen2_streaming.attention_recorder import Heads
from streamtrans.models.qwen2_streaming.model import Model
from streamtrans.runtime import mx
from streamtrans.training.calibration.auc import auc
from streamtrans.training.calibration.decisions import Decisions, decisions, judge, too_few
from streamtrans.training.data.collator import Collator
from streamtrans.training.data.dataset import Pair

MOST = 4
"""Heads to take."""


@dataclass(frozen=True)
class Looks:
    """Where heads look at N decisions of a batch: weights (N, heads, S) of the source tokens; word (N, S), the number
    from 1 of each token's word; read (N,), the words that had been read; changed (N,) as in `Examples`."""

    weights: np.ndarray
    word: np.ndarray
    read: np.ndarray
    changed: np.ndarray

    def back(self, heads: Sequence[int]) -> np.ndarray:
        """The number of words before the last one read at which the heads together look, (N,)."""
        token = self.weights[:, list(heads)].mean(axis=1).argmax(axis=1)
        return self.read - np.take_along_axis(self.word, token[:, None], axis=1)[:, 0]


def find_heads(
    model: Model, collator: Collator, pairs: Sequence[Pair], advance: Callable[[int], None], seed: int = 0
) -> tuple[Heads, float]:
    """Finds the heads that tell best, by how far back they look, whether more source would change the next token.

    Heads are ranked one by one, and up to `MOST` of the first are taken: the number that is best together. Also returns
    the area under the ROC curve of these. advance: as `decisions`. Raises DataError for pairs whose decisions all
    change, or none.
    """
    args = model.args
    heads = [(layer, head) for layer in range(args.num_hidden_layers) for head in range(args.num_attention_heads)]
    return best_heads(
        [_looks(model, found, heads) for found in decisions(collator, pairs, seed, advance)], heads, pairs
    )


def best_heads(parts: Sequence[Looks], heads: Heads, pairs: Sequence[Pair]) -> tuple[Heads, float]:
    """Chooses among heads by where they looked, those of all parts in the same order; as `find_heads`."""
    changed = np.concatenate([part.changed for part in parts] or [np.zeros(0, bool)])
    if changed.all() or not changed.any():
        raise too_few(pairs)

    def worth(chosen: Sequence[int]) -> float:
        return auc(-np.concatenate([part.back(chosen) for part in parts]), changed)

    ranked = sorted(range(len(heads)), key=lambda head: worth([head]), reverse=True)
    best = max((ranked[:count] for count in range(1, MOST + 1)), key=worth)
    return [heads[number] for number in sorted(best)], worth(best)


def _looks(model: Model, found: Decisions, heads: Heads) -> Looks:
    judged = judge(model, found, heads)
    mx.eval(judged.changed, judged.weights)
    read, where, source = found.batch.entries.read, found.where, found.batch.source_length
    words = read[where, :source], read[where, source + found.place]
    return Looks(np.array(judged.weights), *words, np.array(judged.changed))
