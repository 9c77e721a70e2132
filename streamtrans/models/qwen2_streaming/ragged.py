"""One pass for the new tokens of several streams, each with a memory of its own.

The weights are read once for all tokens, which stand one after the other, whatever their number per stream. Attention
alone goes stream by stream.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from streamtrans.models.qwen2_streaming.attention_recorder import AttentionRecorder
from streamtrans.models.qwen2_streaming.forward_pass import Attention, ForwardPass, as_mask
from streamtrans.models.qwen2_streaming.model import Model
from streamtrans.models.qwen2_streaming.streaming_cache import DualStreamingCache
from streamtrans.runtime import mx

ROWS = 8
"""Products of more rows than this are fast where their number is a multiple of it (see `panels`)."""


@dataclass(frozen=True)
class NewTokens:
    """Tokens of one stream: ids, their kinds, uint8 (L,), and the stream's memory, one cache per layer."""

    ids: Sequence[int]
    kinds: np.ndarray
    memory: Sequence[DualStreamingCache]
    recorder: AttentionRecorder | None = None


def hidden_of(model: Model, streams: Sequence[NewTokens]) -> mx.array:
    """Hidden states after the last norm of all T tokens, stream after stream: (T or some more, H)."""
    qwen2 = model.model
    first_target = model.args.target_position_offset
    kinds = np.concatenate([stream.kinds for stream in streams])
    spare = -len(kinds) % ROWS if len(kinds) > ROWS else 0
    positions = np.concatenate([stream.memory[0].positions(stream.kinds, first_target) for stream in streams])
    phases = qwen2.rotary.phases(np.pad(positions, (0, spare)))
    forward = _RaggedPass(phases, kinds, parts=_parts(streams), spare=spare)
    ids = mx.array([[token for stream in streams for token in stream.ids] + [0] * spare])
    caches = list(zip(*[stream.memory for stream in streams], strict=True))
    return qwen2.norm(qwen2.run(qwen2.embed_tokens(ids), forward, caches))[0]


def _parts(streams: Sequence[NewTokens]) -> "list[tuple[slice, ForwardPass]]":
    """Where each stream's tokens are, and the pass of them alone."""
    parts, start = [], 0
    for stream in streams:
        mask = stream.memory[0].mask(stream.kinds)
        alone = ForwardPass(mx.zeros(0), stream.kinds, as_mask(mask), recorder=stream.recorder)
        parts.append((slice(start, start + len(stream.ids)), alone))
        start += len(stream.ids)
    return parts


@dataclass(frozen=True)
class _RaggedPass(ForwardPass):
    """A pass of which each part attends by itself, to a cache of its own.

    spare: rows at the end that are there to fill up; they see nothing.
    """

    parts: list[tuple[slice, ForwardPass]] = field(default_factory=list)
    spare: int = 0

    def with_bias(self, groups: int) -> "ForwardPass":
        return replace(self, parts=[(tokens, alone.with_bias(groups)) for tokens, alone in self.parts])

    def attend(
        self, cache: Any, queries: mx.array, entries: mx.array, attention: Attention, scale: float = 1.0
    ) -> mx.array:
        """cache: a cache per part."""
        mixed = [
            alone.attend(own, queries[:, :, tokens], entries[:, :, tokens], attention, scale)
            for own, (tokens, alone) in zip(cache, self.parts, strict=True)
        ]
        if self.spare:
            mixed.append(mx.zeros_like(mixed[0][..., :1, :]))
            mixed += [mixed[-1]] * (self.spare - 1)
        return mx.concatenate(mixed, axis=-2)
