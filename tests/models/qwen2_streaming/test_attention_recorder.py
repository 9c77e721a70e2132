"""What a recorder notes is what attention used, whatever the layers, the cache and the mask."""

import numpy as np
import pytest
from tiny_model import tiny_model

from streamtrans.models.qwen2_streaming.attention_recorder import AttentionRecorder, last_read
from streamtrans.models.qwen2_streaming.lockstep_cache import LockstepCache
from streamtrans.models.qwen2_streaming.masks import SOURCE, TARGET, Entries, streaming_mask
from streamtrans.models.qwen2_streaming.packed import pack
from streamtrans.runtime import mx

HEADS = [(0, 0), (0, 3), (1, 2)]
KINDS = np.array([SOURCE] * 4 + [TARGET] + [SOURCE] * 2 + [TARGET] * 3, np.uint8)
IDS = np.arange(3, 13)[None]
SOURCES = np.flatnonzero(KINDS == SOURCE)
POSITIONS = np.where(KINDS == SOURCE, np.cumsum(KINDS == SOURCE), np.cumsum(KINDS == TARGET)) - 1
MASK = streaming_mask(Entries.arrived(KINDS), Entries.arrived(KINDS))


@pytest.fixture(params=["plain", "packed"])
def model(request):
    return pack(tiny_model()) if request.param == "packed" else tiny_model()


@pytest.fixture(scope="module")
def expected():
    """Weights (1, heads, L, S) from what plain layers hand to fast attention."""
    attention, layers, found = mx.fast.scaled_dot_product_attention, [], []

    def noting(queries, keys, values, scale, mask):
        for head in (head for layer, head in HEADS if layer == len(layers)):
            scores = np.array(queries[0, head]) @ np.array(keys[0, head // 2]).T * scale
            weights = np.exp(np.where(MASK, scores, -np.inf))
            found.append((weights / weights.sum(-1, keepdims=True))[:, SOURCES])
        layers.append(None)
        return attention(queries, keys, values, scale=scale, mask=mask)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mx.fast, "scaled_dot_product_attention", noting)
        mx.eval(tiny_model().hidden(IDS, POSITIONS, mask=MASK))
    return np.array(found)[None]


def recorded(model, last, columns=SOURCES, **arguments):
    recorder = AttentionRecorder(HEADS, columns, last)
    mx.eval(model.hidden(**arguments, recorder=recorder))
    return np.array(recorder.weights)


def test_one_pass_without_a_cache(model, expected):
    found = recorded(model, len(KINDS), ids=IDS, positions=POSITIONS, mask=MASK)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("last", [1, 3, 7])
@pytest.mark.parametrize("all_rows", [False, True])
def test_the_last_token_of_a_stream(model, expected, last, all_rows):
    cache, first = model.make_cache(), len(KINDS) - last
    rows = None if all_rows else [last - 1]
    mx.eval(model.hidden(IDS[:, :first], kinds=KINDS[:first], cache=cache))
    found = recorded(model, 1, ids=IDS[:, first:], kinds=KINDS[first:], cache=cache, rows=rows)
    np.testing.assert_allclose(found, expected[:, :, -1:], atol=1e-5)


def test_rows_in_lockstep(model, expected):
    order = np.concatenate([SOURCES, np.flatnonzero(KINDS == TARGET)])
    ids, positions, mask = IDS[:, order].repeat(2, axis=0), POSITIONS[order], MASK[np.ix_(order, order)]
    cache, width = [LockstepCache() for _ in model.layers], len(SOURCES)
    mx.eval(model.hidden(ids[:, :width], positions[:width], mask=mask[:width, :width], cache=cache))
    masks = mask[None, None, width:].repeat(2, axis=0)
    arguments = {"positions": positions[width:], "mask": masks, "cache": cache, "rows": [len(KINDS) - width - 1]}
    found = recorded(model, 1, np.arange(width), ids=ids[:, width:], **arguments)
    np.testing.assert_allclose(found, expected[:, :, -1:].repeat(2, axis=0), atol=1e-5)


def test_the_last_read_come_first_and_what_is_not_there_is_nothing():
    weights = mx.array(np.arange(1.0, 11).reshape(2, 1, 5))
    found = last_read(weights, mx.array([4, 2]), 3)
    assert np.array(found).tolist() == [[[4, 3, 2]], [[7, 6, 0]]]
