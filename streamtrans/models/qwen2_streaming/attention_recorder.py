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

    def __init__(self, heads: Heads, columns: np.ndarray, rows: int = 1, read: Sequence[int] = ()):
        """heads: record their attention. columns: entries of interest, (S,). rows: number R of last tokens.
        read: number of columns, from the first, that each batch row sees, (B,); for the reader of the weights.
        """
        self._heads, self._columns, self._rows, self.read = heads, mx.array(columns), rows, list(read)
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
        self._found.append(mx.softmax(scores.astype(mx.float32), axis=-1)[..., self._columns])

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


class RaggedRecorder(Recorded):
    """Attention of B streams, recorded by a recorder each, of fewer tokens than R and columns than S too."""

    def __init__(self, recorders: Sequence[AttentionRecorder], rows: int):
        """rows: R."""
        self._recorders, self._rows = recorders, rows

    def by_row(self) -> mx.array:
        """The weights, 0 where a stream has no column; its missing rows are zeros before the others."""
        found = [recorder.weights for recorder in self._recorders]  # each (1, heads, at most R, own columns)
        columns = max(weights.shape[3] for weights in found)
        padded = [mx.pad(w, [(0, 0), (0, 0), (self._rows - w.shape[2], 0), (0, columns - w.shape[3])]) for w in found]
        return mx.concatenate(padded).swapaxes(1, 2).flatten(0, 1)

    def read_by_row(self) -> list[int]:
        """The source tokens that each stream has read, (B·R,)."""
        return [recorder.read[0] for recorder in self._recorders for _ in range(self._rows)]


def last_read(weights: mx.array, read: mx.array, count: int) -> mx.array:
    """Pick from weights (N, heads, S) the last `count` of the first `read` (N,): (N, heads, count).

    The latest comes first; 0 where there are fewer.
    """
    at = read[:, None, None] - 1 - mx.arange(count)
    return mx.where(at >= 0, mx.take_along_axis(weights, mx.maximum(at, 0), axis=-1), 0)
