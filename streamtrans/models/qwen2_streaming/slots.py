"""The memories of streams that come and go, a slot each: one array per layer holds them all.

Attention of many streams is a few operations per layer that way, not a few per stream. As in `streaming_cache`, entries
lie in order of arrival; an entry that was taken back leaves a hole, until its slot is full and closes up.
"""

import weakref
from collections.abc import Sequence

import numpy as np

from streamtrans.models.qwen2_streaming.masks import PAD, SOURCE, TARGET
from streamtrans.runtime import mx

BLOCK = 64
"""Columns by which all slots grow."""


class Slot:
    """The memory of one stream, which is free again when nobody has it any more."""

    def __init__(self, number: int):
        self.number = number


class Slots:
    """Keys and values per layer, (S, 2·KV, N, D), key heads first, and the kind of each entry, uint8 (S, N)."""

    def __init__(self, layers: int):
        self._arrays: list[mx.array | None] = [None] * layers
        self._free: list[int] = []
        self.kinds = np.zeros((0, BLOCK), np.uint8)
        self.ends = np.zeros(0, np.int64)  # columns that are used, or holes

    def open(self) -> Slot:
        """An empty slot."""
        if not self._free:
            more = max(4, len(self.kinds))
            self._free += range(len(self.kinds), len(self.kinds) + more)
            self._resize(len(self.kinds) + more, self.kinds.shape[1])
        slot = Slot(self._free.pop())
        weakref.finalize(slot, self._free.append, slot.number)
        self.forget(slot)
        return slot

    def forget(self, slot: Slot) -> None:
        """Empties a slot."""
        self.kinds[slot.number] = PAD
        self.ends[slot.number] = 0

    def take_back(self, slot: Slot, n: int) -> None:
        """Takes back the last n target entries."""
        if n:
            own = self.kinds[slot.number]
            own[np.flatnonzero(own == TARGET)[-n:]] = PAD
            used = np.flatnonzero(own)
            self.ends[slot.number] = used[-1] + 1 if len(used) else 0

    def positions(self, slot: Slot, kinds: np.ndarray, first_target: int) -> np.ndarray:
        """Positions (L,) of new tokens: each kind goes on from its own, target from `first_target`."""
        own, source = self.kinds[slot.number], kinds == SOURCE
        begin = np.where(source, np.count_nonzero(own == SOURCE), first_target + np.count_nonzero(own == TARGET))
        return begin + np.where(source, np.cumsum(source), np.cumsum(~source)) - 1

    def place(self, slot: Slot, kinds: np.ndarray) -> np.ndarray:
        """Makes room for new tokens of these kinds (L,); gives their columns (L,)."""
        number, length = slot.number, len(kinds)
        if self.ends[number] + length > self.kinds.shape[1]:
            self._close_up(number)
        if (end := self.ends[number] + length) > (width := self.kinds.shape[1]):
            self._resize(len(self.kinds), width + -(-(end - width) // BLOCK) * BLOCK)
        columns = np.arange(end - length, end)
        self.kinds[number, columns] = kinds
        self.ends[number] = end
        return columns

    def seen(self, slot: Slot, columns: np.ndarray) -> np.ndarray:
        """The entries that the tokens in these columns (L,) see, as `streaming_mask` has it: bool (L, N)."""
        own = self.kinds[slot.number]
        earlier = np.arange(len(own)) <= columns[:, None]
        return earlier & (own != PAD) & ((own[columns] == TARGET)[:, None] | (own == SOURCE))

    def append(
        self, layer: int, numbers: mx.array, columns: mx.array, entries: mx.array, rows: mx.array
    ) -> tuple[mx.array, mx.array]:
        """Keeps the entries (T, 2·KV, D) of a layer at slots and columns, each (T,).

        Returns all keys and values, each (B, KV, N, D), of the slots in `rows` (B,).
        """
        count, width = self.kinds.shape
        array = self._arrays[layer]
        if array is None:
            array = self._arrays[layer] = mx.zeros((count, entries.shape[1], width, entries.shape[2]), entries.dtype)
        array[numbers, :, columns] = entries
        keys, values = mx.split(array[rows], 2, axis=1)
        return keys, values

    def _close_up(self, number: int) -> None:
        """Moves the entries of a slot together, where there are holes."""
        used = np.flatnonzero(self.kinds[number])
        if len(used) == self.ends[number]:
            return
        columns = mx.array(used)
        for array in self._arrays:
            if array is not None:
                array[number, :, : len(used)] = array[number][:, columns]
        self.kinds[number, : len(used)] = self.kinds[number, used]
        self.kinds[number, len(used) :] = PAD
        self.ends[number] = len(used)

    def _resize(self, slots: int, width: int) -> None:
        """Adds slots and columns; zero, because a masked entry's weight is 0, but 0 × NaN is NaN."""
        before, columns = self.kinds.shape
        more = [(0, slots - before), (0, width - columns)]
        self.kinds = np.pad(self.kinds, more)
        self.ends = np.pad(self.ends, more[0])
        for layer, array in enumerate(self._arrays):
            if array is not None:
                self._arrays[layer] = mx.pad(array, [more[0], (0, 0), more[1], (0, 0)])


def columns_of(slots: Slots, rows: Sequence[Slot], kind: int) -> tuple[np.ndarray, list[int]]:
    """The columns of a kind in each slot, in order, filled up with 0: (B, most), and how many there are, (B,)."""
    found = [np.flatnonzero(slots.kinds[slot.number] == kind) for slot in rows]
    counts = [len(own) for own in found]
    most = max(1, *counts) if counts else 1
    return np.stack([np.pad(own, (0, most - len(own))) for own in found]), counts
