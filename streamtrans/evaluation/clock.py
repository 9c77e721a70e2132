"""The simulated clock of scoring: source words arrive at a steady pace, computation takes what it took."""

from collections.abc import Sequence

from streamtrans.errors import UsageError

WORD_MS = 400.0  # about the pace of speech, 150 words a minute


def simulate(
    delays: Sequence[float], computation_ms: Sequence[Sequence[tuple[float, float]]], word_ms: float = WORD_MS
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """When each target unit was ready: (elapsed in source units, elapsed_ms).

    Source unit j arrives at j·W ms. computation_ms[i]: all the work between target units i − 1 and i, in order, as
    (source units it needs, ms): reading, deciding, writing. A piece begins when the one before it is done and its
    source is there; target unit i is ready when its last piece is done.
    """
    if word_ms <= 0:
        raise UsageError(f"a source word every {word_ms:g} ms: the pace must be above 0")
    ready, now = [], 0.0
    for delay, work in zip(delays, computation_ms, strict=True):
        for needed, computation in work:
            now = max(needed * word_ms, now) + computation
        now = max(delay * word_ms, now)
        ready.append(now)
    return tuple(time / word_ms for time in ready), tuple(ready)
