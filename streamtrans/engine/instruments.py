"""What policies ask of the model besides its best next token: an instrument a kind of evidence.

A reading is made from the pass that predicts the next token, which therefore costs what it costs without.
"""

from collections.abc import Callable
from dataclasses import dataclass

from streamtrans.models.regret import RegretHead, best_and_entropy, log_probabilities
from streamtrans.runtime import mx

Readings = dict[str, mx.array]
"""Each (B,), by the name that it has in `Prediction`."""

Instrument = Callable[[mx.array, mx.array], Readings]
"""Of B rows, from hidden states (B, H) after the last norm and the logits (B, V) that they give."""


@dataclass(frozen=True)
class ChoiceInstrument:
    """Probability of the best token, entropy of the choice in nats, probability of the end mark."""

    end_id: int

    def __call__(self, hidden: mx.array, logits: mx.array) -> Readings:
        """As `Instrument`."""
        best, entropy = best_and_entropy(logits)
        end = mx.exp(log_probabilities(logits)[:, self.end_id])
        return {"probability": best, "entropy": entropy, "end_probability": end}


@dataclass(frozen=True)
class RegretInstrument:
    """The regret to expect from writing the best token now."""

    head: RegretHead

    def __call__(self, hidden: mx.array, logits: mx.array) -> Readings:
        """As `Instrument`."""
        return {"regret": self.head.regret(hidden, logits)}
