"""The regret head's file: what is written is read, and what cannot be right is refused with a remedy."""

import numpy as np
import pytest
from mlx.utils import tree_flatten
from tiny_model import difference, tiny_args

from streamtrans.errors import ModelError
from streamtrans.models.qwen2_streaming.regret_head import FILE, RECENT, RegretHead, load_regret_head, save_regret_head
from streamtrans.runtime import mx

HEADS = [(0, 1), (1, 3)]


def test_what_is_saved_is_loaded(tmp_path):
    head = RegretHead(32, HEADS)
    save_regret_head(head, tmp_path / FILE)
    loaded = load_regret_head(tmp_path, tiny_args())
    assert loaded.heads == tuple(HEADS)
    logits = mx.array(np.random.default_rng(0).normal(size=(3, 61)).astype(np.float32))
    inputs = mx.ones((3, 32)), logits, mx.full((3, 2, RECENT), 0.1)
    assert difference(loaded.regret(*inputs), head.regret(*inputs)) == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(tmp_path, value):
    head = RegretHead(32, HEADS)
    head.inner.weight[2, 3] = value
    save_regret_head(head, tmp_path / FILE)
    with pytest.raises(ModelError, match=r"inner\.weight holds NaN or infinity; make one with: streamtrans models"):
        load_regret_head(tmp_path, tiny_args())


@pytest.mark.parametrize("heads", ["[[-1, 0]]", "[[0, 4]]", "[[2, 0]]", "[" * 100_000, "1", "[[0]]"])
def test_attention_heads_that_are_not_there(tmp_path, heads):
    weights = dict(tree_flatten(RegretHead(32, [(0, 0)]).parameters()))
    mx.save_safetensors(str(tmp_path / FILE), weights, {"heads": heads})
    with pytest.raises(ModelError, match="damaged, or of another model") as error:
        load_regret_head(tmp_path, tiny_args())
    assert len(str(error.value)) < 500
