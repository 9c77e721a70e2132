"""The same transformer layer in as few operations as it takes, for inference on CPU.

One operation costs 3–10 µs there whatever its size, which at decoding sizes is as much as the arithmetic. So the
weights are prepared once: q, k, v become one matrix and gate, up another; each is stored in panels, the order in which
it is read; the gains of the norms and the scale of the attention are multiplied in; and the rows of q and k are
reordered so that the two halves of each rotary pair lie side by side, where one complex multiplication turns all heads
at once (value heads turn by zero). Panels of q, k, v are heads, so attention finds its operands where the product left
them. Every result equals the plain layer's up to float32 rounding, and a test holds it to that.
"""

from dataclasses import replace

import mlx.nn as nn

from streamtrans.models.qwen2_streaming.exponential import gated, weighted
from streamtrans.models.qwen2_streaming.forward_pass import Step, pick_mask, remember, take_rows
from streamtrans.models.qwen2_streaming.panels import add_product, flat, multiply, panels
from streamtrans.runtime import mx


def _turned(weight: mx.array, head_dim: int) -> mx.array:
    """Rows (heads·D, …) in halves order to pair order, within each head."""
    rest = weight.shape[1:]
    return weight.reshape(-1, 2, head_dim // 2, *rest).swapaxes(1, 2).reshape(-1, *rest)


def can_fuse(layer: nn.Module) -> bool:
    """Whether a layer is a plain float32 block: not fused yet, not quantised, no adapters."""
    if isinstance(layer, FusedLayer):
        return False
    attention, mlp = layer.self_attn, layer.mlp
    parts = [attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj]
    parts += [mlp.gate_proj, mlp.up_proj, mlp.down_proj]
    return all(type(part) is nn.Linear and part.weight.dtype == mx.float32 for part in parts)


def biased(step: Step, queries_per_key: int) -> Step:
    """A step whose mask is what fused layers add to their scores, 0 or -∞: float32 (B|1, 1, heads/KV·L, N)."""
    mask = pick_mask(step)
    if mask is None:
        return step
    bias = mx.where(mask, 0.0, -mx.inf)
    return replace(step, mask=mx.concatenate([bias] * queries_per_key, axis=2))


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
        self.qkv = panels(mx.concatenate(weight) * block.input_layernorm.weight, self.head_dim)
        self.qkv_bias = mx.concatenate(bias).reshape(-1, 1, self.head_dim)
        self.out = panels(attention.o_proj.weight)
        gain = block.post_attention_layernorm.weight
        self.gate_up = mx.concatenate([panels(mlp.gate_proj.weight * gain), panels(mlp.up_proj.weight * gain)])
        self.down = panels(mlp.down_proj.weight)
        self._eps = mx.array([[self.eps]])
        self._mean = mx.full((len(gain), 1), 1 / len(gain))
        mx.eval(self._eps, self._mean)  # no parameters, but of use to other threads only when they are there

    def run(self, h: mx.array, step: Step, cache: object | None) -> mx.array:
        """(B, L, H) to (B, L or step's rows, H); the step's mask is `biased`."""
        batch, _, width = h.shape
        qkv = multiply(self._unit(h.reshape(-1, width)), self.qkv, plus=self.qkv_bias)
        queries, entries = mx.split(self._turn(qkv, batch, step.phases), [self.n_heads], axis=1)
        keys, values = remember(cache, entries, step.kinds)
        if step.rows is not None:
            queries, h = take_rows(queries.swapaxes(1, 2), step.rows).swapaxes(1, 2), take_rows(h, step.rows)
        if step.recorder:
            step.recorder.note(queries, keys, step.mask)
        h = add_product(h.reshape(-1, width), self._attend(queries, keys, values, step.mask), self.out)
        gate, up = mx.split(multiply(self._unit(h), self.gate_up), 2)
        return add_product(h, flat(gated(gate, up)), self.down).reshape(batch, -1, width)

    def _unit(self, h: mx.array) -> mx.array:
        """Rows of h (R, H) divided by their root mean square; the gain is in the next matrix.

        A mean of squares is a product, which takes fewer operations than `mx.fast.rms_norm` does on CPU.
        """
        if len(h) == 1:
            return h * mx.rsqrt(mx.addmm(self._eps, h, h.T, alpha=1 / h.shape[1]))
        return h * mx.rsqrt(mx.addmm(self._eps, h * h, self._mean))

    def _turn(self, qkv: mx.array, batch: int, phases: mx.array) -> mx.array:
        """Heads (heads + 2·KV, B·L, D) turned by phases (heads + 2·KV, B|1, L, D/2): (B, heads + 2·KV, L, D)."""
        count, _, width = qkv.shape
        pairs = qkv.view(mx.complex64)
        if batch == 1:
            return (pairs[None] * phases.swapaxes(0, 1)).view(mx.float32)
        return (pairs.reshape(count, batch, -1, width // 2) * phases).view(mx.float32).swapaxes(0, 1)

    def _attend(self, queries: mx.array, keys: mx.array, values: mx.array, bias: mx.array | None) -> mx.array:
        """Queries (B, heads, L, D) over keys and values (B, KV, N, D) to (B·L, heads·D); bias as `biased` makes it.

        The query heads that share a key head are rows of one product, so nothing is repeated or broadcast.
        """
        batch, heads, length, width = queries.shape
        rows = queries.reshape(batch, self.n_kv_heads, -1, width)
        keys = keys.swapaxes(-1, -2)
        scores = rows @ keys if bias is None else mx.addmm(bias, rows, keys)
        mixed = weighted(scores, values)
        if length == 1:
            return mixed.reshape(batch, -1)
        return mixed.reshape(batch, heads, length, width).swapaxes(1, 2).reshape(batch * length, -1)
