"""The simulated clock of scoring: source words arrive at a steady pace, computation takes what it took."""

from collections.abc import Sequence

from streamtrans.errors import UsageError

WORD_MS = 400.0  # about the pace of speech, 150 words a minute


def simulate(
    delays: Sequence[float], computation_ms: Sequence[float], word_ms: float = WORD_MS
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """When each target unit was ready: (elapsed in source units, elapsed_ms).

    Source unit j arrives at j·W ms. Target unit i is ready at max(arrival of its delay, ready time of the unit before
    it) + computation_ms[i], where computation_ms[i] is all the work between the two: reading, deciding, writing.
    """
    if word_ms <= 0:
        raise UsageError(f"a source word every {word_ms:g} ms: the pace must be above 0")
    ready, now = [], 0.0
    for delay, computation in zip(delays, computation_ms, strict=True):
        now = max(delay * word_ms, now) + computation
        ready.append(now)
    return tuple(time / word_ms for time in ready), tuple(ready)
