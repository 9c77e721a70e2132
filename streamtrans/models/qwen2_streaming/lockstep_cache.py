"""The memory of many streams that write in lockstep, in one attention layer.

Much less than `BatchedStreamingCache` can do, and so much faster: who sees what is decided once a pass, by the caller,
who gives `Model.forward` positions and a mask. All rows get the same number of columns; a column that a row has no use
for, or has taken back, is one that its mask hides.
"""

from collections.abc import Sequence

from streamtrans.runtime import mx

_BLOCK = 32  # columns; a batch has little to copy when it grows, and much to hold if it grows far


class LockstepCache:
    """Keys and values of B rows and N columns, each (B, KV, N, D); for `Model.forward` with a mask and positions."""

    def __init__(self) -> None:
        self._arrays: list[mx.array] = []
        self.offset = 0

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Add L columns, keys and values (B, KV, L, D); return all of them, (B, KV, N, D)."""
        end = self.offset + keys.shape[2]
        if not self._arrays:
            self._arrays = [keys[:, :, :0], values[:, :, :0]]
        if end > self._arrays[0].shape[2]:
            self._arrays = [_with_room(old[:, :, : self.offset], end + _BLOCK) for old in self._arrays]
        for array, new in zip(self._arrays, (keys, values), strict=True):
            array[:, :, self.offset : end] = new
        self.offset = end
        return self._arrays[0][:, :, :end], self._arrays[1][:, :, :end]

    @classmethod
    def stacked(cls, parts: Sequence["LockstepCache"]) -> "LockstepCache":
        """One cache of all rows of several; the shorter ones get columns of zeros, which masks must hide."""
        cache = cls()
        cache.offset = max(part.offset for part in parts)
        columns = cache.offset + _BLOCK
        filled = [[array[:, :, : part.offset] for array in part.state] for part in parts]
        cache._arrays = [
            mx.concatenate([_with_room(a, columns) for a in arrays]) for arrays in zip(*filled, strict=True)
        ]
        return cache

    def keep(self, rows: mx.array) -> None:
        """Go on with these rows only: indices (n,)."""
        self._arrays = [mx.take(array, rows, axis=0) for array in self._arrays]

    def gather(self, columns: mx.array) -> None:
        """Keep of each row these columns only, in this order: indices (B, n)."""
        columns = columns[:, None, :, None]
        self._arrays = [mx.take_along_axis(array, columns, axis=2) for array in self._arrays]
        self.offset = columns.shape[2]

    @property
    def state(self) -> list[mx.array]:
        """What to evaluate."""
        return self._arrays


def _with_room(array: mx.array, columns: int) -> mx.array:
    """(B, KV, N, D) with as many columns, the new ones zero: a masked column's weight is 0, but 0 × NaN is NaN."""
    batch, heads, length, width = array.shape
    return mx.concatenate([array, mx.zeros((batch, heads, columns - length, width), array.dtype)], axis=2)
