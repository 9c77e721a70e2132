"""The same transformer layer in as few operations as it takes, for inference on CPU.

One operation costs 4–10 µs there whatever its size, which at decoding sizes is more than the arithmetic. So the weights
are prepared once: q, k, v become one matrix and gate, up another; each is stored the way it is multiplied (input rows,
output columns: a row vector times such a matrix reads memory in order); the gains of the norms and the scale of the
attention are multiplied in; and the rows of q and k are reordered so that the two halves of each rotary pair lie side
by side, where one complex multiplication turns all heads at once (value heads turn by zero). Every result equals the
plain layer's up to float32 rounding, and a test holds it to that.
"""

from math import e

import mlx.nn as nn

from streamtrans.models.steps import Step, pick_rows, remember
from streamtrans.runtime import mx


def _turned(weight: mx.array, head_dim: int) -> mx.array:
    """Rows (heads·D, …) in halves order to pair order, within each head."""
    rest = weight.shape[1:]
    return weight.reshape(-1, 2, head_dim // 2, *rest).swapaxes(1, 2).reshape(-1, *rest)


def _stored(weight: mx.array) -> mx.array:
    return mx.contiguous(weight.T)


def block_size(rows: int) -> int:
    """The largest divisor of `rows` from 64 to 1200, for `row_times_blocks`; 0 where there is none."""
    return max((n for n in range(64, min(rows, 1200) + 1) if rows % n == 0), default=0)


def row_times_blocks(x: mx.array, weight: mx.array, block: int) -> mx.array:
    """x @ weight.T for one row x (1, H) and a tall weight (V, H), as a batch of products with `block` rows each.

    OpenBLAS has kernels for small products that read the weight once and in place, for a transposed weight up to 1200
    results; beyond, it first copies the weight into packed tiles, which for a single row takes longer than the product
    (8000×256 on an AVX-512 machine: 540 µs in one piece, 200 µs in eight).
    """
    return (x @ weight.reshape(-1, block, weight.shape[1]).swapaxes(-1, -2)).reshape(1, -1)


def can_fuse(layer: nn.Module) -> bool:
    """Whether a layer is a plain float32 block: not fused yet, not quantised, no adapters."""
    if isinstance(layer, FusedLayer):
        return False
    attention, mlp = layer.self_attn, layer.mlp
    parts = [attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj]
    parts += [mlp.gate_proj, mlp.up_proj, mlp.down_proj]
    return all(type(part) is nn.Linear and part.weight.dtype == mx.float32 for part in parts)


_MANY = 8192
"""From so many numbers on, `mx.power` pays: mlx computes exp on CPU one number at a time, 12 ns each, power in 4."""


def _gated(gate: mx.array, up: mx.array) -> mx.array:
    """SwiGLU: gate·sigmoid(gate)·up."""
    if gate.size < _MANY:
        return gate * mx.sigmoid(gate) * up
    return gate * up / (1 + mx.power(1 / e, gate))


def _softmax(scores: mx.array) -> mx.array:
    """Softmax over the last axis."""
    if scores.size < _MANY:
        return mx.softmax(scores, axis=-1)
    weights = mx.power(e, scores - mx.max(scores, axis=-1, keepdims=True))
    return weights / mx.sum(weights, axis=-1, keepdims=True)


class FusedLayer(nn.Module):
    """One transformer layer made from a plain one; it can neither be trained nor saved."""

    def __init__(self, block: nn.Module):
        """Take the weights of a `StreamingTransformerBlock` whose projections are plain Linear layers."""
        super().__init__()
        attention, mlp = block.self_attn, block.mlp
        self.n_heads, self.n_kv_heads, self.head_dim = attention.n_heads, attention.n_kv_heads, attention.head_dim
        self.eps = block.input_layernorm.eps
        q, k, v = attention.q_proj, attention.k_proj, attention.v_proj
        weight = [_turned(q.weight, self.head_dim) * attention.scale, _turned(k.weight, self.head_dim), v.weight]
        bias = [_turned(q.bias, self.head_dim) * attention.scale, _turned(k.bias, self.head_dim), v.bias]
        self.qkv = _stored(mx.concatenate(weight) * block.input_layernorm.weight)
        self.qkv_bias = mx.concatenate(bias)
        self.out = _stored(attention.o_proj.weight)
        gain = block.post_attention_layernorm.weight
        self.gate_up = _stored(mx.concatenate([mlp.gate_proj.weight, mlp.up_proj.weight]) * gain)
        self._eps = mx.array([[self.eps]])
        self.down = _stored(mlp.down_proj.weight)

    def run(self, h: mx.array, step: Step, cache: object | None) -> mx.array:
        """(B, L, H) to (B, L or step's rows, H)."""
        batch, length, width = h.shape
        qkv = mx.addmm(self.qkv_bias, self._unit(h.reshape(-1, width)), self.qkv)
        pairs = qkv.view(mx.complex64).reshape(batch, length, -1, self.head_dim // 2) * step.phases
        heads = pairs.view(mx.float32)
        keys, values = remember(cache, heads[:, :, self.n_heads :].swapaxes(1, 2), step.kinds)
        queries = heads[:, :, : self.n_heads]
        queries, h, mask = pick_rows(step, queries, h)
        h = mx.addmm(h.reshape(-1, width), self._attend(queries, keys, values, mask), self.out)
        gate, up = mx.split(self._unit(h) @ self.gate_up, 2, axis=-1)
        return mx.addmm(h, _gated(gate, up), self.down).reshape(batch, -1, width)

    def _unit(self, h: mx.array) -> mx.array:
        """Rows of h (R, H) divided by their root mean square; the gain is in the next matrix.

        The mean of one row's squares is a product of the row with itself: two operations fewer than a sum of squares.
        """
        if len(h) > 1:
            return mx.fast.rms_norm(h, None, self.eps)
        return h * mx.rsqrt(mx.addmm(self._eps, h, h.T, alpha=1 / h.shape[1]))

    def _attend(self, queries: mx.array, keys: mx.array, values: mx.array, mask: mx.array | None) -> mx.array:
        """Queries (B, L, heads, D) over keys and values (B, KV, N, D) to (B, L, heads·D); mask bool (B|1, 1, L, N).

        The query heads that share a key head are rows of one product, so nothing is repeated or broadcast.
        """
        batch, length = queries.shape[:2]
        grouped = (batch, self.n_kv_heads, -1, self.head_dim)
        rows = queries.reshape(batch, length, self.n_kv_heads, -1, self.head_dim).swapaxes(1, 2).reshape(grouped)
        scores = rows @ keys.swapaxes(-1, -2)
        if mask is not None:
            by_row = scores.reshape(batch, self.n_kv_heads, length, -1, scores.shape[-1])
            scores = mx.where(mask[:, :, :, None], by_row, -mx.inf).reshape(scores.shape)
        mixed = _softmax(scores) @ values
        return mixed.reshape(batch, self.n_kv_heads, length, -1).swapaxes(1, 2).reshape(batch * length, -1)
