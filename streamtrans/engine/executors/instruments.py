"""One instrument for each kind of evidence: how it is found beside the best next token.

An instrument reads the pass that predicts the next token: it costs no other, and little more than without.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from streamtrans.models.qwen2_streaming.attention_recorder import Heads, Recorded, last_read
from streamtrans.models.qwen2_streaming.exponential import confidence
from streamtrans.models.qwen2_streaming.regret_head import RECENT, RegretHead
from streamtrans.policies.base import Attention, Evidence, NextToken, Regret, glance_of
from streamtrans.runtime import mx

Readings = dict[str, mx.array]
"""Evidence by name, each (N,)."""


class Instrument(Protocol):
    """Reads N rows of a pass, those of a request one after the other."""

    @property
    def heads(self) -> Heads:
        """The attention heads that the pass must record."""

    def read(self, hidden: mx.array, logits: mx.array, recorder: Recorded | None) -> Readings:
        """From hidden states (N, H) after the last norm, their logits (N, V), and the recorded attention."""


def instrument_for(
    evidence: Evidence, regret_head: Callable[[], RegretHead], alignment_heads: Callable[[], Heads]
) -> Instrument | None:
    """The instrument for a policy's evidence, None if it needs none; a checkpoint's parts are loaded only if needed."""
    match glance_of(evidence):
        case NextToken():
            return ChoiceInstrument()
        case Regret():
            return RegretInstrument(regret_head())
        case Attention():
            return AttentionInstrument(alignment_heads())
    return None


@dataclass(frozen=True)
class ChoiceInstrument:
    """Finds the probability of the best token, and the entropy of the choice in nats."""

    heads: Heads = ()

    def read(self, hidden: mx.array, logits: mx.array, recorder: Recorded | None) -> Readings:
        """`probability` and `entropy`."""
        probability, entropy = confidence(logits)
        return {"probability": probability, "entropy": entropy}


@dataclass(frozen=True)
class RegretInstrument:
    """Finds the regret to expect from writing the best token now."""

    head: RegretHead

    @property
    def heads(self) -> Heads:
        """The heads that the regret head sees."""
        return self.head.heads

    def read(self, hidden: mx.array, logits: mx.array, recorder: Recorded | None) -> Readings:
        """`regret`."""
        assert recorder is not None
        recent = last_read(recorder.by_row(), mx.array(recorder.read_by_row()), RECENT)
        return {"regret": self.head.regret(hidden, logits, recent)}


@dataclass(frozen=True)
class AttentionInstrument:
    """Finds the source token, from 0, that the heads together look at most."""

    heads: Heads

    def read(self, hidden: mx.array, logits: mx.array, recorder: Recorded | None) -> Readings:
        """`attended`."""
        assert recorder is not None
        return {"attended": recorder.by_row().mean(axis=1).argmax(axis=-1)}
