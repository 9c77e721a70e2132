"""The head that judges a model's own next token: how much of its probability reading on would take away.

It is trained once for a checkpoint whose weights are frozen (`streamtrans models calibrate`) and lies beside them in a
file of its own, which is read only when a policy asks for it.
"""

import hashlib
import json
from pathlib import Path
from typing import cast

import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten

from streamtrans.errors import ModelError
from streamtrans.models.checkpoint_files import read_tensors
from streamtrans.models.embedded import name_of
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
        """Return the regret to expect, 0 to 1, float32 (B,); logits: (B, V), of `hidden`; rest as `features`."""
        return mx.sigmoid(self(features(hidden, *confidence(logits), recent)))


def features(hidden: mx.array, best: mx.array, entropy: mx.array, recent: mx.array) -> mx.array:
    """Build the head's input, float32 (B, F): hidden state, 3 × probability of the best token, entropy, attention.

    hidden: (B, H), after the last norm. best, entropy: (B,), from `confidence` of its logits. recent: (B, heads,
    RECENT), attention to the source tokens read last, from `last_read`.
    """
    columns = [hidden.astype(mx.float32), 3 * best[:, None], entropy[:, None], recent.reshape(len(recent), -1)]
    return mx.concatenate(columns, axis=1)


def fingerprint(directory: Path) -> str:
    """Digest a few small tensors of a checkpoint's files, which training moves; "" where they are not found."""
    digest, found = hashlib.sha256(), False
    wanted = ("model.norm.weight", "model.layers.0.self_attn.k_proj.bias")
    for file in sorted(directory.glob("model*.safetensors")):
        tensors = cast(dict[str, mx.array], mx.load(str(file)))  # read when evaluated, so these few alone
        for name in wanted:
            if name in tensors:
                digest.update(name.encode() + np.array(tensors[name].astype(mx.float32)).tobytes())
                found = True
    return digest.hexdigest()[:16] if found else ""


def save_regret_head(head: RegretHead, file: Path, weights: str = "") -> None:
    """Write the head, float32, and the attention heads that it sees; weights: the `fingerprint` of its checkpoint."""
    about = {"heads": json.dumps(head.heads)} | ({"weights": weights} if weights else {})
    mx.save_safetensors(str(file), dict(tree_flatten(head.parameters())), about)


def load_regret_head(directory: Path, args: ModelArgs) -> RegretHead:
    """Load the head of a checkpoint; ModelError if it has none, a damaged one, or one made for other weights."""
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
    if about.get("weights", "") not in ("", fingerprint(directory)):
        raise ModelError(f"{file} was made for other weights than those beside it; {remedy}")
    mx.eval(found.parameters())
    return found
