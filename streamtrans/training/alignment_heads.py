"""Finds the attention heads that look at the source word to translate: what policy alignatt goes by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamtrans.models.attention_recorder import AttentionRecorder, Heads
from streamtrans.models.qwen2_streaming import Model
from streamtrans.runtime import mx
from streamtrans.training.collator import Collator
from streamtrans.training.dataset import Pair
from streamtrans.training.moments import Moments, label, moments, now_and_then
from streamtrans.training.scores import auc

MOST = 4
"""Heads to average."""


@dataclass(frozen=True)
class Looks:
    """Where heads look at N moments of a batch: weights (N, heads, S) of the source tokens; word (N, S), the number
    from 1 of each token's; read (N,), the words that had been read; changed (N,) as in `Rows`."""

    weights: np.ndarray
    word: np.ndarray
    read: np.ndarray
    changed: np.ndarray

    def back(self, heads: Sequence[int]) -> np.ndarray:
        """How many words before the last one read the heads together look, (N,)."""
        token = self.weights[:, list(heads)].mean(axis=1).argmax(axis=1)
        return self.read - np.take_along_axis(self.word, token[:, None], axis=1)[:, 0]


def find_heads(model: Model, collator: Collator, pairs: Sequence[Pair], seed: int = 0) -> tuple[Heads, float]:
    """The heads that tell best, by how far back they look, whether more source would change the next token.

    Heads are ranked by that alone, and as many of the first are taken, up to `MOST`, as are best together. Also gives
    the area under the ROC curve of what they tell.
    """
    args = model.args
    heads = [(layer, head) for layer in range(args.num_hidden_layers) for head in range(args.num_attention_heads)]
    parts = [_looks(model, found, heads) for found in moments(collator, pairs, seed)]
    changed = np.concatenate([part.changed for part in parts])

    def worth(chosen: Sequence[int]) -> float:
        return auc(-np.concatenate([part.back(chosen) for part in parts]), changed)

    ranked = sorted(range(len(heads)), key=lambda head: worth([head]), reverse=True)
    best = max((ranked[:count] for count in range(1, MOST + 1)), key=worth)
    return [heads[number] for number in sorted(best)], worth(best)


def _looks(model: Model, found: Moments, heads: Heads) -> Looks:
    batch, where, source = found.batch, found.where, found.batch.source_length
    ids, positions, kinds, mask = now_and_then(batch)
    targets = ids.shape[1] - source
    recorder = AttentionRecorder(heads, np.arange(source), rows=targets)
    now, then = found.of_both(model.hidden(ids, positions, kinds, mask, recorder=recorder))
    changed = label(model.head(now), model.head(then))[1]
    weights = recorder.weights[mx.array(where), :, mx.array(found.place)]
    mx.eval(changed, weights)
    read = batch.entries.read
    return Looks(np.array(weights), read[where, :source], read[where, source + found.place], np.array(changed))
