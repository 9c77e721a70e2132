"""What all layers of one forward pass share, and the two things every layer does with it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from streamtrans.models.qwen2_streaming.attention_recorder import AttentionRecorder
from streamtrans.runtime import mx

Rows = slice | mx.array | None


@dataclass(frozen=True)
class Step:
    """Computed once a pass, not once a layer.

    phases: complex64 (heads|1, B|1, L, D/2), see `rotary`. kinds: uint8 (L,) or (B, L), what the tokens are, for a
    streaming cache. mask: bool (B|1, 1, L, N), true where a token sees an entry, or None for everything.
    rows: the tokens whose results the last layer is to give, a slice, int (R,) or (B, R), or None for all.
    recorder: notes where attention looks, or None.
    """

    phases: mx.array
    kinds: np.ndarray | None = None
    mask: mx.array | None = None
    rows: Rows = None
    recorder: AttentionRecorder | None = None


def remember(cache: Any, entries: mx.array, kinds: np.ndarray | None) -> tuple[mx.array, mx.array]:
    """Keys and values (B, KV, N, D) to attend to: those of entries (B, 2·KV, L, D) after what the cache holds."""
    if kinds is not None:
        return cache.append(entries, kinds)
    keys, values = mx.split(entries, 2, axis=1)
    return (keys, values) if cache is None else cache.update_and_fetch(keys, values)


def take_rows(x: mx.array, rows: slice | mx.array) -> mx.array:
    """Of x (B, L, ...) the tokens rows, a slice, (R,), or (B, R) where each batch row has its own: (B, R, ...)."""
    if isinstance(rows, slice):
        return x[:, rows]
    if rows.ndim == 1:
        return mx.take(x, rows, axis=1)
    return mx.take_along_axis(x, rows.reshape(*rows.shape, *[1] * (x.ndim - 2)), axis=1)


def pick_mask(step: Step) -> mx.array | None:
    """The mask (B|1, 1, L, N) cut down to the rows that are wanted."""
    mask, rows = step.mask, step.rows
    if mask is None or rows is None:
        return mask
    if not isinstance(rows, slice) and rows.ndim == 2:
        mask = mx.broadcast_to(mask, (len(rows), *mask.shape[1:]))
    return take_rows(mask.swapaxes(1, 2), rows).swapaxes(1, 2)


def pick_rows(step: Step, queries: mx.array, h: mx.array) -> tuple[mx.array, mx.array, mx.array | None]:
    """Queries (B, L, heads, D), residual (B, L, H) and mask, cut down to the rows that are wanted."""
    if step.rows is None:
        return queries, h, step.mask
    return take_rows(queries, step.rows), take_rows(h, step.rows), pick_mask(step)
