"""The streaming mask, built once here for training and for inference; numpy only, so that any trainer can use it.

Source entries see earlier source. Target entries see earlier target and the source that had been read when the token
they predict was chosen. Two clocks define "had been read", and one rule covers both:

- in training a row holds the whole pair, and `read` counts words: what a source token needs, what a target row has;
- in a live cache entries lie in order of arrival, and both `order` and `read` are simply that order.
"""

from dataclasses import dataclass

import numpy as np

PAD, SOURCE, TARGET = 0, 1, 2


@dataclass(frozen=True)
class Entries:
    """Tokens as the mask sees them; three integer arrays of one shape (..., N).

    kind: PAD, SOURCE or TARGET. order: place within its own stream. read: for a source token, the amount of source
    after which it is there; for a target token, the amount that had been read when its successor was chosen.
    """

    kind: np.ndarray
    order: np.ndarray
    read: np.ndarray

    @classmethod
    def arrived(cls, kind: np.ndarray, first: int = 0) -> "Entries":
        """Make entries of a cache, in order of arrival: kind (..., N); `first` is the first one's arrival number."""
        order = np.broadcast_to(np.arange(first, first + kind.shape[-1]), kind.shape)
        return cls(kind, order, order)


def streaming_mask(queries: Entries, keys: Entries) -> np.ndarray:
    """Return a boolean mask (..., Nq, Nk), true where a query (..., Nq) sees a key (..., Nk).

    Padding is seen by padding alone, its own entry at least: a row of nothing would turn a softmax into NaN.
    """
    query_kind, key_kind = queries.kind[..., :, None], keys.kind[..., None, :]
    earlier = keys.order[..., None, :] <= queries.order[..., :, None]
    was_read = keys.read[..., None, :] <= queries.read[..., :, None]
    same = (query_kind == key_kind) & earlier
    across = (query_kind == TARGET) & (key_kind == SOURCE) & was_read
    return same | across
