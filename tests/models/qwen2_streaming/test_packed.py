"""Packed weights are the plain ones in another order: bit for bit, whatever type they are stored in."""

import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten, tree_map
from tiny_model import tiny_model

from streamtrans.models.loading import load_checkpoint
from streamtrans.models.qwen2_streaming.packed import PackedLayer, PackedQwen2, pack
from streamtrans.models.qwen2_streaming.panels import panel_width
from streamtrans.runtime import mx, on_gpu

pytestmark = pytest.mark.skipif(on_gpu(), reason="layers are packed on a CPU only")


def in_panels(weight, width=None):
    """A weight (N, K) in panels, by numpy."""
    width = width or panel_width(len(weight))
    return weight.reshape(-1, width, weight.shape[1]).swapaxes(1, 2)


def paired(weight, head_dim):
    return weight.reshape(-1, 2, head_dim // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def expected(block, head_dim):
    """The arrays of a packed layer, computed in float32 in the order of the definition."""
    at = {name: np.array(weight.astype(mx.float32)) for name, weight in tree_flatten(block.parameters())}
    scale, own = np.float32(head_dim**-0.5), "self_attn.{}_proj.{}".format
    before, after = at["input_layernorm.weight"], at["post_attention_layernorm.weight"]

    def heads(kind):
        q, k = (paired(at[own(name, kind)], head_dim) for name in "qk")
        return np.concatenate([q * scale, k, at[own("v", kind)]])

    return {
        "qkv": in_panels(heads("weight") * before, head_dim),
        "qkv_bias": heads("bias").reshape(-1, 1, head_dim),
        "out": in_panels(at["self_attn.o_proj.weight"]),
        "gate_up": np.concatenate([in_panels(at[f"mlp.{name}_proj.weight"] * after) for name in ("gate", "up")]),
        "down": in_panels(at["mlp.down_proj.weight"]),
    }


def assert_packed(model, plain):
    for layer, block in zip(model.layers, plain.layers, strict=True):
        wanted = expected(block, plain.args.head_dim)
        found = dict(tree_flatten(layer.parameters()))
        assert found.keys() == wanted.keys()
        for name, array in wanted.items():
            assert np.array_equal(np.array(found[name]), array), name


@pytest.mark.parametrize("dtype", [mx.float32, mx.bfloat16, mx.float16])
@pytest.mark.parametrize("shape", [{}, {"hidden_size": 40, "intermediate_size": 96, "num_attention_heads": 5}])
def test_weights_of_any_type(dtype, shape):
    shape = shape and {**shape, "num_key_value_heads": 5}
    plain, packed = (tiny_model(vocab_size=64, **shape) for _ in range(2))
    for model in (plain, packed):
        model.update(tree_map(lambda weight: weight.astype(dtype), model.parameters()))
    assert pack(packed) is packed
    assert_packed(packed, plain)
    assert {weight.dtype for _, weight in tree_flatten(packed.parameters())} == {mx.float32}
    table = np.array(plain.model.embed_tokens.weight.astype(mx.float32))
    assert np.array_equal(np.array(packed.model.embed_tokens.weight), in_panels(table))


def test_the_embedded_model():
    assert_packed(load_checkpoint("en-pt").model, load_checkpoint("en-pt", packed=False).model)


def test_what_is_not_plain_stays():
    model = pack(tiny_model())
    first = model.layers[0]
    assert isinstance(first, PackedLayer)
    assert pack(model).layers[0] is first
    quantised = tiny_model(hidden_size=64, intermediate_size=64)
    nn.quantize(quantised, group_size=64, bits=8)
    assert not isinstance(pack(quantised).model, PackedQwen2)


def test_an_output_layer_of_its_own(monkeypatch):
    ids = mx.array([[1, 2, 3]])
    for size in (61, 64, 127):  # 127 has no divisor that makes a panel
        plain = tiny_model(vocab_size=size, tie_word_embeddings=False)
        logits = plain(ids)
        assert mx.abs(pack(plain)(ids) - logits).max() < 1e-4
