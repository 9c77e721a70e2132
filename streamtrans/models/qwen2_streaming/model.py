"""Qwen2 with two streams: source and target have positions and memories of their own.

A list of `DualStreamingCache` (`Model.make_cache`) makes it stream; a list of mlx-lm's `KVCache`, or no cache, makes it
plain Qwen2. Parameter names are Hugging Face's, so a checkpoint goes in and out unchanged; `packed.pack` trades them
for speed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import mlx.nn as nn
import numpy as np

from streamtrans.errors import ModelError
from streamtrans.models.qwen2_streaming.attention_recorder import AttentionRecorder
from streamtrans.models.qwen2_streaming.forward_pass import Cache, ForwardPass, as_cache, as_slice, make_pass
from streamtrans.models.qwen2_streaming.masks import PAD, SOURCE, TARGET
from streamtrans.models.qwen2_streaming.rotary import Positions, Rotary, rotate
from streamtrans.models.qwen2_streaming.streaming_cache import DualStreamingCache
from streamtrans.runtime import mx


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
        """Fill in the key heads, by default as many as query heads; ModelError for sizes that do not divide."""
        self.num_key_value_heads = self.num_key_value_heads or self.num_attention_heads
        if self.hidden_size % (2 * self.num_attention_heads) or self.num_attention_heads % self.num_key_value_heads:
            raise ModelError(
                f"{self.num_key_value_heads} key-value heads, {self.num_attention_heads} heads and "
                f"hidden size {self.hidden_size} must divide one another, to an even width per head"
            )

    @classmethod
    def from_dict(cls, config: dict[str, Any]) -> "ModelArgs":
        """Take the known fields of a dictionary and ignore the others."""
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
        """Run one layer by itself, (B, L, H) to (B, L, H); see `Model.__call__`; mask: bool (B|1, 1, L, N)."""
        forward, cache = self.alone(x.shape[1], mask, cache, position_ids, is_reading)
        return self.attend(x, x, forward, cache)[0]

    def alone(
        self, length: int, mask: mx.array | None, cache: Any, position_ids: Positions | None, is_reading: bool
    ) -> tuple[ForwardPass, Cache]:
        """Make the pass and the cache of one layer that runs by itself."""
        memory = as_cache(cache)
        kinds = _kinds(length, is_reading)
        return make_pass(self._rotary, memory, kinds, self.first_target, position_ids, mask), memory

    def attend(self, x: mx.array, h: mx.array, forward: ForwardPass, cache: Cache) -> tuple[mx.array, mx.array]:
        """Return attention of x (B, L, H), and the residual h, both cut down to the wanted rows."""
        batch, length, _ = x.shape
        queries, keys, values = (
            projected(x).reshape(batch, length, -1, self.head_dim)
            for projected in (self.q_proj, self.k_proj, self.v_proj)
        )
        turned = rotate(mx.concatenate([queries, keys], axis=2), forward.phases)
        queries, keys = mx.split(turned, [self.n_heads], axis=2)
        entries = mx.concatenate([keys, values], axis=2).swapaxes(1, 2)
        queries, h = forward.wanted(queries, h)
        mixed = forward.attend(cache, queries.swapaxes(1, 2), entries, partial(_mix, self.scale), self.scale)
        return self.o_proj(mixed.swapaxes(1, 2).reshape(batch, queries.shape[1], -1)), h


def _mix(scale: float, queries: mx.array, keys: mx.array, values: mx.array, mask: mx.array | None) -> mx.array:
    """Attention (B, heads, L, D); see `forward_pass.Attention`."""
    return mx.fast.scaled_dot_product_attention(queries, keys, values, scale=scale, mask=mask)


class MLP(nn.Module):
    """Gated feed-forward layer, SwiGLU."""

    def __init__(self, args: ModelArgs):
        super().__init__()
        self.gate_proj = nn.Linear(args.hidden_size, args.intermediate_size, bias=False)
        self.up_proj = nn.Linear(args.hidden_size, args.intermediate_size, bias=False)
        self.down_proj = nn.Linear(args.intermediate_size, args.hidden_size, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        """Turn x (..., H) into (..., H); `nn.silu` is compiled, which on CPU needs a C++ compiler at run time."""
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
        """Run one block by itself, (B, L, H) to (B, L, H); arguments as in `StreamingAttention`."""
        forward, memory = self.self_attn.alone(x.shape[1], mask, cache, position_ids, is_reading)
        return self.run(x, forward, memory)

    def run(self, h: mx.array, forward: ForwardPass, cache: Cache) -> mx.array:
        """Turn h (B, L, H) into (B, L or wanted rows, H)."""
        mixed, h = self.self_attn.attend(self.input_layernorm(h), h, forward, cache)
        h = h + mixed
        return h + self.mlp(self.post_attention_layernorm(h))


class Qwen2ModelStreaming(nn.Module):
    """Embeddings, blocks and the final norm."""

    def __init__(self, args: ModelArgs):
        super().__init__()
        self.args = args
        self.embed_tokens: Any = nn.Embedding(args.vocab_size, args.hidden_size)
        self.layers: list[Any] = [StreamingTransformerBlock(args) for _ in range(args.num_hidden_layers)]
        self.norm = nn.RMSNorm(args.hidden_size, eps=args.rms_norm_eps)
        self.rotary = Rotary(args.head_dim, args.rope_theta)

    def __call__(
        self,
        inputs: mx.array,
        cache: Sequence[Any] | None = None,
        position_ids: Positions | None = None,
        is_reading: bool = True,
    ) -> mx.array:
        """Hidden states (B, L, H) of token ids (B, L); arguments as in `Model.__call__`."""
        return self.hidden(inputs, _kinds(inputs.shape[1], is_reading), position_ids, cache=cache)

    def hidden(
        self,
        ids: mx.array,
        kinds: np.ndarray,
        positions: Positions | None = None,
        mask: mx.array | np.ndarray | None = None,
        cache: Sequence[Any] | None = None,
        rows: slice | None = None,
        recorder: AttentionRecorder | None = None,
    ) -> mx.array:
        """Hidden states (B, L or wanted rows, H); arguments as in `Model.hidden`."""
        caches = [as_cache(memory) for memory in cache or [None] * len(self.layers)]
        forward = make_pass(self.rotary, caches[0], kinds, self.args.target_position_offset, positions, mask)
        return self.norm(self.run(self.embed_tokens(ids), replace(forward, recorder=recorder), caches, rows))

    def run(self, h: mx.array, forward: ForwardPass, caches: Sequence[Any], rows: slice | None = None) -> mx.array:
        """Turn embeddings (B, L, H) into (B, L or wanted rows, H); all layers but the last compute every token.

        caches: what the pass remembers its tokens in, one per layer.
        """
        *lower, top = zip(self.layers, caches, strict=True)
        for layer, cache in lower:
            h = layer.run(h, forward, cache)
        return top[0].run(h, forward.narrowed(rows), top[1])


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
        offset, target from `args.target_position_offset`; arrays on the device are never synchronised.
        """
        return self.head(self.model(tokens, cache, position_ids, is_reading))

    def forward(
        self,
        ids: mx.array | np.ndarray | Sequence[Sequence[int]],
        positions: Positions | None = None,
        kinds: np.ndarray | Sequence[int] | None = None,
        mask: mx.array | np.ndarray | None = None,
        cache: Sequence[Any] | None = None,
        rows: Sequence[int] | np.ndarray | None = None,
    ) -> mx.array:
        """Logits (B, L or R, V) of tokens (B, L) whose kinds may differ; arguments as in `hidden`."""
        return self.head(self.hidden(ids, positions, kinds, mask, cache, rows))

    def hidden(
        self,
        ids: mx.array | np.ndarray | Sequence[Sequence[int]],
        positions: Positions | None = None,
        kinds: np.ndarray | Sequence[int] | None = None,
        mask: mx.array | np.ndarray | None = None,
        cache: Sequence[Any] | None = None,
        rows: Sequence[int] | np.ndarray | None = None,
        recorder: AttentionRecorder | None = None,
    ) -> mx.array:
        """Hidden states after the last norm, (B, L or R, H): one pass may read new words and write the next token.

        kinds: uint8 (L,) of SOURCE, TARGET, which a streaming cache must be told. positions and mask follow from the
        cache unless given; mask is bool, broadcast to (B, 1, L, N). rows: the R tokens that get results, neighbours in
        order; None for all. recorder: notes where attention looks. To remember only, evaluate the `state` of the caches
        instead of the result: what is not evaluated is not computed.
        """
        ids = ids if isinstance(ids, mx.array) else mx.array(np.asarray(ids))
        length = ids.shape[1]
        of_kind = np.full(length, PAD, np.uint8) if kinds is None else np.asarray(kinds, np.uint8)
        wanted = None if rows is None else as_slice(rows, length)
        return self.model.hidden(ids, of_kind, positions, mask, cache, wanted, recorder)

    def head(self, h: mx.array) -> mx.array:
        """Logits (..., V) of hidden states (..., H)."""
        return self.model.embed_tokens.as_linear(h) if self.args.tie_word_embeddings else self.lm_head(h)

    @property
    def layers(self) -> list[Any]:
        """The blocks, first to last."""
        return self.model.layers

    def make_cache(self) -> list[DualStreamingCache]:
        """An empty cache of one stream, one per layer."""
        return [DualStreamingCache() for _ in self.layers]


def _kinds(length: int, is_reading: bool) -> np.ndarray:
    return np.full(length, SOURCE if is_reading else TARGET, np.uint8)
