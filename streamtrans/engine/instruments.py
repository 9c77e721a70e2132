"""What policies ask of the model besides its best next token: an instrument a kind of evidence.

A reading is made from the pass that predicts the next token: it costs no other, and little more than without.
"""

from dataclasses import dataclass
from typing import Protocol

from streamtrans.models.qwen2_streaming.attention_recorder import AttentionRecorder, Heads, last_read
from streamtrans.models.qwen2_streaming.exponential import confidence
from streamtrans.models.qwen2_streaming.regret_head import RECENT, RegretHead
from streamtrans.runtime import mx

Readings = dict[str, mx.array]
"""Each (B,), by the name that it has in `Prediction`."""


class Instrument(Protocol):
    """Reads the last row of a pass of B rows."""

    @property
    def heads(self) -> Heads:
        """The attention heads that the pass must record."""

    def read(self, hidden: mx.array, logits: mx.array, recorder: AttentionRecorder | None) -> Readings:
        """From hidden states (B, H) after the last norm, the logits (B, V) that they give, and what was recorded."""


@dataclass(frozen=True)
class ChoiceInstrument:
    """Probability of the best token, entropy of the choice in nats."""

    heads: Heads = ()

    def read(self, hidden: mx.array, logits: mx.array, recorder: AttentionRecorder | None) -> Readings:
        """As `Instrument`."""
        probability, entropy = confidence(logits)
        return {"probability": probability, "entropy": entropy}


@dataclass(frozen=True)
class RegretInstrument:
    """The regret to expect from writing the best token now."""

    head: RegretHead

    @property
    def heads(self) -> Heads:
        """As `Instrument`."""
        return self.head.heads

    def read(self, hidden: mx.array, logits: mx.array, recorder: AttentionRecorder | None) -> Readings:
        """As `Instrument`."""
        assert recorder is not None
        recent = last_read(recorder.weights[:, :, -1], mx.array(recorder.read), RECENT)
        return {"regret": self.head.regret(hidden, logits, recent)}


@dataclass(frozen=True)
class AttentionInstrument:
    """The source token, from 0, that the heads together look at most."""

    heads: Heads

    def read(self, hidden: mx.array, logits: mx.array, recorder: AttentionRecorder | None) -> Readings:
        """As `Instrument`."""
        assert recorder is not None
        return {"attended": mx.argmax(recorder.weights[:, :, -1].mean(axis=1), axis=-1)}
