"""The memory of one stream in one attention layer, source and target in one buffer in order of arrival.

Keys carry their rotation when they arrive, so attention does not care in which order they lie: only the mask needs to
know the kind of an entry and when it came, and only the rotation needs its position. Hence the two memories of the
streaming transformer are one buffer here: a read or a write appends at its end, and what attention gets is a view of
the filled part. Nothing is concatenated or sorted on the way, and a target row of one stream needs no mask at all.
"""

from typing import ClassVar

import numpy as np

from streamtrans.models.qwen2_streaming.forward_pass import Cache
from streamtrans.models.qwen2_streaming.masks import SOURCE, TARGET, Entries, streaming_mask
from streamtrans.runtime import mx

BLOCK = 256


class BufferedCache(Cache):
    """Keys and values of N entries together, (B, 2·KV, N, D) with the KV key heads first: one write per layer and pass.

    The buffer grows by whole blocks and is written in place: mlx reuses the memory of a slice update when nobody else
    holds the array, so views handed out must not be kept across a pass (a kept view stays valid, for one copy).
    """

    block: ClassVar[int] = BLOCK

    def __init__(self) -> None:
        self._array: mx.array | None = None
        self.offset = 0

    def __len__(self) -> int:
        return self.offset

    @property
    def capacity(self) -> int:
        """Entries that fit without growing."""
        return 0 if self._array is None else self._array.shape[2]

    @property
    def nbytes(self) -> int:
        """Bytes held on the device, the unfilled part of the last block included."""
        return 0 if self._array is None else self._array.nbytes

    @property
    def state(self) -> list[mx.array]:
        """The arrays to evaluate: entries (B, 2·KV, N, D), or none before the first."""
        return [] if self._array is None else [self._array[:, :, : self.offset]]

    def append(self, entries: mx.array, kinds: np.ndarray) -> tuple[mx.array, mx.array]:
        """Add L entries (B, 2·KV, L, D), key heads first; return all keys and values, each (B, KV, N, D)."""
        end = self.offset + entries.shape[2]
        if end > self.capacity:
            self._grow(entries, end)
        assert self._array is not None
        self._array[:, :, self.offset : end] = entries
        self.offset = end
        heads = entries.shape[1] // 2
        return self._array[:, :heads, :end], self._array[:, heads:, :end]

    def gather(self, columns: mx.array) -> None:
        """Keep of each row these entries only, in this order: indices (B, n), or (1, n) for all rows alike."""
        entries = mx.take_along_axis(self.state[0], columns[:, None, :, None], axis=2)
        self._array, self.offset = None, 0
        BufferedCache.append(self, entries, np.empty(0))

    def _grow(self, like: mx.array, needed: int) -> None:
        """Add room; zero, because a masked entry's weight is 0, but 0 × NaN is NaN."""
        batch, heads, _, width = like.shape
        more = -(-(needed - self.capacity) // self.block) * self.block
        room = mx.zeros((batch, heads, more, width), like.dtype)
        self._array = room if self._array is None else mx.concatenate([self._array, room], axis=2)


class DualStreamingCache(BufferedCache):
    """Source and target memory of one stream (a batch must read and write in lockstep) in one layer."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds = np.zeros(BLOCK, np.uint8)
        self.source_offset = 0
        self.target_offset = 0

    @property
    def kinds(self) -> np.ndarray:
        """SOURCE or TARGET of each entry in order of arrival, (N,) uint8; a view."""
        return self._kinds[: self.offset]

    def append(self, entries: mx.array, kinds: np.ndarray) -> tuple[mx.array, mx.array]:
        """Add L entries of kinds (L,); ValueError where they are not all SOURCE or TARGET."""
        source, target = int(np.count_nonzero(kinds == SOURCE)), int(np.count_nonzero(kinds == TARGET))
        if source + target != entries.shape[2]:
            raise ValueError("a streaming cache must be told the kinds of the tokens")
        start = self.offset
        keys, values = super().append(entries, kinds)
        if len(self._kinds) < self.capacity:
            self._kinds = np.concatenate([self._kinds, np.zeros(self.capacity - len(self._kinds), np.uint8)])
        self._kinds[start : self.offset] = kinds
        self.source_offset += source
        self.target_offset += target
        return keys, values

    def update_source(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Add read tokens, rotated keys and values (B, KV, L, D); return all keys and values (B, KV, N, D)."""
        return self.append(mx.concatenate([keys, values], axis=1), np.full(keys.shape[2], SOURCE, np.uint8))

    def update_target(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Add written tokens, rotated keys and values (B, KV, L, D); return all keys and values (B, KV, N, D)."""
        return self.append(mx.concatenate([keys, values], axis=1), np.full(keys.shape[2], TARGET, np.uint8))

    def positions(self, kinds: np.ndarray, first_target: int) -> np.ndarray:
        """Return positions (L,) of new tokens: each kind goes on from its own, target from `first_target`."""
        source = kinds == SOURCE
        own = np.where(source, np.cumsum(source), np.cumsum(~source)) - 1
        return own + np.where(source, self.source_offset, first_target + self.target_offset)

    def mask(self, kinds: np.ndarray) -> np.ndarray | None:
        """Return the entries that new tokens will see, bool (1, 1, L, N + L), or None for all."""
        if len(kinds) == 1 and (kinds[0] == TARGET or not self.target_offset):
            return None
        everything = np.concatenate([self.kinds, kinds])
        seen = streaming_mask(Entries.arrived(kinds, first=self.offset), Entries.arrived(everything))
        return None if seen.all() else seen[None, None]

    def trim(self, n: int) -> None:
        """Take back the last n target entries: a pop when nothing was read since, otherwise a compaction."""
        if not 0 <= n <= self.target_offset:
            raise ValueError(f"cannot take back {n} of {self.target_offset} target entries")
        if n:
            self._drop(np.flatnonzero(self.kinds == TARGET)[-n:])
            self.target_offset -= n

    def reset_target(self) -> None:
        """Forget what was written and keep what was read."""
        self.trim(self.target_offset)

    def reset(self) -> None:
        """Forget everything."""
        self._array = None
        self.offset = self.source_offset = self.target_offset = 0

    def _drop(self, gone: np.ndarray) -> None:
        kept = np.delete(np.arange(self.offset), gone)
        if len(kept) and kept[-1] >= len(kept):
            self._kinds[: len(kept)] = self._kinds[kept]
            self.gather(mx.array(kept[None]))
        self.offset = len(kept)
