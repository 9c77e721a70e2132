"""What the caches promise beyond the law: growth in place and accounting."""

import numpy as np
import pytest

from streamtrans.models.qwen2_streaming.lockstep_cache import LockstepCache
from streamtrans.models.qwen2_streaming.masks import PAD, SOURCE, TARGET
from streamtrans.models.qwen2_streaming.streaming_cache import BLOCK, DualStreamingCache
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


def test_in_lockstep_it_grows_by_smaller_blocks():
    cache = LockstepCache()
    cache.append(mx.ones((3, 4, 5, 8)), np.zeros(5, np.uint8))
    keys, values = cache.append(mx.full((3, 4, 1, 8), 2.0), np.zeros(1, np.uint8))
    assert keys[:, 0, :, 0].tolist() == values[:, 1, :, 0].tolist() == [[1, 1, 1, 1, 1, 2]] * 3
    assert (len(cache), cache.capacity) == (6, LockstepCache.block)
    stacked = LockstepCache.stacked([cache, cache])
    assert [stacked.state[0].shape, stacked.capacity] == [(6, 4, 6, 8), 6 + LockstepCache.block]


def test_kinds_must_be_told():
    cache = DualStreamingCache()
    with pytest.raises(ValueError, match="kinds"):
        cache.append(mx.ones((1, 4, 2, 8)), np.array([SOURCE, PAD], np.uint8))
    assert len(cache) == 0
