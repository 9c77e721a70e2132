"""Rotary positions as one table of complex numbers per forward pass, shared by all its layers.

`mx.fast.rope` takes one offset, so a pass whose tokens are not one run (new source words and the last target token)
would need several calls per layer, and on CPU each costs more than the attention itself (53 µs against 8 µs for one
complex multiplication with this table at decoding sizes). The table is made on the host where positions are host
integers; positions that live on the device are never waited for.
"""

from collections.abc import Sequence

import numpy as np

from streamtrans.runtime import mx

Positions = Sequence[int] | Sequence[Sequence[int]] | np.ndarray | mx.array


class Rotary:
    """Turns positions into phases exp(i·position·θ^(-2j/D)), j = 0 … D/2 - 1."""

    def __init__(self, head_dim: int, theta: float, turning: int = 1, still: int = 0):
        """Make a table for `turning` heads that turn (1 broadcasts over all), then `still` heads that do not."""
        self._frequencies = theta ** (-np.arange(0, head_dim, 2) / head_dim)
        self._turning, self._still = turning, still
        self._known = np.zeros((0, head_dim // 2), np.complex64)

    def phases(self, positions: Positions) -> mx.array:
        """Return complex64 (heads, B, L, D/2) for integer positions (B, L), (heads, 1, L, D/2) for positions (L,)."""
        if isinstance(positions, mx.array):
            return self._on_device(positions)
        wanted = np.atleast_2d(np.asarray(positions))
        known = self._known  # once: another thread may replace it
        if wanted.size and (wanted.min() < 0 or wanted.max() >= len(known)):
            turned = self._computed(wanted)
        else:
            turned = known[wanted]
        table = np.ones((self._turning + self._still, *turned.shape), np.complex64)
        table[: self._turning] = turned
        return mx.array(table)

    def _computed(self, wanted: np.ndarray) -> np.ndarray:
        """Compute phases of any integers; up to some thousands they are also kept for the next pass."""
        if wanted.min() >= 0 and (size := int(wanted.max()) + 256) <= 8192:
            known = np.exp(1j * np.outer(np.arange(size), self._frequencies)).astype(np.complex64)
            self._known = known
            return known[wanted]
        return np.exp(1j * (wanted[..., None] * self._frequencies)).astype(np.complex64)

    def _on_device(self, positions: mx.array) -> mx.array:
        positions = positions[None] if positions.ndim == 1 else positions
        angles = positions.astype(mx.float32)[None, ..., None] * mx.array(self._frequencies.astype(np.float32))
        phases = mx.cos(angles) + 1j * mx.sin(angles)
        parts = [mx.broadcast_to(phases, (self._turning, *phases.shape[1:]))]
        if self._still:
            parts.append(mx.ones((self._still, *phases.shape[1:]), mx.complex64))
        return mx.concatenate(parts)


def rotate(heads: mx.array, phases: mx.array) -> mx.array:
    """Rotate (B, L, heads, D), whose halves hold real and imaginary parts as Hugging Face's do, by (1, B, L, D/2).

    The result has the two parts of a pair side by side instead: attention is a dot product and does not mind the order
    of its terms, as long as queries and keys agree, and the packed layers want this one.
    """
    real, imaginary = mx.split(heads.reshape(*heads.shape[:-1], 2, -1).astype(mx.float32), 2, axis=-2)
    cos, sin = (part[0, :, :, None, None] for part in (mx.real(phases), mx.imag(phases)))
    pairs = mx.concatenate([real * cos - imaginary * sin, imaginary * cos + real * sin], axis=-2)
    return pairs.swapaxes(-1, -2).reshape(heads.shape).astype(heads.dtype)
