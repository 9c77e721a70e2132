"""Muon on the matrices inside the blocks, AdamW on the rest, as `training.optimiser` has them for MLX."""

from typing import Any

from streamtrans.training.config import Optimiser
from streamtrans.training.pytorch import torch


class Muon(torch.optim.Optimizer):
    """torch.optim.Muon with Nesterov momentum and adjust_lr_fn="match_rms_adamw" (same state, same update), but it
    orthogonalises in `dtype`, where torch knows bf16 only, and all matrices of a shape together."""

    def __init__(self, params: list[Any], lr: float, weight_decay: float, momentum: float, dtype: Any):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "dtype": dtype})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """One update of every matrix."""
        for group in self.param_groups:
            by_shape: dict[Any, list[Any]] = {}
            for weight in group["params"]:
                by_shape.setdefault(weight.shape, []).append(weight)
            for shape, weights in by_shape.items():
                self._update(weights, group, group["lr"] * 0.2 * max(shape) ** 0.5)

    def _update(self, weights: list[Any], group: dict[str, Any], rate: float) -> None:
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        gradients = [weight.grad for weight in weights]
        averages = [self.state[weight]["momentum_buffer"] for weight in weights]
        torch._foreach_lerp_(averages, gradients, 1 - group["momentum"])
        ahead = torch._foreach_lerp(gradients, averages, group["momentum"])
        updates = orthogonal(torch.stack(ahead), group["dtype"]).unbind(0)
        torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(weights, list(updates), alpha=-rate)


def orthogonal(matrices: Any, dtype: Any) -> Any:
    """Newton-Schulz iteration (Jordan et al. 2024): (N, rows, columns) with all singular values moved close to 1."""
    a, b, c = 3.4445, -4.775, 2.0315
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if tall else matrices).to(dtype)
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)


class TorchOptimisers:
    """The optimisers of a run by name, and the one learning-rate schedule that moves them.

    masters: the trained f32 tensors by name. dtype: what Muon orthogonalises in.
    """

    def __init__(self, settings: Optimiser, masters: dict[str, Any], dtype: Any):
        self.settings, self.masters = settings, masters
        muon = settings.name == "muon"
        inner = [name for name, weight in masters.items() if muon and weight.ndim == 2 and ".layers." in name]
        self.names = {"muon": inner, "adamw": [name for name in masters if name not in inner]}
        self.full_rates = {"muon": settings.muon_rate, "adamw": settings.adamw_rate}
        rest, decay = [masters[name] for name in self.names["adamw"]], settings.weight_decay
        fused = rest[0].device.type == "cuda"
        adamw = torch.optim.AdamW(rest, settings.adamw_rate, settings.betas, weight_decay=decay, fused=fused)
        self.parts: dict[str, Any] = {"adamw": adamw}
        if inner:
            matrices = [masters[name] for name in inner]
            self.parts["muon"] = Muon(matrices, settings.muon_rate, decay, settings.momentum, dtype)

    def apply(self, gradients: dict[str, Any], share: float) -> Any:
        """Updates the masters with clipped gradients at a share of the full rates; the norm before clipping."""
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(gradients.values()))))
        scale = (self.settings.clip_norm / (norm + 1e-6)).clamp(max=1.0)
        torch._foreach_mul_(list(gradients.values()), scale)
        for name, weight in self.masters.items():
            weight.grad = gradients[name]
        for kind, part in self.parts.items():
            part.param_groups[0]["lr"] = self.full_rates[kind] * share
            part.step()
        return norm

    def state(self) -> dict[str, Any]:
        """All tensors of the optimisers, by kind/name/entry."""
        return {
            f"{kind}/{self.names[kind][number]}/{entry}": value.contiguous()
            for kind, part in self.parts.items()
            for number, entries in part.state_dict()["state"].items()
            for entry, value in entries.items()
        }

    def load(self, tensors: dict[str, Any]) -> None:
        """Takes up what `state` gave; KeyError or ValueError for the state of another model."""
        found: dict[str, dict[int, dict[str, Any]]] = {kind: {} for kind in self.parts}
        for key, value in tensors.items():
            kind, name, entry = key.split("/")
            found[kind].setdefault(self.names[kind].index(name), {})[entry] = value
        for kind, part in self.parts.items():
            part.load_state_dict({**part.state_dict(), "state": found[kind]})
