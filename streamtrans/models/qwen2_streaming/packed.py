"""The same transformer in as few operations as it takes, for inference on CPU.

One operation costs 3–10 µs there whatever its size, which at decoding sizes is as much as the arithmetic. So the
weights are prepared once, in float32: q, k, v become one matrix and gate, up another; each is stored in panels, the
order in which it is read; the gains of the norms and the scale of the attention are multiplied in; and the rows of q
and k are reordered so that the two halves of each rotary pair lie side by side, where one complex multiplication turns
all heads at once (value heads turn by zero). Panels of q, k, v are heads, so attention finds its operands where the
product left them. Every result equals the plain layer's up to float32 rounding, and a test holds it to that.
"""

from collections.abc import Sequence
from typing import Any

import mlx.nn as nn

from streamtrans.models.qwen2_streaming.exponential import gated, weighted
from streamtrans.models.qwen2_streaming.forward_pass import ForwardPass
from streamtrans.models.qwen2_streaming.model import Model, ModelArgs, Qwen2ModelStreaming, StreamingTransformerBlock
from streamtrans.models.qwen2_streaming.panels import (
    PanelEmbedding,
    PanelLinear,
    add_product,
    flat,
    multiply,
    panel_width,
    panels,
)
from streamtrans.models.qwen2_streaming.rotary import Rotary
from streamtrans.runtime import mx, on_gpu


def pack(model: Model) -> Model:
    """Pack a model's weights, layer by layer, and return it; on a GPU, or if a layer is not plain, as it is.

    A packed model can neither be trained nor saved, and its parameters no longer have Hugging Face's names. Weights may
    be in any float type, and not yet read from their file: no more than a layer of them is held in two forms.
    """
    if on_gpu() or not all(_is_plain(layer) for layer in model.layers):
        return model
    model.model = PackedQwen2(model.model)
    if not model.args.tie_word_embeddings and _in_panels(model.args):
        model.lm_head = PanelLinear(model.lm_head.weight)
    model.set_dtype(mx.float32)
    mx.eval(model.parameters())
    return model


def _in_panels(args: ModelArgs) -> bool:
    """Whether the output layer goes in panels: a size without a fair divisor would give thousands of thin ones."""
    return panel_width(args.vocab_size) >= 16


def _is_plain(layer: nn.Module) -> bool:
    """Whether a layer is a plain block: not packed yet, not quantised, no adapters."""
    if not isinstance(layer, StreamingTransformerBlock):
        return False
    attention, mlp = layer.self_attn, layer.mlp
    parts = [attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj]
    parts += [mlp.gate_proj, mlp.up_proj, mlp.down_proj]
    return all(type(part) is nn.Linear for part in parts)


class PackedQwen2(Qwen2ModelStreaming):
    """Embeddings, packed layers and the final norm; takes over the parts of a plain one, whose layers it empties."""

    def __init__(self, plain: Qwen2ModelStreaming):
        """Pack what `plain` holds."""
        nn.Module.__init__(self)
        args = self.args = plain.args
        turning = args.num_attention_heads + args.num_key_value_heads
        self.rotary = Rotary(args.head_dim, args.rope_theta, turning, args.num_key_value_heads)
        self.norm, self.layers = plain.norm, []
        self.embed_tokens, blocks = plain.embed_tokens, plain.layers
        if args.tie_word_embeddings and _in_panels(args):
            self.embed_tokens = PanelEmbedding(plain.embed_tokens.weight)
        while blocks:
            self.layers.append(PackedLayer(blocks.pop(0), args))
            mx.eval(self.layers[-1].parameters())

    def run(self, h: mx.array, forward: ForwardPass, caches: Sequence[Any], rows: slice | None = None) -> mx.array:
        """Start each layer as soon as it is described: describing one takes Python a third of its computing time."""
        batch, _, width = h.shape
        h = h.reshape(-1, width)
        groups = self.args.num_attention_heads // self.args.num_key_value_heads
        every = forward.with_bias(groups)
        *lower, top = zip(self.layers, caches, strict=True)
        for layer, cache in lower:
            h = layer.run(h, batch, every, cache)
            mx.async_eval(h)
        last = every if rows is None else forward.narrowed(rows).with_bias(groups)
        return top[0].run(h, batch, last, top[1]).reshape(batch, -1, width)


class PackedLayer(nn.Module):
    """One transformer layer made from a plain one."""

    def __init__(self, block: StreamingTransformerBlock, args: ModelArgs):
        """Take the weights of a block whose projections are plain Linear layers."""
        super().__init__()
        self.n_heads, self.n_kv_heads, self.head_dim = args.num_attention_heads, args.num_key_value_heads, args.head_dim
        attention, mlp = block.self_attn, block.mlp
        q, k, v = attention.q_proj, attention.k_proj, attention.v_proj
        gain, scales = _float(block.input_layernorm.weight), self._scales(attention.scale)
        weight = mx.concatenate([self._paired(q.weight), self._paired(k.weight), v.weight])
        bias = mx.concatenate([self._paired(q.bias), self._paired(k.bias), v.bias])
        self.qkv = panels(weight, self.head_dim) * scales * gain[:, None]
        self.qkv_bias = _float(bias).reshape(-1, 1, self.head_dim) * scales
        self.out = panels(attention.o_proj.weight)
        gain = _float(block.post_attention_layernorm.weight)
        both = mx.concatenate([mlp.gate_proj.weight, mlp.up_proj.weight])
        self.gate_up = panels(both, panel_width(args.intermediate_size)) * gain[:, None]
        self.down = panels(mlp.down_proj.weight)
        self._eps = mx.array([[args.rms_norm_eps]])
        self._mean = mx.full((args.hidden_size, 1), 1 / args.hidden_size)
        mx.eval(self._eps, self._mean)  # constants, not parameters; evaluated now so that other threads can use them

    def _paired(self, weight: mx.array) -> mx.array:
        """Rows (heads·D, …) in halves order to pair order, within each head."""
        rest = weight.shape[1:]
        return weight.reshape(-1, 2, self.head_dim // 2, *rest).swapaxes(1, 2).reshape(-1, *rest)

    def _scales(self, scale: float) -> mx.array:
        """Factors of the heads (heads + 2·KV, 1, 1): queries are scaled."""
        return mx.array([scale] * self.n_heads + [1.0] * 2 * self.n_kv_heads).reshape(-1, 1, 1)

    def run(self, h: mx.array, batch: int, forward: ForwardPass, cache: Any) -> mx.array:
        """Tokens (B·L, H) to (B·L or B·wanted rows, H); the pass is one `with_bias`."""
        qkv = multiply(self._unit(h), self.qkv, plus=self.qkv_bias)
        queries, entries = mx.split(self._turn(qkv, batch, forward.phases), [self.n_heads], axis=1)
        if forward.rows is not None:
            queries, h = queries[:, :, forward.rows], _rows_of(h, batch, forward.rows)
        h = add_product(h, forward.attend(cache, queries, entries, self._attend), self.out)
        gate, up = mx.split(multiply(self._unit(h), self.gate_up), 2)
        return add_product(h, flat(gated(gate, up)), self.down)

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
        """Queries (B, heads, L, D) over keys and values (B, KV, N, D) to (B·L, heads·D); bias of a pass `with_bias`.

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


def _float(array: mx.array) -> mx.array:
    return array.astype(mx.float32)


def _rows_of(h: mx.array, batch: int, rows: slice) -> mx.array:
    """Of tokens (B·L, H) each batch row's wanted ones."""
    if batch == 1:
        return h[rows]
    return h.reshape(batch, -1, h.shape[1])[:, rows].reshape(-1, h.shape[1])
