"""A Qwen2 of 20,000 parameters for tests."""

import numpy as np
from mlx.utils import tree_map

from streamtrans.models.qwen2_streaming.model import Model, ModelArgs
from streamtrans.runtime import mx


def tiny_args(**changes):
    sizes = {
        "vocab_size": 61,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
    }
    return ModelArgs(**{**sizes, **changes})


def tiny_model(seed=0, **changes):
    """Random weights, large enough that a wrong position or mask shows in the logits; no bias or gain is trivial."""
    model = Model(tiny_args(**changes))
    random = np.random.default_rng(seed)

    def weight(p):
        spread = 0.3 if p.ndim == 2 else 0.2
        return mx.array((random.normal(0, spread, p.shape) + (p.ndim == 1)).astype(np.float32))

    model.update(tree_map(weight, model.parameters()))
    mx.eval(model.parameters())
    return model


def difference(a, b):
    """Largest absolute difference."""
    return float(mx.abs(mx.array(a) - mx.array(b)).max())
