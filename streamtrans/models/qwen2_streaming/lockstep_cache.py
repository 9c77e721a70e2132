"""The memory of many streams that write in lockstep, in one attention layer.

The caller decides once per pass who sees what, and gives `Model.hidden` positions and a mask. All rows get the same
number of columns; a column that a row has no use for, or has taken back, is one that its mask hides.
"""

from collections.abc import Sequence
from typing import ClassVar

from streamtrans.models.qwen2_streaming.streaming_cache import BufferedCache
from streamtrans.runtime import mx


class LockstepCache(BufferedCache):
    """Keys and values of B rows in N columns; what kinds of tokens they hold is for the caller to know."""

    block: ClassVar[int] = 32  # a batch has little to copy when it grows, and much to hold if it grows far

    @classmethod
    def stacked(cls, parts: Sequence["LockstepCache"]) -> "LockstepCache":
        """One cache of all rows of several; the shorter ones get columns of zeros, which masks must hide."""
        cache = cls()
        cache.offset = max(len(part) for part in parts)
        filled = [_with_room(part.state[0], cache.offset + cls.block) for part in parts]
        cache._array = mx.concatenate(filled)
        return cache

    def keep(self, rows: mx.array) -> None:
        """Go on with these rows only, in this order: indices (n,)."""
        assert self._array is not None
        self._array = mx.take(self._array, rows, axis=0)


def _with_room(entries: mx.array, columns: int) -> mx.array:
    """Entries (B, H, N, D) with as many columns, the new ones zero."""
    batch, heads, length, width = entries.shape
    return mx.concatenate([entries, mx.zeros((batch, heads, columns - length, width), entries.dtype)], axis=2)
