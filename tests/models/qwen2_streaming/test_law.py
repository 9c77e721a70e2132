"""The law everything rests on: a stream, however it is cut into reads and writes, equals one pass with the mask."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import difference, tiny_model

from streamtrans.models.qwen2_streaming.masks import PAD, SOURCE, TARGET, Entries, streaming_mask
from streamtrans.runtime import mx

SHAPES = [(4, 4, 0), (4, 2, 0), (4, 1, 3), (6, 2, 17)]  # heads, key-value heads, first target position
_models: dict = {}


def models(shape, fused):
    if (shape, fused) not in _models:
        heads, kv_heads, offset = shape
        model = tiny_model(
            hidden_size=heads * 8,
            num_attention_heads=heads,
            num_key_value_heads=kv_heads,
            target_position_offset=offset,
        )
        _models[shape, fused] = model.fuse() if fused else model
    return _models[shape, fused]


def positions_of(kinds, first_target):
    own = np.where(kinds == SOURCE, np.cumsum(kinds == SOURCE), np.cumsum(kinds == TARGET)) - 1
    return own + np.where(kinds == TARGET, first_target, 0)


def in_one_pass(model, ids, kinds):
    """Logits (L, V) of one row computed without any cache."""
    entries = Entries.arrived(kinds)
    positions = positions_of(kinds, model.args.target_position_offset)
    return model.forward(ids[None], positions=positions, mask=streaming_mask(entries, entries))[0]


def cuts(draw, length):
    """Cut points that divide a row of tokens into passes."""
    inner = draw(st.sets(st.integers(1, length - 1))) if length > 1 else set()
    return [0, *sorted(inner), length]


@st.composite
def schedules(draw):
    kinds = draw(st.lists(st.sampled_from([SOURCE, TARGET]), min_size=1, max_size=24))
    return np.array(kinds, np.uint8), cuts(draw, len(kinds)), draw(st.integers(0, 2**31))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(schedules(), st.sampled_from(SHAPES), st.booleans())
def test_any_schedule_equals_one_pass(schedule, shape, fused):
    """Passes may mix reading and writing, which is the fused read-and-write of the engine."""
    kinds, ends, seed = schedule
    ids = np.random.default_rng(seed).integers(0, 61, len(kinds))
    model = models(shape, fused)
    cache = model.make_cache()
    steps = [model.forward(ids[None, a:b], kinds=kinds[a:b], cache=cache) for a, b in pairwise(ends)]
    assert difference(mx.concatenate(steps, axis=1)[0], in_one_pass(models(shape, False), ids, kinds)) < 1e-4


@settings(max_examples=40, deadline=None, derandomize=True)
@given(schedules(), st.sampled_from(SHAPES), st.booleans())
def test_reading_and_writing_calls_equal_one_pass(schedule, shape, fused):
    kinds, _, seed = schedule
    ids = np.random.default_rng(seed).integers(0, 61, len(kinds))
    model = models(shape, fused)
    cache, steps = model.make_cache(), []
    turns = [0, *(np.flatnonzero(np.diff(kinds)) + 1), len(kinds)]
    for a, b in pairwise(turns):
        steps.append(model(mx.array(ids[None, a:b]), cache=cache, is_reading=kinds[a] == SOURCE))
    assert difference(mx.concatenate(steps, axis=1)[0], in_one_pass(models(shape, False), ids, kinds)) < 1e-4


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from(SHAPES), st.booleans())
def test_ragged_batch_equals_each_row_alone(data, shape, fused):
    """Rows read and write on their own, some pass by (PAD), targets are taken back, holes packed, rows dropped."""
    rows = data.draw(st.integers(1, 4))
    model, plain = models(shape, fused), models(shape, False)
    random = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    cache = model.make_batched_cache(rows)
    history = [([], []) for _ in range(rows)]  # what each row has seen: ids and kinds
    for _ in range(data.draw(st.integers(1, 6))):
        length = int(random.integers(1, 5))
        ids = random.integers(0, 61, (rows, length))
        kinds = random.choice([PAD, SOURCE, TARGET], (rows, length)).astype(np.uint8)
        logits = model.forward(ids, kinds=kinds, cache=cache)
        for row, (seen, of_kind) in enumerate(history):
            real = np.flatnonzero(kinds[row] != PAD)
            seen.extend(ids[row, real])
            of_kind.extend(kinds[row, real])
            if len(real):
                alone = in_one_pass(plain, np.array(seen), np.array(of_kind, np.uint8))
                assert difference(logits[row, mx.array(real)], alone[-len(real) :]) < 1e-4
        assert not mx.isnan(logits).any()
        what = data.draw(st.sampled_from(["go on", "trim", "compact", "keep", "reset"]))
        if what == "trim":
            counts = np.array([random.integers(0, of_kind.count(TARGET) + 1) for _, of_kind in history])
            for layer in cache:
                layer.trim(counts)
            for (seen, of_kind), count in zip(history, counts, strict=True):
                for _ in range(count):
                    last = len(of_kind) - 1 - of_kind[::-1].index(TARGET)
                    del seen[last], of_kind[last]
        elif what == "compact":
            for layer in cache:
                layer.compact()
            assert len(cache[0]) == max(len(seen) for seen, _ in history)
        elif what == "keep" and rows > 1:
            stay = sorted(random.choice(rows, rows - 1, replace=False))
            rows, history = rows - 1, [history[row] for row in stay]
            for layer in cache:
                layer.keep(stay)
        elif what == "reset":
            row = int(random.integers(rows))
            history[row] = ([], [])
            for layer in cache:
                layer.reset_row(row)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(schedules(), st.data(), st.sampled_from(SHAPES))
def test_taking_back_equals_never_having_written(schedule, data, shape):
    kinds, _, seed = schedule
    ids = np.random.default_rng(seed).integers(0, 61, len(kinds))
    model = models(shape, True)
    cache = model.make_cache()
    model.forward(ids[None], kinds=kinds, cache=cache)
    written = np.flatnonzero(kinds == TARGET)
    n = data.draw(st.integers(0, len(written)))
    for layer in cache:
        layer.trim(n)
    left = np.delete(np.arange(len(kinds)), written[len(written) - n :])
    more, of_kind = np.array([7, 8]), np.array([TARGET, SOURCE], np.uint8)
    after = model.forward(more[None], kinds=of_kind, cache=cache)[0]
    fresh = in_one_pass(models(shape, False), np.concatenate([ids[left], more]), np.concatenate([kinds[left], of_kind]))
    assert difference(after, fresh[-2:]) < 1e-4


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("rows", ["last", [0, 3], [[1], [4], [2]]])
def test_chosen_rows_are_the_rows_of_all(fused, rows):
    model = models(SHAPES[1], fused)
    ids = np.random.default_rng(0).integers(0, 61, (3, 5))
    kinds = np.array([[1, 1, 2, 2, 1], [1, 1, 1, 2, 2], [0, 0, 1, 1, 2]], np.uint8)
    everything = np.array(model.forward(ids, kinds=kinds, cache=model.make_batched_cache(3)))
    some = model.forward(ids, kinds=kinds, cache=(cache := model.make_batched_cache(3)), rows=rows)
    indices = np.array([4] if rows == "last" else rows, int)
    indices = np.broadcast_to(indices, (3, indices.shape[-1]))
    assert some.shape == (3, indices.shape[1], 61)
    expected = np.take_along_axis(everything, indices[:, :, None], axis=1)
    assert np.abs(np.array(some) - expected).max() < 1e-4
    # What the cache remembers does not depend on which rows were asked for.
    whole = model.make_batched_cache(3)
    model.forward(ids, kinds=kinds, cache=whole)
    assert difference(cache[-1].state[0], whole[-1].state[0]) < 1e-5
