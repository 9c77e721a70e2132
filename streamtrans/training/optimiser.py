"""Muon on the matrices inside the blocks, AdamW on the rest, with the settings meaning what they mean in PyTorch."""

from typing import TYPE_CHECKING

import mlx.optimizers as optim

from streamtrans.runtime import mx

if TYPE_CHECKING:
    from streamtrans.training.config import Optimiser


class MatchedMuon(optim.Muon):
    """Muon whose updates have the size of AdamW's, with decoupled weight decay.

    mlx scales an orthogonal update by √(rows/columns) and adds the decay to the gradient, where the orthogonalisation
    makes it nearly meaningless. Here, as in `torch.optim.Muon(adjust_lr_fn="match_rms_adamw")`, the scale is
    0.2·√(larger side), so that one rate serves matrices of every shape and both trainers read the same configuration.
    """

    def __init__(self, learning_rate: float, momentum: float, weight_decay: float):
        super().__init__(learning_rate, momentum=momentum, weight_decay=0.0)
        self.decay = weight_decay

    def apply_single(self, gradient: mx.array, parameter: mx.array, state: dict) -> mx.array:
        """The new value of one matrix (rows, columns)."""
        rows, columns = parameter.shape
        step = super().apply_single(gradient, mx.zeros_like(parameter), state)
        scale = 0.2 * max(rows, columns) ** 0.5 / max(1.0, rows / columns) ** 0.5
        return parameter * (1 - self.learning_rate * self.decay) + scale * step


class Optimisers:
    """The optimisers of a run, and the one learning-rate schedule that moves them."""

    def __init__(self, settings: "Optimiser", adapters: bool = False):
        """adapters: only low-rank adapters are trained; their thin matrices go to AdamW."""
        self.settings = settings
        betas, decay = list(settings.betas), settings.weight_decay
        adamw = optim.AdamW(settings.adamw_rate, betas=betas, weight_decay=decay, bias_correction=True)
        self._parts: list[tuple[optim.Optimizer, float]] = [(adamw, settings.adamw_rate)]
        if settings.name == "muon" and not adapters:
            muon = MatchedMuon(settings.muon_rate, settings.momentum, settings.weight_decay)
            self._parts.insert(0, (muon, settings.muon_rate))
        self.whole = optim.MultiOptimizer([part for part, _ in self._parts], [_is_inner] * (len(self._parts) - 1))

    def apply(self, gradients: dict, parameters: dict, step: int, seconds: float = 0.0) -> tuple[dict, mx.array]:
        """New parameters after one update with clipped gradients, and the norm before clipping.

        Both arguments and the result are trees of the same names; step counts from 0, seconds from the run's start.
        """
        clipped, norm = optim.clip_grad_norm(gradients, self.settings.clip_norm)
        share = self.settings.rate(step, seconds)
        for part, full in self._parts:
            part.learning_rate = full * share
        return self.whole.apply_gradients(clipped, parameters), norm


def _is_inner(name: str, parameter: mx.array) -> bool:
    return parameter.ndim == 2 and ".layers." in name
