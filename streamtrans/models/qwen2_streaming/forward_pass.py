"""One forward pass: where its tokens stand, what they see, which results are wanted, and what a cache does for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from streamtrans.models.qwen2_streaming.attention_recorder import AttentionRecorder
from streamtrans.models.qwen2_streaming.rotary import Positions, Rotary
from streamtrans.runtime import mx

Attention = Callable[[mx.array, mx.array, mx.array, mx.array | None], mx.array]
"""Mixes values by queries (B, heads, L, D), keys and values (B, KV, N, D), and a mask, to (..., L, any)."""


class Cache:
    """The memory of one attention layer: here of plain tokens, which follow one another and see what came before.

    offset: entries held. kinds are uint8 (L,), one of PAD (not told), SOURCE, TARGET per token about to arrive.
    """

    offset = 0

    def positions(self, kinds: np.ndarray, first_target: int) -> np.ndarray:
        """Return positions (L,) of new tokens; first_target: position of the first target token."""
        return np.arange(self.offset, self.offset + len(kinds))

    def mask(self, kinds: np.ndarray) -> np.ndarray | None:
        """Return the entries that new tokens will see, bool, broadcast to (B, 1, L, N + L), or None for all."""
        length = len(kinds)
        return np.tri(length, self.offset + length, self.offset, dtype=bool) if length > 1 else None

    def append(self, entries: mx.array, kinds: np.ndarray) -> tuple[mx.array, mx.array]:
        """Add L entries (B, 2·KV, L, D), key heads first; return all keys and values, each (B, KV, N, D)."""
        raise NotImplementedError


class PlainCache(Cache):
    """A cache of mlx-lm's (`KVCache`), or no memory at all, as one of ours: the model is an ordinary Qwen2 with it."""

    def __init__(self, memory: Any = None):
        """memory: has `offset` and `update_and_fetch(keys, values)`, or is None."""
        self._memory = memory
        self.offset = 0 if memory is None else memory.offset

    def append(self, entries: mx.array, kinds: np.ndarray) -> tuple[mx.array, mx.array]:
        """Hand keys and values to the memory, if there is one."""
        keys, values = mx.split(entries, 2, axis=1)
        return (keys, values) if self._memory is None else self._memory.update_and_fetch(keys, values)


def as_cache(memory: Any) -> Cache:
    """Return a cache for one pass; memory: one of ours, one of mlx-lm's, or None."""
    return memory if isinstance(memory, Cache) else PlainCache(memory)


@dataclass(frozen=True)
class ForwardPass:
    """Computed once per pass, not once per layer.

    phases: complex64 (heads|1, B|1, L, D/2), see `rotary`. kinds: uint8 (L,), for the caches. mask: bool
    (B|1, 1, L or wanted rows, N), true where a token sees an entry, or None where all see everything. rows: the tokens
    whose results are wanted, or None for all. recorder: notes where attention looks, or None.
    """

    phases: mx.array
    kinds: np.ndarray
    mask: mx.array | None = None
    rows: slice | None = None
    recorder: AttentionRecorder | None = None

    def wanted(self, *arrays: mx.array) -> list[mx.array]:
        """Cut arrays (B, L, ...) down to the wanted rows."""
        return list(arrays) if self.rows is None else [array[:, self.rows] for array in arrays]

    def narrowed(self, rows: slice | None) -> "ForwardPass":
        """The pass of which these rows alone are wanted, all if None."""
        if rows is None:
            return self
        return replace(self, rows=rows, mask=None if self.mask is None else self.mask[:, :, rows])

    def with_bias(self, groups: int) -> "ForwardPass":
        """The pass whose mask is a bias to add to scores, 0 or -∞: float32 (B|1, 1, groups·rows, N).

        groups: query heads per key head, whose rows are those of one product.
        """
        return self if self.mask is None else replace(self, mask=_bias(self.mask, groups))

    def attend(
        self, cache: Any, queries: mx.array, entries: mx.array, attention: Attention, scale: float = 1.0
    ) -> mx.array:
        """Remember entries (B, 2·KV, L, D), and mix what the wanted queries (B, heads, R, D) see of the memory.

        scale: factor of the queries that `attention` brings itself.
        """
        keys, values = cache.append(entries, self.kinds)
        if self.recorder:
            self.recorder.note(queries * scale, keys, self.mask)
        return attention(queries, keys, values, self.mask)


def make_pass(
    rotary: Rotary,
    cache: Cache,
    kinds: np.ndarray,
    first_target: int,
    positions: Positions | None = None,
    mask: mx.array | np.ndarray | None = None,
) -> ForwardPass:
    """Make the pass of tokens of these kinds (L,); the cache gives positions and mask where they are None."""
    positions = cache.positions(kinds, first_target) if positions is None else positions
    mask = cache.mask(kinds) if mask is None else mask
    return ForwardPass(rotary.phases(positions), kinds, as_mask(mask))


def _bias(mask: mx.array, groups: int) -> mx.array:
    return mx.concatenate([mx.where(mask, 0.0, -mx.inf)] * groups, axis=2)


def as_mask(mask: np.ndarray | mx.array | None) -> mx.array | None:
    """Give a boolean mask (L, N), (B, L, N) or (B|1, 1, L, N) the last of these shapes."""
    if mask is None:
        return None
    mask = mx.array(mask)
    if mask.ndim == 3:
        return mask[:, None]
    return mask.reshape(1, 1, *mask.shape) if mask.ndim == 2 else mask


def as_slice(rows: Sequence[int] | np.ndarray, length: int) -> slice | None:
    """Turn neighbouring rows of L tokens into a slice, which copies nothing, all rows into None; else ValueError."""
    first, end = int(rows[0]), int(rows[-1]) + 1
    if list(rows) != list(range(first, end)) or not 0 <= first < end <= length:
        raise ValueError(f"rows must be neighbours among {length} tokens, not {list(rows)}")
    return None if end - first == length else slice(first, end)
