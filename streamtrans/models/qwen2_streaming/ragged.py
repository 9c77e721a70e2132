"""One pass for the new tokens of several streams, each with a memory of its own.

The weights are read once for all tokens, which stand one after the other, whatever their number per stream. Attention
has them in rows, one per stream, padded to the longest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from streamtrans.models.qwen2_streaming.attention_recorder import AttentionRecorder
from streamtrans.models.qwen2_streaming.forward_pass import Attention, ForwardPass
from streamtrans.models.qwen2_streaming.model import Model
from streamtrans.models.qwen2_streaming.slots import Slot, Slots
from streamtrans.runtime import mx

ROWS = 8
"""Products of more rows than this are fast where their number is a multiple of it (see `panels`)."""


@dataclass(frozen=True)
class NewTokens:
    """Tokens of one stream: ids, their kinds, uint8 (L,), and the stream's memory."""

    ids: Sequence[int]
    kinds: np.ndarray
    slot: Slot


def hidden_of(
    model: Model, slots: Slots, streams: Sequence[NewTokens], recorder: AttentionRecorder | None = None
) -> mx.array:
    """Hidden states after the last norm of all T tokens, stream after stream: (T or some more, H).

    recorder: notes the attention of rows of tokens, padded at the left, to all N columns of the slots.
    """
    qwen2 = model.model
    first_target = model.args.target_position_offset
    positions = np.concatenate([slots.positions(s.slot, s.kinds, first_target) for s in streams])
    columns = [slots.place(stream.slot, stream.kinds) for stream in streams]
    spare = -len(positions) % ROWS if len(positions) > ROWS else 0
    phases = qwen2.rotary.phases(np.pad(positions, (0, spare)))
    forward = replace(_places(slots, streams, columns), phases=phases, recorder=recorder, spare=spare)
    ids = mx.array([[token for stream in streams for token in stream.ids] + [0] * spare])
    layers = [(slots, layer) for layer in range(len(qwen2.layers))]
    return qwen2.norm(qwen2.run(qwen2.embed_tokens(ids), forward, layers))[0]


def _places(slots: Slots, streams: Sequence[NewTokens], columns: Sequence[np.ndarray]) -> "_RaggedPass":
    """Where tokens and entries are; a stream that has fewer tokens than the longest begins with copies of its first."""
    lengths = np.array([len(own) for own in columns])
    width, starts = int(lengths.max()), np.cumsum(lengths) - lengths
    at = np.maximum(np.arange(width) - (width - lengths)[:, None], 0)  # (B, L), of each stream's own tokens
    numbers = np.array([stream.slot.number for stream in streams])
    seen = [slots.seen(s.slot, own)[row] for s, own, row in zip(streams, columns, at, strict=True)]
    rows = np.arange(len(streams))[:, None] * width + width - lengths[:, None] + np.arange(width)
    return _RaggedPass(
        phases=_NONE,
        kinds=np.empty(0),
        numbers=mx.array(np.repeat(numbers, lengths)),
        columns=mx.array(np.concatenate(columns)),
        slots=mx.array(numbers),
        tokens=mx.array(starts[:, None] + at),
        places=mx.array(rows[np.arange(width) < lengths[:, None]]),
        mask=mx.array(np.stack(seen)[:, None]),
    )


_NONE = mx.zeros(0)


@dataclass(frozen=True)
class _RaggedPass(ForwardPass):
    """A pass of T tokens in one row, and some spare ones at its end, that attend in B rows of L.

    numbers, columns: slot and column of each token, (T,). slots: of each row, (B,). tokens: those of each row (B, L).
    places: where each token is in all rows, (T,).
    """

    numbers: mx.array = field(default=_NONE)
    columns: mx.array = field(default=_NONE)
    slots: mx.array = field(default=_NONE)
    tokens: mx.array = field(default=_NONE)
    places: mx.array = field(default=_NONE)
    spare: int = 0

    def attend(
        self, cache: Any, queries: mx.array, entries: mx.array, attention: Attention, scale: float = 1.0
    ) -> mx.array:
        """cache: the slots and the number of the layer."""
        memory, layer = cache
        count = len(self.numbers)
        new = entries[0, :, :count].swapaxes(0, 1)
        keys, values = memory.append(layer, self.numbers, self.columns, new, self.slots)
        rows = queries[0][:, self.tokens].swapaxes(0, 1)
        if self.recorder:
            self.recorder.note(rows * scale, keys, self.mask)
        mixed = attention(rows, keys, values, self.mask)
        if mixed.ndim == 2:
            return mx.pad(mixed[self.places], [(0, self.spare), (0, 0)])
        flat = mixed.swapaxes(1, 2).flatten(0, 1)[self.places]  # (T, heads, D)
        return mx.pad(flat, [(0, self.spare), (0, 0), (0, 0)]).swapaxes(0, 1)[None]
