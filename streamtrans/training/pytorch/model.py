"""The streaming Qwen2 for training: the forward pass on working copies, in bf16 say, of f32 master weights."""

from collections.abc import Iterator
from typing import Any

from streamtrans.models.loading import rope_theta
from streamtrans.training.data.collator import IGNORE
from streamtrans.training.pytorch import F, torch
from streamtrans.training.pytorch.batches import TensorBatch

_TOGETHER = {
    "self_attn.qkv": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    "mlp.gate_up": ["mlp.gate_proj", "mlp.up_proj"],
}


class TorchQwen2:
    """The model of a config.json; q, k, v and gate, up are single matrix products.

    masters: f32 tensors under their Hugging Face names; output and input embedding are one. working: what the forward
    pass uses, in `dtype`.
    """

    def __init__(self, config: dict[str, Any], masters: dict[str, Any], dtype: Any, dropout: float = 0.0):
        self.config, self.masters, self.dtype, self.dropout = config, masters, dtype, dropout
        self.heads, self.kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self.width = config["hidden_size"] // self.heads
        self.theta = rope_theta(config)
        self.on_cpu = next(iter(masters.values())).device.type == "cpu"
        self.members = dict(self._working_names())
        self.working: dict[str, Any] = {}
        for name, members in self.members.items():
            whole = torch.cat([masters[member].detach() for member in members])
            self.working[name] = whole.to(dtype).requires_grad_()
        self._parts = [part for name in self.members for part in self._split(name, self.working[name].detach())]

    def _working_names(self) -> Iterator[tuple[str, list[str]]]:
        part_of = {part: whole for whole, parts in _TOGETHER.items() for part in parts}
        for name in self.masters:
            stem, kind = name.rsplit(".", 1)
            prefix, part = ".".join(stem.split(".")[:3]), ".".join(stem.split(".")[3:])
            if part not in part_of:
                yield name, [name]
            elif part == _TOGETHER[part_of[part]][0]:
                parts = _TOGETHER[part_of[part]]
                yield f"{prefix}.{part_of[part]}.{kind}", [f"{prefix}.{member}.{kind}" for member in parts]

    def _split(self, name: str, whole: Any) -> list[Any]:
        """The parts of a tensor of the working weight's shape, one for each of its masters."""
        return list(whole.split([len(self.masters[member]) for member in self.members[name]]))

    def refresh(self) -> None:
        """Copies the masters into the working weights."""
        with torch.no_grad():
            torch._foreach_copy_(self._parts, [self.masters[m] for members in self.members.values() for m in members])

    def take_gradients(self) -> dict[str, Any]:
        """The gradients of the masters, f32, by name; the working weights then have none."""
        names = [member for members in self.members.values() for member in members]
        found = [part for name in self.members for part in self._split(name, self.working[name].grad)]
        gradients = [torch.empty_like(self.masters[name]) for name in names]
        torch._foreach_copy_(gradients, found)
        for weight in self.working.values():
            weight.grad = None
        return dict(zip(names, gradients, strict=True))

    def loss(self, batch: TensorBatch, smoothing: float = 0.0) -> tuple[Any, Any]:
        """The objective and the negative log-likelihood, both summed over the labels: f32 scalars."""
        hidden, labels = self._hidden(batch).flatten(0, 1), batch.labels.flatten()
        if self.on_cpu:  # elsewhere a shape that follows from values would wait for the device
            hidden, labels = hidden[labels != IGNORE], labels[labels != IGNORE]
        logits = F.linear(hidden, self.working["model.embed_tokens.weight"]).float()
        likelihood = F.cross_entropy(logits, labels, reduction="sum", ignore_index=IGNORE)
        if not smoothing:
            return likelihood, likelihood.detach()
        spread = ((logits.logsumexp(-1) - logits.mean(-1)) * (labels != IGNORE)).sum()
        return (1 - smoothing) * likelihood + smoothing * spread, likelihood.detach()

    def _hidden(self, batch: TensorBatch) -> Any:
        """Final hidden states (B, T, H) of the target half."""
        bias = torch.zeros(batch.mask.shape, dtype=self.dtype, device=batch.mask.device)
        bias = bias.masked_fill_(~batch.mask, -1e4)[:, None]  # made once: each layer would turn a boolean mask into it
        rotation = self._rotation(batch.positions)
        x = self._dropped(F.embedding(batch.ids, self.working["model.embed_tokens.weight"]))
        layers = self.config["num_hidden_layers"]
        for layer in range(layers):
            first = batch.source_length if layer == layers - 1 else 0  # nothing after it needs the source's rows
            x = self._block(f"model.layers.{layer}.", x, bias, rotation, first)
        return self._norm(x, "model.norm.weight")

    def _block(self, at: str, x: Any, bias: Any, rotation: tuple[Any, Any], first: int) -> Any:
        weights = self.working
        attended = self._attention(at, self._norm(x, at + "input_layernorm.weight"), bias, rotation, first)
        x = x[:, first:] + self._dropped(F.linear(attended, weights[at + "self_attn.o_proj.weight"]))
        normed = self._norm(x, at + "post_attention_layernorm.weight")
        gate, up = F.linear(normed, weights[at + "mlp.gate_up.weight"]).chunk(2, -1)
        return x + self._dropped(F.linear(F.silu(gate) * up, weights[at + "mlp.down_proj.weight"]))

    def _dropped(self, x: Any) -> Any:
        return F.dropout(x, self.dropout) if self.dropout and torch.is_grad_enabled() else x

    def _attention(self, at: str, x: Any, bias: Any, rotation: tuple[Any, Any], first: int) -> Any:
        weights, (batch, length, _) = self.working, x.shape
        qkv = F.linear(x, weights[at + "self_attn.qkv.weight"], weights[at + "self_attn.qkv.bias"])
        qkv = qkv.view(batch, length, self.heads + 2 * self.kv_heads, self.width).transpose(1, 2)
        qk, v = qkv.split([self.heads + self.kv_heads, self.kv_heads], 1)
        cos, sin = rotation
        left, right = qk.chunk(2, -1)
        q, k = torch.cat([left * cos - right * sin, right * cos + left * sin], -1).split([self.heads, self.kv_heads], 1)
        attend = _by_products if self.on_cpu else _by_kernel
        out = attend(q[:, :, first:], k, v, bias[:, :, first:])
        return out.transpose(1, 2).reshape(batch, length - first, -1)

    def _rotation(self, positions: Any) -> tuple[Any, Any]:
        half = torch.arange(0, self.width, 2, device=positions.device) / self.width
        angles = positions[:, None, :, None] * self.theta**-half
        return angles.cos().to(self.dtype), angles.sin().to(self.dtype)

    def _norm(self, x: Any, name: str) -> Any:
        return F.rms_norm(x, x.shape[-1:], self.working[name], self.config["rms_norm_eps"])


def _by_products(q: Any, k: Any, v: Any, bias: Any) -> Any:
    """Attention (B, heads, Q, D) from q (B, heads, Q, D), k and v (B, kv_heads, K, D), bias (B, 1, Q, K)."""
    batch, heads, rows, width = q.shape
    kv_heads, length = k.shape[1:3]
    q = q.reshape(batch, kv_heads, -1, width) * width**-0.5
    scores = (q @ k.transpose(-1, -2)).view(batch, kv_heads, -1, rows, length)
    weights = torch.softmax(scores + bias[:, None], -1).view(batch, kv_heads, -1, length)
    return (weights @ v).view(batch, heads, rows, width)


def _by_kernel(q: Any, k: Any, v: Any, bias: Any) -> Any:
    """Attention as `_by_products`, in one fused kernel, which wants keys and values repeated for their group."""
    heads, groups = q.shape[1], q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(groups, 1) for x in (k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.expand(-1, heads, -1, -1))
