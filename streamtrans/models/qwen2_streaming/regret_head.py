"""The head that judges a model's own next token: how much of its probability reading on would take away.

It is trained once for a checkpoint whose weights are frozen (`streamtrans models calibrate`) and lies beside them in a
file of its own, which is read only when a policy asks for it.
"""

import json
from pathlib import Path

import mlx.nn as nn
from mlx.utils import tree_flatten

from streamtrans.errors import ModelError
from streamtrans.models.checkpoint_files import read_tensors
from streamtrans.models.loading import name_of
from streamtrans.models.qwen2_streaming.attention_recorder import Heads
from streamtrans.models.qwen2_streaming.exponential import confidence
from streamtrans.models.qwen2_streaming.model import ModelArgs
from streamtrans.runtime import mx

FILE = "regret_head.safetensors"
WIDTH = 128
RECENT = 6
"""Number of source tokens, the last ones read (a prompt's are among them), whose share of the attention it sees."""


class RegretHead(nn.Module):
    """Two layers over `features`; SiLU written out, see `MLP`."""

    def __init__(self, hidden_size: int, heads: Heads):
        """heads: attention heads that it sees."""
        super().__init__()
        self.heads = tuple(heads)
        self.inner = nn.Linear(hidden_size + 2 + len(heads) * RECENT, WIDTH)
        self.outer = nn.Linear(WIDTH, 1)

    def __call__(self, features: mx.array) -> mx.array:
        """Log-odds (B,) of the regret, from features (B, F)."""
        inner = self.inner(features)
        return self.outer(inner * mx.sigmoid(inner))[:, 0]

    def regret(self, hidden: mx.array, logits: mx.array, recent: mx.array) -> mx.array:
        """Return the regret to expect, 0 to 1, float32 (B,); arguments as `features`."""
        return mx.sigmoid(self(features(hidden, logits, recent)))


def features(hidden: mx.array, logits: mx.array, recent: mx.array) -> mx.array:
    """Build the head's input, float32 (B, F): hidden state, 3 × probability of the best token, entropy, attention.

    hidden: (B, H), after the last norm. logits: (B, V), made from it; some may be -∞. recent: (B, heads, RECENT),
    attention to the source tokens read last, from `last_read`.
    """
    best, entropy = confidence(logits)
    columns = [hidden.astype(mx.float32), 3 * best[:, None], entropy[:, None], recent.reshape(len(recent), -1)]
    return mx.concatenate(columns, axis=1)


def save_regret_head(head: RegretHead, file: Path) -> None:
    """Write the weights, float32, and the attention heads that it sees."""
    mx.save_safetensors(str(file), dict(tree_flatten(head.parameters())), {"heads": json.dumps(head.heads)})


def load_regret_head(directory: Path, args: ModelArgs) -> RegretHead:
    """Load the head of a checkpoint; ModelError if it has none, or one of another model, or a damaged one."""
    file = directory / FILE
    name = name_of(directory)
    remedy = f"make one with: streamtrans models calibrate {name} --data PAIRS.tsv"
    if not file.exists():
        raise ModelError(f"{name} has no regret head, which policy learned needs; {remedy}")
    try:
        weights, about = read_tensors(file)
    except ModelError as error:
        raise ModelError(f"{error}; {remedy}") from error
    try:
        heads = [(int(layer), int(head)) for layer, head in json.loads(about["heads"])]
        if not all(0 <= layer < args.num_hidden_layers and 0 <= h < args.num_attention_heads for layer, h in heads):
            raise ValueError(f"it sees attention heads {heads}")
        found = RegretHead(args.hidden_size, heads)
        found.load_weights(list(weights.items()))
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"{file} is damaged, or of another model ({reason}); {remedy}") from error
    mx.eval(found.parameters())
    return found
