"""The 23 cases the streaming Qwen2 began with, its usage example and its smoke test."""

import numpy as np
import pytest
from mlx_lm.models.cache import KVCache
from tiny_model import difference, tiny_args, tiny_model

from streamtrans.models.loading import load_checkpoint
from streamtrans.models.qwen2_streaming.masks import SOURCE, TARGET
from streamtrans.models.qwen2_streaming.model import (
    Model,
    ModelArgs,
    Qwen2ModelStreaming,
    StreamingAttention,
    StreamingTransformerBlock,
)
from streamtrans.models.qwen2_streaming.streaming_cache import DualStreamingCache
from streamtrans.runtime import mx


def hidden(length, seed=0, batch=1):
    return mx.array(np.random.default_rng(seed).normal(size=(batch, length, 32)).astype(np.float32))


def tokens(length, seed=0, batch=1):
    return mx.array(np.random.default_rng(seed).integers(0, 61, (batch, length)))


@pytest.fixture
def attention():
    mx.random.seed(0)
    return StreamingAttention(tiny_args())


@pytest.fixture(scope="module")
def model():
    return tiny_model()


class TestStreamingAttention:
    def test_initialisation(self, attention):
        assert (attention.n_heads, attention.n_kv_heads, attention.head_dim) == (4, 2, 8)
        assert attention.q_proj.weight.shape == (32, 32)
        assert attention.k_proj.weight.shape == attention.v_proj.weight.shape == (16, 32)
        assert "bias" in attention.q_proj
        assert "bias" in attention.v_proj
        assert "bias" not in attention.o_proj

    def test_forward_without_cache(self, attention):
        assert attention(hidden(5, batch=2)).shape == (2, 5, 32)

    def test_without_cache_it_is_causal(self, attention):
        x = hidden(5)
        assert difference(attention(x)[:, :3], attention(x[:, :3])) < 1e-5

    def test_forward_with_standard_cache(self, attention):
        cache, x = KVCache(), hidden(6)
        parts = [attention(x[:, :4], cache=cache), attention(x[:, 4:], cache=cache)]
        assert cache.offset == 6
        assert difference(mx.concatenate(parts, axis=1), attention(x)) < 1e-5

    def test_forward_with_dual_cache_reading(self, attention):
        cache = DualStreamingCache()
        assert attention(hidden(5), cache=cache, is_reading=True).shape == (1, 5, 32)
        assert (cache.source_offset, cache.target_offset) == (5, 0)

    def test_forward_with_dual_cache_writing(self, attention):
        cache = DualStreamingCache()
        attention(hidden(5), cache=cache, is_reading=True)
        assert attention(hidden(1), cache=cache, is_reading=False).shape == (1, 1, 32)
        assert (cache.source_offset, cache.target_offset) == (5, 1)

    def test_position_ids_override(self, attention):
        """Moving all positions changes nothing inside a stream; moving one stream against the other does."""
        x, y = hidden(4), hidden(1, seed=1)

        def written(source, target):
            cache = DualStreamingCache()
            attention(x, cache=cache, is_reading=True, position_ids=source)
            return attention(y, cache=cache, is_reading=False, position_ids=target)

        usual = written(None, None)
        assert difference(usual, written([0, 1, 2, 3], [0])) < 1e-6
        assert difference(usual, written([9, 10, 11, 12], [9])) < 1e-5
        assert difference(usual, written(mx.array([[9, 10, 11, 12]]), np.array([[9]]))) < 1e-5
        assert difference(usual, written([0, 1, 2, 3], [9])) > 1e-3
        assert difference(usual, written([3, 1, 2, 0], [0])) > 1e-3

    def test_incremental_reading(self, attention):
        cache, x = DualStreamingCache(), hidden(10)
        parts = [attention(x[:, a : a + 5], cache=cache, is_reading=True) for a in (0, 5)]
        assert cache.source_offset == 10
        assert difference(mx.concatenate(parts, axis=1), attention(x)) < 1e-5

    def test_incremental_writing(self, attention):
        cache, x = DualStreamingCache(), hidden(3)
        attention(hidden(4, seed=1), cache=cache, is_reading=True)
        for step in range(3):
            attention(x[:, step : step + 1], cache=cache, is_reading=False)
            assert cache.target_offset == step + 1
        assert cache.source_offset == 4

    def test_source_does_not_see_target(self, attention):
        x, caches = hidden(6), [DualStreamingCache(), DualStreamingCache()]
        for cache in caches:
            attention(x[:, :4], cache=cache, is_reading=True)
        attention(hidden(3, seed=1), cache=caches[0], is_reading=False)
        assert difference(*[attention(x[:, 4:], cache=cache, is_reading=True) for cache in caches]) < 1e-5


class TestStreamingTransformerBlock:
    def test_forward_without_cache(self):
        assert StreamingTransformerBlock(tiny_args())(hidden(5, batch=2)).shape == (2, 5, 32)

    def test_forward_with_dual_cache(self):
        block, cache = StreamingTransformerBlock(tiny_args()), DualStreamingCache()
        assert block(hidden(5), cache=cache, is_reading=True).shape == (1, 5, 32)
        assert block(hidden(2), cache=cache, is_reading=False).shape == (1, 2, 32)
        assert (cache.source_offset, cache.target_offset) == (5, 2)


class TestQwen2ModelStreaming:
    def test_initialisation(self):
        inner = Qwen2ModelStreaming(tiny_args())
        assert len(inner.layers) == 2
        assert inner.embed_tokens.weight.shape == (61, 32)

    def test_forward_with_dual_caches(self, model):
        assert model.model(tokens(5), cache=model.make_cache(), is_reading=True).shape == (1, 5, 32)

    def test_read_read_write(self, model):
        caches = model.make_cache()
        model.model(tokens(3), cache=caches, is_reading=True)
        model.model(tokens(4, seed=1), cache=caches, is_reading=True)
        model.model(tokens(1, seed=2), cache=caches, is_reading=False)
        assert [(c.source_offset, c.target_offset) for c in caches] == [(7, 1), (7, 1)]


class TestModel:
    @pytest.mark.parametrize("tied", [True, False])
    def test_initialisation(self, tied):
        made = Model(tiny_args(tie_word_embeddings=tied))
        assert made.model_type == "qwen2"
        assert ("lm_head" in made) is not tied

    def test_logits_shape(self, model):
        assert model(tokens(5, batch=2)).shape == (2, 5, 61)

    def test_make_cache(self, model):
        caches = model.make_cache()
        assert len(caches) == 2
        assert all(isinstance(c, DualStreamingCache) and c.source_offset == c.target_offset == 0 for c in caches)

    def test_streaming_generation(self, model):
        caches = model.make_cache()
        model(tokens(5), cache=caches, is_reading=True)
        token, written = mx.array([[1]]), []
        for _ in range(4):
            token = model(token, cache=caches, is_reading=False)[:, -1].argmax(-1, keepdims=True)
            written.append(int(token.item()))
        assert caches[0].target_offset == 4
        assert all(0 <= t < 61 for t in written)

    def test_position_ids_reach_every_layer(self, model):
        ids = tokens(5)
        usual = model(ids, cache=model.make_cache(), is_reading=True, position_ids=[0, 1, 2, 3, 4])
        apart = model(ids, cache=model.make_cache(), is_reading=True, position_ids=[0, 2, 4, 6, 8])
        assert difference(usual, model(ids, cache=model.make_cache(), is_reading=True)) < 1e-6
        assert difference(usual, apart) > 1e-3

    @pytest.mark.parametrize("first", [0, 7])
    def test_position_spaces_are_separate(self, first):
        """The first target token has position φ however much was read."""
        made = tiny_model(target_position_offset=first)
        ids, word = tokens(4), tokens(1, seed=1)
        default, explicit = made.make_cache(), made.make_cache()
        made(ids, cache=default, is_reading=True)
        made(ids, cache=explicit, is_reading=True, position_ids=[0, 1, 2, 3])
        usual = made(word, cache=default, is_reading=False)
        assert difference(usual, made(word, cache=explicit, is_reading=False, position_ids=[first])) < 1e-6


class TestIntegration:
    def test_attention_gets_one_memory_of_both_streams(self, model):
        caches = model.make_cache()
        model(tokens(5), cache=caches, is_reading=True)
        model(tokens(2), cache=caches, is_reading=False)
        assert caches[0].kinds.tolist() == [SOURCE] * 5 + [TARGET] * 2
        assert caches[0].state[0].shape == (1, 4, 7, 8)

    def test_reset_of_the_target_only(self, model):
        caches = model.make_cache()
        model(tokens(5), cache=caches, is_reading=True)
        model(tokens(2), cache=caches, is_reading=False)
        for cache in caches:
            cache.reset_target()
        assert (caches[0].source_offset, caches[0].target_offset, len(caches[0])) == (5, 0, 5)

    def test_many_generations_from_one_source(self, model):
        caches, runs = model.make_cache(), []
        model(tokens(5), cache=caches, is_reading=True)
        for _ in range(2):
            runs.append([model(tokens(1, seed=s), cache=caches, is_reading=False) for s in range(3)])
            for cache in caches:
                cache.reset_target()
        assert difference(mx.concatenate(runs[0]), mx.concatenate(runs[1])) < 1e-6


def test_usage_example():
    args = ModelArgs(model_type="qwen2", hidden_size=64, num_hidden_layers=3, intermediate_size=96, vocab_size=200,
                     num_attention_heads=4)  # fmt: skip
    model = Model(args)
    caches = model.make_cache()
    logits1 = model(mx.array([[1, 2, 3, 4, 5]]), cache=caches, is_reading=True)
    logits2 = model(mx.array([[6, 7, 8, 9, 10]]), cache=caches, is_reading=True)
    logits_t1 = model(mx.array([[100]]), cache=caches, is_reading=False)
    logits_t2 = model(mx.array([[101]]), cache=caches, is_reading=False)
    assert [x.shape[1] for x in (logits1, logits2, logits_t1, logits_t2)] == [5, 5, 1, 1]
    assert (caches[0].source_offset, caches[0].target_offset) == (10, 2)
    for cache in caches:
        cache.reset_target()
    assert (caches[0].source_offset, caches[0].target_offset) == (10, 0)


def test_verify_yourself():
    args = ModelArgs(
        model_type="qwen2",
        hidden_size=256,
        num_hidden_layers=2,
        intermediate_size=512,
        num_attention_heads=4,
        num_key_value_heads=4,
        rms_norm_eps=1e-6,
        vocab_size=1000,
    )
    model = Model(args)
    caches = model.make_cache()
    model(mx.random.randint(0, 1000, (1, 10)), cache=caches, is_reading=True)
    model(mx.random.randint(0, 1000, (1, 3)), cache=caches, is_reading=False)
    assert caches[0].source_offset == 10
    assert caches[0].target_offset == 3


def test_kinds_must_be_told_with_a_streaming_cache(model):
    with pytest.raises(ValueError, match="kinds"):
        model.forward([[1, 2]], cache=model.make_cache())


def test_negative_and_far_positions(model):
    """Rotation is relative: any shift of all positions leaves the logits alone."""
    usual = model(tokens(4), position_ids=[0, 1, 2, 3])
    for shift in (-7, 300, 20000):
        assert difference(usual, model(tokens(4), position_ids=np.arange(4) + shift)) < 1e-3


def test_the_embedded_model_packed_is_the_embedded_model():
    ids = np.random.default_rng(0).integers(0, 8000, (1, 9))
    kinds = np.array([SOURCE] * 6 + [TARGET] * 3, np.uint8)
    logits = []
    for packed in (False, True):
        model = load_checkpoint("en-pt", packed=packed).model
        caches = model.make_cache()
        model.forward(ids[:, :8], kinds=kinds[:8], cache=caches)
        logits.append(model.forward(ids[:, 8:], kinds=kinds[8:], cache=caches))  # one row: the head in blocks
    assert difference(*logits) < 1e-4 * float(mx.abs(logits[0]).max())
