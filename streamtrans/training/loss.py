"""The loss of a batch, and dropout for models that have none of their own."""

from typing import Any

import mlx.nn as nn
import numpy as np

from streamtrans.runtime import mx
from streamtrans.training.data.collator import IGNORE, Batch


def summed_loss(model: Any, batch: Batch, smoothing: float = 0.0) -> tuple[mx.array, mx.array]:
    """The objective and the negative log-likelihood, both summed over the labels of a batch: two f32 scalars.

    smoothing: the share of probability that label smoothing spreads over the whole vocabulary.
    """
    length = batch.ids.shape[1]
    logits = model.forward(
        batch.ids, positions=batch.positions, mask=batch.mask, rows=np.arange(batch.source_length, length)
    ).astype(mx.float32)
    wanted = mx.array(batch.labels != IGNORE)
    labels = mx.array(np.where(batch.labels == IGNORE, 0, batch.labels))
    total = mx.logsumexp(logits, axis=-1)
    likelihood = total - mx.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]
    likelihood = mx.where(wanted, likelihood, 0).sum()
    if not smoothing:
        return likelihood, likelihood
    spread = mx.where(wanted, total - logits.mean(axis=-1), 0).sum()
    return (1 - smoothing) * likelihood + smoothing * spread, likelihood


class _DroppingLinear(nn.Linear):
    """A linear layer some of whose outputs are dropped in training; the parameters are the plain layer's own."""

    def __init__(self, plain: nn.Linear, rate: float):
        outputs, inputs = plain.weight.shape
        super().__init__(inputs, outputs, bias=False)
        self.weight, self.drop = plain.weight, nn.Dropout(rate)

    def __call__(self, x: mx.array) -> mx.array:
        return self.drop(super().__call__(x))


class _DroppingEmbedding(nn.Embedding):
    """An embedding some of whose outputs are dropped in training; as output layer it is plain."""

    def __init__(self, plain: nn.Embedding, rate: float):
        super().__init__(*plain.weight.shape)
        self.weight, self.drop = plain.weight, nn.Dropout(rate)

    def __call__(self, x: mx.array) -> mx.array:
        return self.drop(super().__call__(x))


def add_dropout(model: Any, rate: float) -> None:
    """Drops embeddings and what attention and feed-forward add to the residual, while the model is in training mode.

    The layers are replaced by ones with the same parameters under the same names, so that checkpoints stay as they are.
    """
    if not rate:
        return
    model.model.embed_tokens = _DroppingEmbedding(model.model.embed_tokens, rate)
    for layer in model.layers:
        layer.self_attn.o_proj = _DroppingLinear(layer.self_attn.o_proj, rate)
        layer.mlp.down_proj = _DroppingLinear(layer.mlp.down_proj, rate)
