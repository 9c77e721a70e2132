"""Functions of the exponential that are fast on CPU, where mlx computes `exp` one number at a time (12 ns each).

For many numbers it is faster to do as vector libraries do, in additions and multiplications, which mlx does eight or
sixteen at a time: 2^y = 2^n·2^f with n whole and f in [-½, ½], a polynomial for the second and the bits of the exponent
for the first. Twenty operations at 0.3 ns a number; relative error 2·10⁻⁷, the rounding of float32. For few numbers
the twenty operations cost more than they save, so both ways are here and the size chooses.
"""

import math

from streamtrans.runtime import mx

_MANY_GATES, _MANY_SCORES = 8_000, 20_000  # where the two ways take the same time
_LOWEST = -126.0  # of the exponents of float32 that are not denormal
_TO_WHOLE = 1.5 * 2.0**23  # added to a number, it leaves the nearest whole one in the lowest bits
_LOG2_E = math.log2(math.e)
# 2^f on [-½, ½], the interpolation at the Chebyshev nodes, highest power first
_COEFFICIENTS = (0.001339086336, 0.009676031918, 0.05550357114, 0.2402210749, 0.693147188, 1.000000075)


def _power_of_two(y: mx.array) -> mx.array:
    """2^y for float32 y from `_LOWEST` to its opposite."""
    shifted = y + _TO_WHOLE
    rest = y - (shifted - _TO_WHOLE)
    power = rest * _COEFFICIENTS[0] + _COEFFICIENTS[1]
    for coefficient in _COEFFICIENTS[2:]:
        power = power * rest + coefficient
    return (power.view(mx.int32) + (shifted.view(mx.int32) << 23)).view(mx.float32)


def gated(gate: mx.array, up: mx.array) -> mx.array:
    """silu(gate)·up of float32 arrays of one shape."""
    if gate.size < _MANY_GATES:
        return gate * mx.sigmoid(gate) * up
    return gate * up / (1 + _power_of_two(mx.clip(gate * -_LOG2_E, _LOWEST, -_LOWEST)))


def weighted(scores: mx.array, values: mx.array) -> mx.array:
    """softmax(scores)·values: float32 scores (..., R, N) and values (..., N, D) to (..., R, D)."""
    if scores.size < _MANY_SCORES:
        return mx.softmax(scores, axis=-1) @ values
    below = (scores - mx.max(scores, axis=-1, keepdims=True)) * _LOG2_E
    weights = _power_of_two(mx.maximum(below, _LOWEST))
    return (weights @ values) / mx.sum(weights, axis=-1, keepdims=True)
