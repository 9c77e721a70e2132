"""The memory of one stream in one attention layer, source and target in one buffer in order of arrival.

Keys carry their rotation when they arrive, so attention does not care in which order they lie: only the mask needs to
know the kind of an entry and when it came, and only the rotation needs its position. Hence the two memories of the
streaming transformer are one buffer here: a read or a write appends at its end, and what attention gets is a view of
the filled part. Nothing is concatenated or sorted on the way, and a target row of one stream needs no mask at all.

The buffer holds keys and values together, (B, 2·KV, N, D) with the KV key heads first: one write a layer and step.
"""

import numpy as np

from streamtrans.models.qwen2_streaming.masks import SOURCE, TARGET, Entries, streaming_mask
from streamtrans.runtime import mx

BLOCK = 256


class EntryBuffer:
    """Keys and values of N entries, (B, 2·KV, N, D), in a buffer that grows by whole blocks of `BLOCK` entries.

    Writing is in place: mlx reuses the memory of a slice update when nobody else holds the array, so views handed out
    must not be kept across a step (a kept view stays valid, at the price of one copy).
    """

    def __init__(self) -> None:
        self.array: mx.array | None = None
        self.size = 0

    @property
    def capacity(self) -> int:
        """Entries that fit without growing."""
        return 0 if self.array is None else self.array.shape[2]

    def append(self, entries: mx.array) -> tuple[mx.array, mx.array]:
        """Write (B, 2·KV, L, D) at the end; return keys and values of all entries, each (B, KV, N, D)."""
        end = self.size + entries.shape[2]
        if end > self.capacity:
            self._grow(entries, end)
        assert self.array is not None
        self.array[:, :, self.size : end] = entries
        self.size = end
        heads = entries.shape[1] // 2
        return self.array[:, :heads, :end], self.array[:, heads:, :end]

    def _grow(self, like: mx.array, needed: int) -> None:
        batch, heads, _, width = like.shape
        more = -(-(needed - self.capacity) // BLOCK) * BLOCK
        room = mx.zeros((batch, heads, more, width), like.dtype)
        self.array = room if self.array is None else mx.concatenate([self.array, room], axis=2)

    def filled(self) -> mx.array | None:
        """The entries, (B, 2·KV, N, D), or None while nothing has been written."""
        return None if self.array is None else self.array[:, :, : self.size]

    def gather(self, columns: np.ndarray) -> None:
        """Keep of each row these entries only, in this order: columns (B, n), or (1, n) for all rows alike."""
        entries = self.filled()
        assert entries is not None
        self.array, self.size = None, 0
        self.append(mx.take_along_axis(entries, mx.array(columns)[:, None, :, None], axis=2))


class DualStreamingCache:
    """Source and target memory of one stream (a batch must read and write in lockstep) in one layer."""

    def __init__(self) -> None:
        self._buffer = EntryBuffer()
        self._kinds = np.zeros(BLOCK, np.uint8)
        self.source_offset = 0
        self.target_offset = 0

    def __len__(self) -> int:
        return self._buffer.size

    @property
    def kinds(self) -> np.ndarray:
        """SOURCE or TARGET of each entry in order of arrival, (N,) uint8; a view."""
        return self._kinds[: len(self)]

    @property
    def nbytes(self) -> int:
        """Bytes held on the device, the unfilled part of the last block included."""
        return 0 if self._buffer.array is None else self._buffer.array.nbytes

    def append(self, entries: mx.array, kinds: np.ndarray) -> tuple[mx.array, mx.array]:
        """Add L entries (B, 2·KV, L, D), key heads first, of kinds (L,); return all keys and values (B, KV, N, D)."""
        start = len(self)
        keys, values = self._buffer.append(entries)
        if len(self._kinds) < self._buffer.capacity:
            self._kinds = np.concatenate([self._kinds, np.zeros(self._buffer.capacity - len(self._kinds), np.uint8)])
        self._kinds[start : len(self)] = kinds
        source = int(np.count_nonzero(kinds == SOURCE))
        self.source_offset += source
        self.target_offset += len(kinds) - source
        return keys, values

    def update_source(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Remember read tokens: keys, values (B, KV, L, D), already rotated; returns those of all entries."""
        return self.append(mx.concatenate([keys, values], axis=1), np.full(keys.shape[2], SOURCE, np.uint8))

    def update_target(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Remember written tokens: keys, values (B, KV, L, D), already rotated; returns those of all entries."""
        return self.append(mx.concatenate([keys, values], axis=1), np.full(keys.shape[2], TARGET, np.uint8))

    def positions(self, kinds: np.ndarray, first_target: int = 0) -> np.ndarray:
        """Positions (L,) of tokens about to arrive: each kind goes on from its own, target from `first_target`."""
        source = kinds == SOURCE
        own = np.where(source, np.cumsum(source), np.cumsum(~source)) - 1
        return own + np.where(source, self.source_offset, first_target + self.target_offset)

    def mask(self, kinds: np.ndarray) -> np.ndarray | None:
        """What tokens of kinds (L,) may see once appended: bool (1, 1, L, N + L), or None where they see everything."""
        if len(kinds) == 1 and (kinds[0] == TARGET or not self.target_offset):
            return None
        everything = np.concatenate([self.kinds, kinds])
        seen = streaming_mask(Entries.arrived(kinds, first=len(self)), Entries.arrived(everything))
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
        self._buffer = EntryBuffer()
        self.source_offset = self.target_offset = 0

    def _drop(self, gone: np.ndarray) -> None:
        kept = np.delete(np.arange(len(self)), gone)
        if len(kept) and kept[-1] >= len(kept):
            self._kinds[: len(kept)] = self._kinds[kept]
            self._buffer.gather(kept[None])
        self._buffer.size = len(kept)

    @property
    def state(self) -> tuple[mx.array | None, np.ndarray]:
        """(entries (B, 2·KV, N, D) or None, kinds (N,)): what `save_cache` writes, and what to evaluate."""
        return self._buffer.filled(), self.kinds.copy()
