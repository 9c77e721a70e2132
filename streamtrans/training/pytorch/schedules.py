"""Read schedules, drawn on the device for all rows of a batch at once, with the chances of `data.collator`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamtrans.training.data.schedules import EVERYTHING
from streamtrans.training.pytorch import torch
from streamtrans.training.pytorch.batches import DeviceRows, Schedules


@dataclass(frozen=True)
class Drawing:
    """Draws schedules on the device, with the chances of `Collator`, whose settings these are."""

    wait_ks: Sequence[float]
    random_share: float
    late_end_share: float
    early_end_share: float
    max_lag: int

    def draw(self, rows: DeviceRows, which: np.ndarray, seed: int) -> Schedules:
        """Schedules for some rows; everything follows from the seed."""
        source, target, most = rows.words_of(which)
        generator = torch.Generator(rows.device).manual_seed(seed)

        def chance(columns: int) -> Any:
            return torch.rand(len(which), columns, device=rows.device, generator=generator)

        word = torch.arange(most + 1, device=rows.device)[None]
        ks = torch.tensor([_number(k) for k in self.wait_ks], device=rows.device)
        k = ks[(chance(1) * len(ks)).long().clamp(max=len(ks) - 1)]
        wait_k = torch.where(k == EVERYTHING, EVERYTHING, k + word)
        redrawn = torch.where(chance(most + 1) < 0.2, word, 0).cummax(1).values
        lags = 1 + (chance(most + 1) * self.max_lag).long().clamp(max=self.max_lag - 1)
        diagonal = torch.div(word * source, target.clamp(min=1), rounding_mode="floor")
        walk = (diagonal + lags.gather(1, redrawn)).cummax(1).values
        budgets = torch.where(chance(1) < self.random_share, walk, wait_k)
        whole = (chance(1) >= self.early_end_share) & (word == target)
        return Schedules(torch.where(whole, EVERYTHING, budgets), chance(1) < self.late_end_share)


def plain(rows: DeviceRows, which: np.ndarray, k: float) -> Schedules:
    """The schedules of wait-k for some rows, end marks only with everything read: for validation."""
    _, target, most = rows.words_of(which)
    word = torch.arange(most + 1, device=rows.device)[None]
    budgets = torch.where((word == target) | (_number(k) == EVERYTHING), EVERYTHING, _number(k) + word)
    return Schedules(budgets, torch.zeros(len(which), 1, dtype=torch.bool, device=rows.device))


def _number(k: float) -> int:
    return EVERYTHING if k == float("inf") else int(k)
