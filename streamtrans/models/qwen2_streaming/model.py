"""Qwen2 with two streams: source and target have positions and memories of their own.

A list of `DualStreamingCache` (`Model.make_cache`) makes it stream; a list of mlx-lm's `KVCache`, or no cache, makes it
plain Qwen2. Parameter names are Hugging Face's, so a checkpoint goes in and out unchanged; `Model.fuse` trades them
for speed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from dataclasses import replace as changed
from typing import Any

import mlx.nn as nn
import numpy as np

from streamtrans.errors import ModelError
from streamtrans.models.qwen2_streaming.attention_recorder import AttentionRecorder
from streamtrans.models.qwen2_streaming.forward_pass import Step, pick_rows, remember
from streamtrans.models.qwen2_streaming.masks import SOURCE, TARGET
from streamtrans.models.qwen2_streaming.packed import FusedLayer, biased, can_fuse
from streamtrans.models.qwen2_streaming.panels import PanelEmbedding, PanelLinear, panel_width
from streamtrans.models.qwen2_streaming.rotary import Positions, Rotary, rotate
from streamtrans.models.qwen2_streaming.streaming_cache import DualStreamingCache
from streamtrans.runtime import mx, on_gpu

Rows = str | Sequence[int] | np.ndarray | None


@dataclass
class ModelArgs:
    """The fields of a Qwen2 `config.json` that shape the computation; defaults are those of `Qwen2Config`."""

    model_type: str = "qwen2"
    vocab_size: int = 151936
    hidden_size: int = 4096
    intermediate_size: int = 22016
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int = 0  # 0 or null: as many as query heads
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10000.0
    tie_word_embeddings: bool = False
    target_position_offset: int = 0

    def __post_init__(self) -> None:
        """As many key heads as query heads unless said otherwise; head counts must divide."""
        self.num_key_value_heads = self.num_key_value_heads or self.num_attention_heads
        if self.hidden_size % (2 * self.num_attention_heads) or self.num_attention_heads % self.num_key_value_heads:
            raise ModelError(
                f"{self.num_key_value_heads} key-value heads, {self.num_attention_heads} heads and "
                f"hidden size {self.hidden_size} must divide one another, to an even width per head"
            )

    @classmethod
    def from_dict(cls, config: dict[str, Any]) -> "ModelArgs":
        """The known fields of a dictionary, others ignored."""
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in config.items() if name in known})

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.hidden_size // self.num_attention_heads


class StreamingAttention(nn.Module):
    """Grouped-query attention over what a cache holds; biases on q, k and v."""

    def __init__(self, args: ModelArgs):
        super().__init__()
        self.n_heads, self.n_kv_heads, self.head_dim = args.num_attention_heads, args.num_key_value_heads, args.head_dim
        self.scale = self.head_dim**-0.5
        self.first_target = args.target_position_offset
        self.q_proj = nn.Linear(args.hidden_size, self.n_heads * self.head_dim, bias=True)
        self.k_proj = nn.Linear(args.hidden_size, self.n_kv_heads * self.head_dim, bias=True)
        self.v_proj = nn.Linear(args.hidden_size, self.n_kv_heads * self.head_dim, bias=True)
        self.o_proj = nn.Linear(self.n_heads * self.head_dim, args.hidden_size, bias=False)
        self._rotary = Rotary(self.head_dim, args.rope_theta)

    def __call__(
        self,
        x: mx.array,
        mask: mx.array | None = None,
        cache: Any = None,
        position_ids: Positions | None = None,
        is_reading: bool = True,
    ) -> mx.array:
        """One layer alone, (B, L, H) to (B, L, H); arguments as in `Model.__call__`, mask bool (B|1, 1, L, N)."""
        step = make_step(self._rotary, x.shape[1], cache, is_reading, position_ids, self.first_target, mask)
        return self.attend(x, x, step, cache)[0]

    def attend(self, x: mx.array, h: mx.array, step: Step, cache: Any) -> tuple[mx.array, mx.array]:
        """Attention of x (B, L, H) and the residual h, both of the step's rows only."""
        batch, length, _ = x.shape
        queries, keys, values = (
            projected(x).reshape(batch, length, -1, self.head_dim)
            for projected in (self.q_proj, self.k_proj, self.v_proj)
        )
        turned = rotate(mx.concatenate([queries, keys], axis=2), step.phases)
        queries, keys = mx.split(turned, [self.n_heads], axis=2)
        keys, values = remember(cache, mx.concatenate([keys, values], axis=2).swapaxes(1, 2), step.kinds)
        queries, h, mask = pick_rows(step, queries, h)
        queries = queries.swapaxes(1, 2)
        if step.recorder:
            step.recorder.note(queries * self.scale, keys, mask)
        mixed = mx.fast.scaled_dot_product_attention(queries, keys, values, scale=self.scale, mask=mask)
        return self.o_proj(mixed.swapaxes(1, 2).reshape(batch, queries.shape[2], -1)), h


class MLP(nn.Module):
    """Gated feed-forward layer, SwiGLU."""

    def __init__(self, args: ModelArgs):
        super().__init__()
        self.gate_proj = nn.Linear(args.hidden_size, args.intermediate_size, bias=False)
        self.up_proj = nn.Linear(args.hidden_size, args.intermediate_size, bias=False)
        self.down_proj = nn.Linear(args.intermediate_size, args.hidden_size, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        """(..., H) to (..., H). Written out: `nn.silu` is compiled, which on CPU needs a C++ compiler at run time."""
        gate = self.gate_proj(x)
        return self.down_proj(gate * mx.sigmoid(gate) * self.up_proj(x))


class StreamingTransformerBlock(nn.Module):
    """Attention and feed-forward, each behind a norm and added to the residual."""

    def __init__(self, args: ModelArgs):
        super().__init__()
        self.self_attn = StreamingAttention(args)
        self.mlp = MLP(args)
        self.input_layernorm = nn.RMSNorm(args.hidden_size, eps=args.rms_norm_eps)
        self.post_attention_layernorm = nn.RMSNorm(args.hidden_size, eps=args.rms_norm_eps)

    def __call__(
        self,
        x: mx.array,
        mask: mx.array | None = None,
        cache: Any = None,
        position_ids: Positions | None = None,
        is_reading: bool = True,
    ) -> mx.array:
        """One block alone, (B, L, H) to (B, L, H); arguments as in `StreamingAttention`."""
        own = self.self_attn
        step = make_step(own._rotary, x.shape[1], cache, is_reading, position_ids, own.first_target, mask)
        return self.run(x, step, cache)

    def run(self, h: mx.array, step: Step, cache: Any) -> mx.array:
        """(B, L, H) to (B, L or step's rows, H)."""
        mixed, h = self.self_attn.attend(self.input_layernorm(h), h, step, cache)
        h = h + mixed
        return h + self.mlp(self.post_attention_layernorm(h))


def make_step(
    rotary: Rotary,
    length: int,
    cache: Any,
    kinds: np.ndarray | bool,
    positions: Positions | None,
    first_target: int,
    mask: Any = None,
) -> Step:
    """Positions, mask and kinds of a pass of L tokens, from what one layer's cache holds before it.

    kinds: of each token, uint8 (L,) or (B, L), or for all, True for reading. positions: None goes on from the cache.
    mask: bool, broadcast to (B, 1, L, N); None asks the cache, or is causal.
    """
    if cache is not None and hasattr(cache, "source_offset"):
        own = np.full(length, SOURCE if kinds else TARGET, np.uint8) if np.ndim(kinds) == 0 else np.asarray(kinds)
        positions = cache.positions(own, first_target) if positions is None else positions
        mask = cache.mask(own) if mask is None else mask
    else:
        own, start = None, 0 if cache is None else cache.offset
        positions = np.arange(start, start + length) if positions is None else positions
        mask = np.tri(length, start + length, start, dtype=bool) if mask is None and length > 1 else mask
    return Step(rotary.phases(positions), own, None if mask is None else _four_axes(mask))


def _four_axes(mask: np.ndarray | mx.array) -> mx.array:
    """A boolean mask (L, N), (B, L, N) or (B|1, 1, L, N) as the last of these."""
    mask = mx.array(mask)
    if mask.ndim == 3:
        return mask[:, None]
    return mask.reshape(1, 1, *mask.shape) if mask.ndim == 2 else mask


class Qwen2ModelStreaming(nn.Module):
    """Embeddings, blocks and the final norm."""

    def __init__(self, args: ModelArgs):
        super().__init__()
        self.args = args
        self.embed_tokens: Any = nn.Embedding(args.vocab_size, args.hidden_size)
        self.layers: list[Any] = [StreamingTransformerBlock(args) for _ in range(args.num_hidden_layers)]
        self.norm = nn.RMSNorm(args.hidden_size, eps=args.rms_norm_eps)
        self._rotary = Rotary(args.head_dim, args.rope_theta)
        self._fused = False

    def __call__(
        self,
        inputs: mx.array,
        cache: Sequence[Any] | None = None,
        position_ids: Positions | None = None,
        is_reading: bool = True,
    ) -> mx.array:
        """Hidden states (B, L, H) of token ids (B, L); arguments as in `Model.__call__`."""
        first = cache[0] if cache else None
        offset = self.args.target_position_offset
        return self.run(
            inputs, make_step(self._rotary, inputs.shape[1], first, is_reading, position_ids, offset), cache
        )

    def run(self, inputs: mx.array, step: Step, cache: Sequence[Any] | None) -> mx.array:
        """Hidden states (B, L or step's rows, H); all layers but the last compute every token.

        Fused layers are started as they are described: describing a layer takes Python a third of its computing time.
        """
        h = self.embed_tokens(inputs)
        every = changed(step, rows=None)
        if self._fused:
            queries_per_key = self.args.num_attention_heads // self.args.num_key_value_heads
            every, step = (biased(s, queries_per_key) for s in (every, step))
        *lower, top = zip(self.layers, cache or [None] * len(self.layers), strict=True)
        for layer, memory in lower:
            h = layer.run(h, every, memory)
            if self._fused:
                mx.async_eval(h)
        return self.norm(top[0].run(h, step, top[1]))


class Model(nn.Module):
    """The language model: token ids in, logits out."""

    def __init__(self, args: ModelArgs):
        super().__init__()
        self.args = args
        self.model_type = args.model_type
        self.model = Qwen2ModelStreaming(args)
        if not args.tie_word_embeddings:
            self.lm_head: Any = nn.Linear(args.hidden_size, args.vocab_size, bias=False)

    def __call__(
        self,
        tokens: mx.array,
        cache: Sequence[Any] | None = None,
        is_reading: bool = True,
        position_ids: Positions | None = None,
    ) -> mx.array:
        """Logits (B, L, V) of token ids (B, L).

        With streaming caches the tokens are read (source) or written (target) and remembered as such. With `KVCache` or
        none, `is_reading` means nothing. position_ids: integers (L,) or (B, L), default: each stream goes on from its
        offset, target from `args.target_position_offset`; on the device they are not waited for.
        """
        return self.head(self.model(tokens, cache, position_ids, is_reading))

    def forward(
        self,
        ids: mx.array | np.ndarray | Sequence[Sequence[int]],
        positions: Positions | None = None,
        kinds: np.ndarray | Sequence[int] | None = None,
        mask: mx.array | np.ndarray | None = None,
        cache: Sequence[Any] | None = None,
        rows: Rows = None,
    ) -> mx.array:
        """Logits of tokens (B, L) whose kinds may differ: one pass may read new words and write the next token.

        kinds: uint8 (L,), or (B, L) for a batched cache, of PAD, SOURCE, TARGET; with a streaming cache, and there
        positions and mask follow from it unless given. Without a cache, mask is bool, broadcast to (B, 1, L, L), and
        None is causal. rows: the tokens that get logits, "last", indices (R,), or (B, R) with each batch row's own;
        None for all. Returns (B, L or R, V). To remember only, evaluate the `state` of the caches instead of the
        logits: what is not evaluated is not computed.
        """
        return self.head(self.hidden(ids, positions, kinds, mask, cache, rows))

    def hidden(
        self,
        ids: mx.array | np.ndarray | Sequence[Sequence[int]],
        positions: Positions | None = None,
        kinds: np.ndarray | Sequence[int] | None = None,
        mask: mx.array | np.ndarray | None = None,
        cache: Sequence[Any] | None = None,
        rows: Rows = None,
        recorder: AttentionRecorder | None = None,
    ) -> mx.array:
        """Hidden states after the last norm, (B, L or R, H), which `head` turns into logits; arguments of `forward`.

        recorder: notes where attention looks, if given.
        """
        ids = ids if isinstance(ids, mx.array) else mx.array(np.asarray(ids))
        first = cache[0] if cache else None
        if kinds is None and hasattr(first, "source_offset"):
            raise ValueError("a streaming cache must be told the kinds of the tokens")
        which = True if kinds is None else np.asarray(kinds, np.uint8)
        offset = self.args.target_position_offset
        step = make_step(self.model._rotary, ids.shape[1], first, which, positions, offset, mask)
        if rows is not None and ids.shape[1] > 1:
            step = changed(step, rows=_as_rows(rows, ids.shape[1]))
        return self.model.run(ids, changed(step, recorder=recorder) if recorder else step, cache)

    def head(self, h: mx.array) -> mx.array:
        """Logits (..., V) of hidden states (..., H)."""
        return self.model.embed_tokens.as_linear(h) if self.args.tie_word_embeddings else self.lm_head(h)

    @property
    def layers(self) -> list[Any]:
        """The blocks, first to last."""
        return self.model.layers

    def make_cache(self) -> list[DualStreamingCache]:
        """An empty cache of one stream, one a layer."""
        return [DualStreamingCache() for _ in self.layers]

    def fuse(self) -> "Model":
        """For inference: replace each layer by its fused form; changes nothing on a GPU or if a layer is not plain.

        A fused model cannot be trained or saved, and its parameters no longer have Hugging Face names.
        """
        if on_gpu() or not all(can_fuse(layer) for layer in self.layers):
            return self
        args, inner = self.args, self.model
        inner.layers = [FusedLayer(layer) for layer in self.layers]
        inner._fused = True
        turning = args.num_attention_heads + args.num_key_value_heads
        inner._rotary = Rotary(args.head_dim, args.rope_theta, turning, args.num_key_value_heads)
        if panel_width(args.vocab_size) >= 16:
            if args.tie_word_embeddings:
                inner.embed_tokens = PanelEmbedding(inner.embed_tokens.weight)
            else:
                self.lm_head = PanelLinear(self.lm_head.weight)
        mx.eval(self.parameters())
        return self


def _as_rows(rows: str | Sequence[int] | np.ndarray, length: int) -> slice | mx.array | None:
    """The rows of `Model.forward` as a step has them: all as None, neighbours as a slice, which copies nothing."""
    wanted = np.array([length - 1]) if isinstance(rows, str) else np.asarray(rows, np.int32)
    if wanted.ndim == 1 and len(wanted) and (np.diff(wanted) == 1).all() and wanted[0] >= 0:
        whole = len(wanted) == length
        return None if whole else slice(int(wanted[0]), int(wanted[-1]) + 1)
    return mx.array(wanted)
