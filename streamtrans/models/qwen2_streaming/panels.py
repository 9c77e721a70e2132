"""Matrix products the way a small batch wants them on CPU: the weight in panels of at most 64 columns.

A product of few rows takes as long as reading the weight, so the order of reading decides. OpenBLAS takes such products
by 64 results at a time: with a weight stored whole it jumps a row of the matrix for each input, and past 10⁶
multiplications it first copies the weight into tiles. A panel holds what 64 results need in one run of memory, small
enough for the kernels that copy nothing; a product is a batch of panels (docs/speed.md has the numbers: half the time
at 1 to 16 rows). Many rows are cut into tiles of less than 10⁶ multiplications, which keeps them in the same kernels.

Those kernels exist for AVX-512. Elsewhere a panel is copied like any matrix, and a weight is one panel, whole.

The results (P, R, W) come panel after panel. That is what attention wants, one panel a head; `flat` makes rows of them.
"""

import mlx.nn as nn

from streamtrans.runtime import mx, small_products_in_place

WIDEST = 64
"""Results per panel: as many as one pass of OpenBLAS's kernels holds in registers."""

_IN_PANELS = small_products_in_place()
_SMALL = 10**6  # multiplications of the largest product that the kernels take as it is


def panel_width(results: int) -> int:
    """Return the largest divisor of a number of results that makes a panel; all results where panels do not pay."""
    widest = min(results, WIDEST) if _IN_PANELS else results
    return max(n for n in range(1, widest + 1) if results % n == 0)


def panels(weight: mx.array, width: int | None = None) -> mx.array:
    """Cut a weight (N, K), as Linear stores it, into panels (N/W, K, W) of float32.

    It is reordered before it is converted: 16-bit numbers move in half the time.
    """
    width = width or panel_width(len(weight))
    return mx.contiguous(weight.reshape(-1, width, weight.shape[1]).swapaxes(1, 2)).astype(mx.float32)


def multiply(x: mx.array, weight: mx.array, plus: mx.array | None = None) -> mx.array:
    """Multiply rows x (R, K) by panels (P, K, W) and add a row (P, 1, W): (P, R, W)."""
    if len(x) == 1:
        x = _for_every_panel(x, len(weight))
        return x @ weight if plus is None else mx.addmm(plus, x, weight)
    product = _many(x, weight)
    return product if plus is None else product + plus


def _for_every_panel(x: mx.array, count: int) -> mx.array:
    """View a row (1, K) as (P, 1, K), with explicit strides: mlx would copy a row that it broadcasts itself."""
    width = x.shape[-1]
    return mx.as_strided(x, (count, 1, width), (0, width, 1))


def _many(x: mx.array, weight: mx.array) -> mx.array:
    """Multiply rows x (R, K) by panels (P, K, W): (P, R, W); many rows in tiles."""
    rows, width = x.shape
    most = _SMALL // (width * weight.shape[-1])
    tile = max((n for n in range(8, most + 1) if rows % n == 0), default=0)
    if rows <= most or not tile or not _IN_PANELS:
        return x @ weight
    tiled = x.reshape(1, rows // tile, tile, width) @ weight[:, None]
    return tiled.reshape(len(weight), rows, -1)


def add_product(h: mx.array, x: mx.array, weight: mx.array) -> mx.array:
    """Add to rows h (R, N) the product of rows x (R, K) and panels (P, K, W), P·W = N: (R, N)."""
    count, _, width = weight.shape
    if len(x) == 1:
        return multiply(x, weight, plus=h.reshape(count, 1, width)).reshape(1, -1)
    return (h.reshape(-1, count, width) + multiply(x, weight).swapaxes(0, 1)).reshape(h.shape)


def flat(results: mx.array) -> mx.array:
    """Put results (P, R, W) into rows (R, P·W)."""
    rows = results.shape[1]
    return results.reshape(1, -1) if rows == 1 else results.swapaxes(0, 1).reshape(rows, -1)


class PanelLinear(nn.Module):
    """A weight without bias, kept as panels."""

    def __init__(self, weight: mx.array):
        """Take a weight (N, K)."""
        super().__init__()
        self.weight = panels(weight)

    def __call__(self, x: mx.array) -> mx.array:
        """Map x (..., K) to (..., N)."""
        return flat(multiply(x.reshape(-1, x.shape[-1]), self.weight)).reshape(*x.shape[:-1], -1)


class PanelEmbedding(PanelLinear):
    """A table of embeddings (V, H) kept as panels only: one copy serves as input table and as output weight."""

    def __call__(self, ids: mx.array) -> mx.array:
        """Embeddings (..., H) of token ids (...)."""
        width = self.weight.shape[-1]
        return self.weight[ids // width, :, ids % width]

    def as_linear(self, h: mx.array) -> mx.array:
        """Logits (..., V) of hidden states (..., H)."""
        return super().__call__(h)
