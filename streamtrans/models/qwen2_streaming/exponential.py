"""Functions of the exponential that are fast on CPU: as powers.

mlx's `exp`, and with it `sigmoid` and `softmax`, calls a function of the C library for every step of its polynomial,
12 ns a number. Its `power` calls the library once a number, 4.5 ns, with an error of half a rounding. So e^x is
written as a power of e here; a softmax of few scores is left to mlx, which does it in one operation.
"""

import math

from streamtrans.runtime import mx

_MANY_SCORES = 6_000  # where one softmax takes as long as the five operations in its place


def gated(gate: mx.array, up: mx.array) -> mx.array:
    """Compute silu(gate)·up of float32 arrays of one shape."""
    return gate * up / (1 + mx.power(1 / math.e, gate))


def confidence(logits: mx.array) -> tuple[mx.array, mx.array]:
    """Return the probability of the best token and the entropy in nats, float32 (B,), of logits (B, V), also −∞."""
    shifted = logits.astype(mx.float32) - mx.max(logits, axis=-1, keepdims=True)
    weights = mx.power(math.e, shifted)
    total = mx.sum(weights, axis=-1)
    # a banned token's 0 × −∞ is to be 0
    return 1 / total, mx.log(total) - mx.sum(weights * mx.maximum(shifted, -1e9), axis=-1) / total


def weighted(scores: mx.array, values: mx.array) -> mx.array:
    """Compute softmax(scores)·values, of float32 scores (..., R, N) and values (..., N, D): (..., R, D)."""
    if scores.size < _MANY_SCORES:
        return mx.softmax(scores, axis=-1) @ values
    weights = mx.power(math.e, scores - mx.max(scores, axis=-1, keepdims=True))
    return (weights @ values) / mx.sum(weights, axis=-1, keepdims=True)
