"""Our Qwen2 is Qwen2: logits against Hugging Face (fixtures) and mlx-lm (same weights, its own cache)."""

import json
from pathlib import Path

import numpy as np
import pytest
from mlx.utils import tree_flatten
from tiny_model import difference, tiny_args, tiny_model

from streamtrans.models.loading import model_args
from streamtrans.models.qwen2_streaming.model import Model
from streamtrans.models.qwen2_streaming.packed import pack
from streamtrans.models.settings import TranslationSettings
from streamtrans.runtime import mx

FIXTURES = Path(__file__).parent / "fixtures"


def fixture(name, packed=False):
    tensors, about = mx.load(str(FIXTURES / f"{name}.safetensors"), return_metadata=True)
    inputs = {key.removeprefix("inputs."): np.array(tensors.pop(key)) for key in list(tensors) if "inputs." in key}
    logits = tensors.pop("logits")
    config = json.loads(about["config"]) | {"streamtrans": {"target_position_offset": 5}}
    model = Model(model_args(config, TranslationSettings.from_config(config)))
    model.load_weights(list(tensors.items()))
    return pack(model) if packed else model, inputs, logits


@pytest.mark.parametrize("packed", [False, True])
def test_plain_logits_are_those_of_transformers(packed):
    model, inputs, logits = fixture("plain", packed)
    assert difference(model(mx.array(inputs["ids"])), logits) < 1e-4


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("on_device", [False, True])
def test_streaming_logits_are_those_of_transformers(packed, on_device):
    """Positions (B, L) that jump between streams, each row with its own mask."""
    model, inputs, logits = fixture("streaming", packed)
    positions = mx.array(inputs["positions"]) if on_device else inputs["positions"]
    assert difference(model.forward(inputs["ids"], positions=positions, mask=inputs["mask"]), logits) < 1e-4


@pytest.mark.parametrize("packed", [False, True])
def test_streaming_through_a_cache_gives_the_same_logits(packed):
    model, inputs, logits = fixture("streaming", packed)
    for row, (ids, kinds) in enumerate(zip(inputs["ids"], inputs["kinds"], strict=True)):
        cache = model.make_cache()
        steps = [model.forward([[token]], kinds=[kind], cache=cache) for token, kind in zip(ids, kinds, strict=True)]
        assert difference(mx.concatenate(steps, axis=1)[0], logits[row]) < 1e-4


def test_another_rotary_base_would_show():
    model, inputs, logits = fixture("plain")
    other = Model(tiny_args(vocab_size=64, tie_word_embeddings=False, rope_theta=1e6))
    other.load_weights(tree_flatten(model.parameters()))
    assert difference(other(mx.array(inputs["ids"])), logits) > 1e-2


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_with_kvcache_it_is_the_model_of_mlx_lm(packed, tied):
    from mlx_lm.models import qwen2
    from mlx_lm.models.cache import KVCache

    ours = tiny_model(vocab_size=128, tie_word_embeddings=tied)
    sizes = {k: v for k, v in vars(ours.args).items() if k != "target_position_offset"}
    theirs = qwen2.Model(qwen2.ModelArgs(**sizes))
    theirs.load_weights(tree_flatten(ours.parameters()))
    ours = pack(ours) if packed else ours
    tokens = mx.array(np.random.default_rng(0).integers(0, 128, (2, 12)))
    caches = [[KVCache() for _ in range(2)] for _ in range(2)]
    for a, b in [(0, 7), (7, 8), (8, 12)]:
        wanted, got = theirs(tokens[:, a:b], cache=caches[0]), ours(tokens[:, a:b], cache=caches[1])
        assert difference(wanted, got) < 1e-5 * float(mx.abs(wanted).max())
        assert mx.array_equal(wanted.argmax(-1), got.argmax(-1))
    assert caches[1][0].offset == 12
    assert difference(theirs(tokens), ours(tokens)) < 1e-5 * float(mx.abs(wanted).max())
