"""The memory of one stream in one attention layer, source and target in one buffer in order of arrival.

Keys carry their rotation when they arrive, so attention does not care in which order they lie: only the mask needs to
know the kind of an entry and when it came, and only the rotation needs its position. Hence the two memories of the
streaming transformer are one buffer here: a read or a write appends at its end, and what attention gets is a view of
the filled part. Nothing is concatenated or sorted on the way, and a target row of one stream needs no mask at all.

The buffer holds keys and values together, (B, 2·KV, N, D) with the KV key heads first: one write a layer and step.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from streamtrans.errors import DataError
from streamtrans.models.masks import PAD, SOURCE, TARGET, Entries, streaming_mask
from streamtrans.runtime import mx

BLOCK = 256
_FORMAT = "streamtrans-cache-1"


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

    def keep(self, rows: np.ndarray) -> None:
        """Go on with these batch rows only, in this order."""
        if self.array is not None:
            self.array = mx.take(self.array, mx.array(rows), axis=0)

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


class BatchedStreamingCache:
    """Memory of B streams in one layer that go their own ways: each row has kinds, offsets and holes of its own.

    All rows grow by the same number of columns; where a row has nothing to add its column is PAD, which no other token
    sees. A finished row's place can be given to the next sentence (`reset_row`) and `compact` takes the holes out.
    """

    def __init__(self, rows: int) -> None:
        self._buffer = EntryBuffer()
        self.kinds = np.zeros((rows, 0), np.uint8)
        self.source_offset = np.zeros(rows, np.int64)
        self.target_offset = np.zeros(rows, np.int64)

    def __len__(self) -> int:
        return self.kinds.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes held on the device, the unfilled part of the last block included."""
        return 0 if self._buffer.array is None else self._buffer.array.nbytes

    def append(self, entries: mx.array, kinds: np.ndarray) -> tuple[mx.array, mx.array]:
        """Add L columns (B, 2·KV, L, D), key heads first, of kinds (B, L); return all keys and values (B, KV, N, D)."""
        kinds = self._by_row(kinds)
        self.kinds = np.concatenate([self.kinds, kinds], axis=1)
        self.source_offset = self.source_offset + (kinds == SOURCE).sum(axis=1)
        self.target_offset = self.target_offset + (kinds == TARGET).sum(axis=1)
        return self._buffer.append(entries)

    def positions(self, kinds: np.ndarray, first_target: int = 0) -> np.ndarray:
        """Positions (B, L) of tokens about to arrive: each kind of a row goes on from its own offset; 0 for padding."""
        kinds = self._by_row(kinds)
        source, target = kinds == SOURCE, kinds == TARGET
        on_source = source.cumsum(axis=1) - 1 + self.source_offset[:, None]
        on_target = target.cumsum(axis=1) - 1 + self.target_offset[:, None] + first_target
        return np.where(source, on_source, np.where(target, on_target, 0))

    def mask(self, kinds: np.ndarray) -> np.ndarray | None:
        """What tokens of kinds (B, L) may see once appended: bool (B, 1, L, N + L), or None where they see all."""
        kinds = self._by_row(kinds)
        everything = np.concatenate([self.kinds, kinds], axis=1)
        seen = streaming_mask(Entries.arrived(kinds, first=len(self)), Entries.arrived(everything))
        return None if seen.all() else seen[:, None]

    def trim(self, counts: np.ndarray) -> None:
        """Take back the last counts[b] target entries of each row b; counts (B,) of whole numbers."""
        counts = np.asarray(counts)
        if (counts < 0).any() or (counts > self.target_offset).any():
            raise ValueError(f"cannot take back {counts.tolist()} of {self.target_offset.tolist()} target entries")
        target = self.kinds == TARGET
        number_from_end = target[:, ::-1].cumsum(axis=1)[:, ::-1]
        self.kinds[target & (number_from_end <= counts[:, None])] = PAD
        self.target_offset = self.target_offset - counts
        self._pop()

    def reset_row(self, row: int) -> None:
        """Forget everything of one row, so that another sentence can take its place."""
        self.kinds[row] = PAD
        self.source_offset[row] = self.target_offset[row] = 0
        self._pop()

    def keep(self, rows: Sequence[int] | np.ndarray) -> None:
        """Go on with these rows only, in this order."""
        rows = np.asarray(rows, np.int64)
        self.kinds, self.source_offset, self.target_offset = (
            a[rows] for a in (self.kinds, self.source_offset, self.target_offset)
        )
        self._buffer.keep(rows)
        self._pop()

    def compact(self, slack: int = 0) -> None:
        """Pack every row to the left, if that gains more than `slack` columns; the longest row decides the width.

        Arrival order within a row stays, and rows never see one another, so no mask or position changes its meaning.
        """
        width = int((self.kinds != PAD).sum(axis=1).max(initial=0))
        if len(self) - width > slack:
            columns = np.argsort(self.kinds == PAD, axis=1, kind="stable")[:, :width]
            self.kinds = np.take_along_axis(self.kinds, columns, axis=1)
            self._buffer.gather(columns)

    def _by_row(self, kinds: np.ndarray) -> np.ndarray:
        kinds = np.asarray(kinds, np.uint8)
        return np.broadcast_to(kinds, (len(self.kinds), kinds.shape[-1]))

    def _pop(self) -> None:
        """Give back the last columns where they are padding in every row."""
        used = np.flatnonzero((self.kinds != PAD).any(axis=0))
        self._buffer.size = int(used[-1]) + 1 if len(used) else 0
        self.kinds = self.kinds[:, : self._buffer.size]

    @property
    def state(self) -> tuple[mx.array | None, np.ndarray]:
        """(entries (B, 2·KV, N, D) or None, kinds (B, N)): what `save_cache` writes, and what to evaluate."""
        return self._buffer.filled(), self.kinds.copy()


StreamingCache = DualStreamingCache | BatchedStreamingCache


def save_cache(path: str | Path, caches: Sequence[StreamingCache]) -> None:
    """Write the caches of one stream or one batch, one a layer, to a safetensors file."""
    arrays: dict[str, mx.array] = {}
    for layer, cache in enumerate(caches):
        entries, kinds = cache.state
        arrays[f"{layer}.kinds"] = mx.array(kinds)
        if entries is not None:
            arrays[f"{layer}.entries"] = entries
    mx.save_safetensors(str(path), arrays, {"format": _FORMAT, "layers": str(len(caches))})


def load_cache(path: str | Path) -> list[Any]:
    """The caches that `save_cache` wrote, one a layer; DataError for any other file."""
    try:
        arrays, about = cast(tuple[dict[str, mx.array], dict[str, str]], mx.load(str(path), "safetensors", True))
    except (RuntimeError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a saved cache: {error}") from error
    if about.get("format") != _FORMAT:
        raise DataError(f"{path} is not a saved cache")
    caches: list[Any] = []
    for layer in range(int(about["layers"])):
        kinds = np.array(arrays[f"{layer}.kinds"])
        cache = DualStreamingCache() if kinds.ndim == 1 else BatchedStreamingCache(len(kinds))
        if f"{layer}.entries" in arrays:
            cache.append(arrays[f"{layer}.entries"], kinds)
        caches.append(cache)
    return caches
