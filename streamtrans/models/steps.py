"""What all layers of one forward pass share, and the two things every layer does with it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from streamtrans.runtime import mx


@dataclass(frozen=True)
class Step:
    """Computed once a pass, not once a layer.

    phases: complex64 (B|1, L, heads|1, D/2), see `rotary`. kinds: uint8 (L,) or (B, L), what the tokens are, for a
    streaming cache. mask: bool (B|1, 1, L, N), true where a token sees an entry, or None for everything.
    rows: int (R,) or (B, R), the tokens whose results the last layer is to give, or None for all.
    """

    phases: mx.array
    kinds: np.ndarray | None = None
    mask: mx.array | None = None
    rows: mx.array | None = None


def remember(cache: Any, entries: mx.array, kinds: np.ndarray | None) -> tuple[mx.array, mx.array]:
    """Keys and values (B, KV, N, D) to attend to: those of entries (B, 2·KV, L, D) after what the cache holds."""
    if kinds is not None:
        return cache.append(entries, kinds)
    keys, values = mx.split(entries, 2, axis=1)
    return (keys, values) if cache is None else cache.update_and_fetch(keys, values)


def take_rows(x: mx.array, rows: mx.array) -> mx.array:
    """Of x (B, L, ...) the tokens rows (R,), or (B, R) where each batch row has its own: (B, R, ...)."""
    if rows.ndim == 1:
        return mx.take(x, rows, axis=1)
    return mx.take_along_axis(x, rows.reshape(*rows.shape, *[1] * (x.ndim - 2)), axis=1)


def pick_rows(step: Step, queries: mx.array, h: mx.array) -> tuple[mx.array, mx.array, mx.array | None]:
    """Queries (B, L, heads, D), residual (B, L, H) and mask, cut down to the rows that are wanted."""
    if step.rows is None:
        return queries, h, step.mask
    mask = step.mask
    if mask is not None:
        if step.rows.ndim == 2:
            mask = mx.broadcast_to(mask, (h.shape[0], *mask.shape[1:]))
        mask = take_rows(mask.swapaxes(1, 2), step.rows).swapaxes(1, 2)
    return take_rows(queries, step.rows), take_rows(h, step.rows), mask
