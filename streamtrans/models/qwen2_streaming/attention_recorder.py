"""Attention of chosen heads: recorded by the layers of a forward pass that is given a recorder."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from streamtrans.runtime import mx

Heads = Sequence[tuple[int, int]]
"""Attention heads as (layer, head), both from 0."""


class Recorded(Protocol):
    """Attention that was recorded in a pass of B batch rows, R tokens each, to S columns."""

    def by_row(self) -> mx.array:
        """The weights with the tokens of all batch rows one after the other, (B·R, heads, S)."""

    def read_by_row(self) -> list[int]:
        """The number of columns that each of these sees, (B·R,)."""


class AttentionRecorder(Recorded):
    """The attention of a pass's last tokens to some of the entries they see.

    Fast attention never has its weights as such, so those of the chosen heads and tokens are computed once more.
    """

    def __init__(self, heads: Heads, columns: np.ndarray | None, rows: int = 1, read: Sequence[int] = ()):
        """heads: record their attention. columns: entries of interest, (S,), or all. rows: number R of last tokens.
        read: number of columns, from the first, that each batch row sees, (B,); for the reader of the weights.
        """
        self._heads, self._rows, self.read = heads, rows, list(read)
        self._columns = None if columns is None else mx.array(columns)
        self._layer = 0
        self._found: list[mx.array] = []

    def note(self, queries: mx.array, keys: mx.array, mask: mx.array | None) -> None:
        """Called by each layer in order. queries: (B, heads, L, D), times the scale. keys: (B, KV, N, D).

        mask: bool (B|1, 1, L, N), or the summand of the scores, float32 (B|1, 1, heads/KV·L, N).
        """
        own = [head for layer, head in self._heads if layer == self._layer]
        self._layer += 1
        if not own:
            return
        group = queries.shape[1] // keys.shape[1]
        chosen = queries[:, mx.array(own), -self._rows :], keys[:, mx.array([head // group for head in own])]
        scores = chosen[0] @ chosen[1].swapaxes(-1, -2)
        if mask is not None:
            seen = mask[:, :, -self._rows :]  # of the copies a mask may hold for its groups, the last ones
            scores = mx.where(seen, scores, -mx.inf) if seen.dtype == mx.bool_ else scores + seen
        weights = mx.softmax(scores.astype(mx.float32), axis=-1)
        self._found.append(weights if self._columns is None else weights[..., self._columns])

    @property
    def weights(self) -> mx.array:
        """Attention weights (B, heads, R, S), heads by layer."""
        return mx.concatenate(self._found, axis=1)

    def by_row(self) -> mx.array:
        """The weights with the tokens of all batch rows one after the other, (B·R, heads, S)."""
        return self.weights.swapaxes(1, 2).flatten(0, 1)

    def read_by_row(self) -> list[int]:
        """`read` for each of these, (B·R,)."""
        return [count for count in self.read for _ in range(self._rows)]


class GatheredRecorder(Recorded):
    """Attention to columns that differ from row to row, out of a recorder of all columns."""

    def __init__(self, recorder: AttentionRecorder, columns: np.ndarray, read: Sequence[int], rows: int):
        """columns: (B, S) of each batch row. read: as in `AttentionRecorder`. rows: R."""
        self._recorder, self._columns, self._read, self._rows = recorder, mx.array(columns), list(read), rows

    def by_row(self) -> mx.array:
        """The weights with the tokens of all batch rows one after the other, (B·R, heads, S)."""
        columns = self._columns[:, None, None]
        return mx.take_along_axis(self._recorder.weights, columns, axis=3).swapaxes(1, 2).flatten(0, 1)

    def read_by_row(self) -> list[int]:
        """The number of columns that each of these sees, (B·R,)."""
        return [count for count in self._read for _ in range(self._rows)]


def last_read(weights: mx.array, read: mx.array, count: int) -> mx.array:
    """Pick from weights (N, heads, S) the last `count` of the first `read` (N,): (N, heads, count).

    The latest comes first; 0 where there are fewer.
    """
    at = read[:, None, None] - 1 - mx.arange(count)
    return mx.where(at >= 0, mx.take_along_axis(weights, mx.maximum(at, 0), axis=-1), 0)
