"""What the caches promise beyond the law: growth in place, accounting, files."""

import numpy as np
import pytest
from tiny_model import difference, tiny_model

from streamtrans.errors import DataError
from streamtrans.models.qwen2_streaming.masks import PAD, SOURCE, TARGET
from streamtrans.models.qwen2_streaming.streaming_cache import (
    BLOCK,
    BatchedStreamingCache,
    DualStreamingCache,
    load_cache,
    save_cache,
)
from streamtrans.runtime import mx


def entries(length, value=1.0, rows=1):
    """Keys or values (B, KV, L, D)."""
    return mx.full((rows, 2, length, 8), value)


def test_update_returns_all_entries_in_order_of_arrival():
    cache = DualStreamingCache()
    cache.update_source(entries(2, 1.0), entries(2, -1.0))
    cache.update_target(entries(1, 2.0), entries(1, -2.0))
    keys, values = cache.update_source(entries(1, 3.0), entries(1, -3.0))
    assert keys[0, 0, :, 0].tolist() == [1, 1, 2, 3]
    assert values[0, 1, :, 0].tolist() == [-1, -1, -2, -3]
    assert cache.kinds.tolist() == [SOURCE, SOURCE, TARGET, SOURCE]
    assert (cache.source_offset, cache.target_offset, len(cache)) == (3, 1, 4)


@pytest.mark.skipif(not hasattr(mx, "reset_peak_memory"), reason="this mlx does not count its memory")
def test_a_step_writes_in_place():
    """A step of one entry allocates far less than the buffer: nothing copies what is there already."""
    cache = DualStreamingCache()
    keys = mx.zeros((1, 8, 1, 512))
    cache.update_source(keys, keys)
    mx.eval(cache.state[0])
    mx.synchronize()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    for _ in range(20):
        mx.eval(cache.update_target(keys, keys)[0].sum())
    mx.synchronize()
    assert cache.nbytes == 2 * 8 * BLOCK * 512 * 4
    assert mx.get_peak_memory() - before < cache.nbytes / 2


def test_capacity_grows_by_blocks():
    cache, seen = DualStreamingCache(), set()
    for _ in range(9):
        cache.update_source(entries(100), entries(100))
        seen.add(cache.nbytes // (4 * 8 * 4))
    assert seen == {BLOCK, 2 * BLOCK, 3 * BLOCK, 4 * BLOCK}
    assert len(cache.kinds) == cache.source_offset == 900


def test_trim_pops_or_compacts():
    cache = DualStreamingCache()
    for number, update in enumerate([cache.update_source, cache.update_target, cache.update_target], start=1):
        update(entries(1, number), entries(1, number))
    cache.trim(1)  # a pop
    assert cache.state[0][0, 0, :, 0].tolist() == [1, 2]
    cache.update_source(entries(1, 4), entries(1, 4))
    cache.trim(1)  # out of the middle
    assert cache.state[0][0, 0, :, 0].tolist() == [1, 4]
    assert cache.kinds.tolist() == [SOURCE, SOURCE]
    with pytest.raises(ValueError, match="cannot take back 1 of 0"):
        cache.trim(1)


def test_reset_allows_another_batch_size():
    cache = DualStreamingCache()
    cache.update_source(entries(3), entries(3))
    cache.reset()
    assert (len(cache), cache.source_offset, cache.nbytes) == (0, 0, 0)
    assert cache.update_target(entries(2, rows=3), entries(2, rows=3))[0].shape == (3, 2, 2, 8)


def test_masks_only_where_something_is_hidden():
    cache = DualStreamingCache()
    source, target = np.array([SOURCE], np.uint8), np.array([TARGET], np.uint8)
    assert cache.mask(source) is None
    assert cache.mask(np.repeat(source, 2)).tolist() == [[[[True, False], [True, True]]]]
    cache.update_source(entries(2), entries(2))
    cache.update_target(entries(1), entries(1))
    assert cache.mask(target) is None
    assert cache.mask(source).tolist() == [[[[True, True, False, True]]]]


def batch(rows=3):
    cache = BatchedStreamingCache(rows)
    kinds = np.array([[SOURCE, TARGET, PAD], [SOURCE, SOURCE, TARGET], [PAD, PAD, SOURCE]], np.uint8)
    cache.append(mx.arange(9).reshape(3, 1, 3, 1) * mx.ones((3, 4, 3, 8)), kinds)
    return cache


def test_batch_offsets_and_positions():
    cache = batch()
    assert cache.source_offset.tolist() == [1, 2, 1]
    assert cache.target_offset.tolist() == [1, 1, 0]
    kinds = np.array([[TARGET, SOURCE], [SOURCE, PAD], [TARGET, TARGET]], np.uint8)
    assert cache.positions(kinds, first_target=10).tolist() == [[11, 1], [2, 0], [10, 11]]


def test_batch_trim_pops_common_padding():
    cache = batch()
    cache.trim([1, 1, 0])
    assert cache.kinds.tolist() == [[SOURCE, PAD, PAD], [SOURCE, SOURCE, PAD], [PAD, PAD, SOURCE]]
    cache.reset_row(2)
    assert cache.kinds.tolist() == [[SOURCE, PAD], [SOURCE, SOURCE], [PAD, PAD]]
    with pytest.raises(ValueError, match="cannot take back"):
        cache.trim([1, 0, 0])


def test_batch_compact_packs_rows():
    cache = batch()
    cache.trim([0, 1, 0])
    cache.compact(slack=1)
    assert len(cache) == 3
    cache.compact()
    assert cache.kinds.tolist() == [[SOURCE, TARGET], [SOURCE, SOURCE], [SOURCE, PAD]]
    packed = np.array(cache.state[0])[:, 0, :, 0]
    assert packed[0].tolist() == [0, 1]
    assert packed[1].tolist() == [3, 4]
    assert packed[2, 0] == 8


def test_batch_of_finished_rows_is_empty():
    cache = batch()
    for row in range(3):
        cache.reset_row(row)
    cache.compact()
    assert len(cache) == 0
    assert cache.append(mx.ones((3, 4, 1, 8)), np.full((3, 1), SOURCE, np.uint8))[0].shape == (3, 2, 1, 8)


def test_rows_come_and_go_in_bounded_memory():
    """A slot whose row is reset serves many sentences: with compaction the width stays that of the longest row."""
    cache = BatchedStreamingCache(2)
    for step in range(1000):
        cache.append(mx.zeros((2, 2, 1, 4)), np.array([[SOURCE], [TARGET]], np.uint8))
        if step % 10 == 9:
            cache.reset_row(step // 10 % 2)
            cache.compact(slack=32)
    assert len(cache) <= 64
    assert cache.nbytes == 2 * 2 * BLOCK * 4 * 4


@pytest.mark.parametrize("batched", [False, True])
def test_saved_and_loaded_it_goes_on_the_same(tmp_path, batched):
    model = tiny_model().fuse()
    ids, kinds = np.array([[3, 1, 4, 1, 5]]), np.array([SOURCE, SOURCE, TARGET, SOURCE, TARGET], np.uint8)
    caches = model.make_batched_cache(1) if batched else model.make_cache()
    model.forward(ids[:, :4], kinds=kinds[:4], cache=caches)
    save_cache(tmp_path / "cache.safetensors", caches)
    loaded = load_cache(tmp_path / "cache.safetensors")
    assert [type(c) for c in loaded] == [type(c) for c in caches]
    logits = [model.forward(ids[:, 4:], kinds=kinds[4:], cache=c) for c in (caches, loaded)]
    assert difference(*logits) < 1e-6
    assert np.array_equal(loaded[0].source_offset, caches[0].source_offset)


def test_an_empty_cache_can_be_saved(tmp_path):
    save_cache(tmp_path / "cache.safetensors", [DualStreamingCache()])
    (loaded,) = load_cache(tmp_path / "cache.safetensors")
    assert len(loaded) == 0


def test_other_files_are_not_caches(tmp_path):
    mx.save_safetensors(str(tmp_path / "weights.safetensors"), {"a": mx.zeros(3)})
    (tmp_path / "noise.safetensors").write_bytes(b"noise")
    with pytest.raises(DataError, match="not a saved cache"):
        load_cache(tmp_path / "weights.safetensors")
    with pytest.raises(DataError, match="cannot be read"):
        load_cache(tmp_path / "noise.safetensors")
    with pytest.raises(DataError, match="cannot be read"):
        load_cache(tmp_path / "missing.safetensors")
