"""Marian's position embeddings; numpy only, so that any library can compute with them."""

import numpy as np


def sinusoids(length: int, width: int) -> np.ndarray:
    """Return position embeddings, float32 (length, width): sines in the first half, cosines in the second."""
    half = width // 2
    rates = np.exp(np.arange(half) * -(np.log(10000.0) / max(1, half - 1)))
    angles = np.arange(length)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], 1).astype(np.float32)
