"""When the source was read: for each target word, how many source words the model is trained to have seen."""

import numpy as np

EVERYTHING = 1_000_000
"""A read budget that no source reaches: the whole source and its end mark."""


def wait_k_schedule(k: float, target_words: int) -> np.ndarray:
    """Read budgets (target_words + 1,) of wait-k, for each word and for the end: k, k + 1, …; k may be infinite."""
    if k == float("inf"):
        return np.full(target_words + 1, EVERYTHING)
    return int(k) + np.arange(target_words + 1)


def random_schedule(rng: np.random.Generator, source_words: int, target_words: int, max_lag: int = 9) -> np.ndarray:
    """Read budgets (target_words + 1,) of a random policy: the diagonal plus a lag redrawn now and then, never falling.

    Lags are 1 … max_lag source words; one redraw in five words on average.
    """
    lag = rng.integers(1, max_lag + 1, size=target_words + 1)
    redrawn = np.where(rng.random(target_words + 1) < 0.2, np.arange(target_words + 1), 0)
    lag = lag[np.maximum.accumulate(redrawn)]
    diagonal = np.floor(np.arange(target_words + 1) * source_words / max(1, target_words)).astype(np.int64)
    return np.maximum.accumulate(diagonal + lag)
