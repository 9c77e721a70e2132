"""Batches that are made on the device, where rows lie as flat arrays.

Rows and mask are those of `data.collator`; for the same rows and schedules the batches are equal, which a test checks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from streamtrans.models.qwen2_streaming.masks import SOURCE, TARGET, Entries, streaming_mask
from streamtrans.training.data.collator import IGNORE, TokenRow
from streamtrans.training.pytorch import torch

ALIGNED = 8
"""Lengths on a GPU are multiples of it: its attention kernels want aligned masks."""


@dataclass(frozen=True)
class FlatRows:
    """N rows end to end, as `TokenRow` explains them: int32 arrays (all source tokens), (all target tokens) or (N,)."""

    source: np.ndarray
    needed: np.ndarray
    target: np.ndarray
    label: np.ndarray
    word: np.ndarray
    source_words: np.ndarray
    target_words: np.ndarray
    source_length: np.ndarray
    target_length: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[TokenRow]) -> "FlatRows":
        """Lays rows end to end."""
        flat = {name: np.concatenate([getattr(row, name) for row in rows]) for name in _TOKEN_FIELDS}
        flat |= {name: np.array([getattr(row, name) for row in rows]) for name in ("source_words", "target_words")}
        flat |= {f"{side}_length": np.array([len(getattr(row, side)) for row in rows]) for side in ("source", "target")}
        return cls(**{name: array.astype(np.int32) for name, array in flat.items()})


_TOKEN_FIELDS = [field.name for field in fields(FlatRows)][:5]


@dataclass(frozen=True)
class TensorBatch:
    """B rows of L = S + T tokens on the device, as `data.collator.Batch`.

    ids, positions (B, L) and labels (B, T) int64; mask (B, L, L) boolean.
    """

    ids: Any
    positions: Any
    labels: Any
    mask: Any

    @property
    def source_length(self) -> int:
        """Columns of the source half, padding included."""
        return int(self.ids.shape[1] - self.labels.shape[1])

    def part(self, number: int, parts: int) -> "TensorBatch":
        """Every `parts`-th row from row `number` on; maybe none."""
        return TensorBatch(*(array[number::parts] for array in vars(self).values()))


@dataclass(frozen=True)
class Schedules:
    """Read budgets (B, W + 1) of B rows, for each word and for the end, and whether the source mark is late (B, 1)."""

    budgets: Any
    late: Any


class DeviceRows:
    """Rows on a device, and batches of them."""

    def __init__(self, rows: FlatRows, device: Any, target_offset: int = 0, aligned: int = 1):
        """target_offset: position of the first target token (φ). aligned: lengths of batches are multiples of it."""
        self.rows, self.device, self.target_offset, self.aligned = rows, device, target_offset, aligned
        self.on_device = {name: torch.from_numpy(array).to(device) for name, array in vars(rows).items()}
        for side in ("source", "target"):
            lengths = getattr(rows, f"{side}_length").astype(np.int64)
            self.on_device[f"{side}_first"] = torch.from_numpy(np.cumsum(lengths) - lengths).to(device)

    def labels_of(self, which: np.ndarray) -> int:
        """The number of labels of some rows."""
        opening = int((self.rows.label[: self.rows.target_length[0]] == IGNORE).sum())
        return int(self.rows.target_length[which].sum()) - opening * len(which)

    def tokens_of(self, which: np.ndarray) -> int:
        """The number of tokens of some rows."""
        return int(self.rows.source_length[which].sum() + self.rows.target_length[which].sum())

    def words_of(self, which: np.ndarray) -> tuple[Any, Any, int]:
        """Source and target words (B, 1) of some rows, on the device, and the most target words."""
        at = torch.from_numpy(which).to(self.device)
        counts = [self.on_device[name][at][:, None].long() for name in ("source_words", "target_words")]
        return counts[0], counts[1], int(self.rows.target_words[which].max())

    def batch(self, which: np.ndarray, schedules: Schedules) -> TensorBatch:
        """A padded batch of the rows (B,) that are named by number."""
        at = torch.from_numpy(which).to(self.device)
        source = self._half(at, "source", int(self.rows.source_length[which].max()))
        target = self._half(at, "target", int(self.rows.target_length[which].max()))
        end = source["column"] == source["length"] - 1
        needed = source["needed"] + (end & schedules.late)
        budgets = schedules.budgets.gather(1, target["word"])
        kind = torch.cat([source["inside"] * SOURCE, target["inside"] * TARGET], 1)
        read = torch.cat([needed * source["inside"], budgets * target["inside"]], 1)
        order = torch.cat([source["column"], target["column"]], 1).expand_as(kind)
        entries = Entries(kind, order, read)
        labels = torch.where(target["inside"], target["label"], IGNORE)
        positions = order + (kind == TARGET) * self.target_offset
        ids = torch.cat([source["source"] * source["inside"], target["target"] * target["inside"]], 1)
        return TensorBatch(ids, positions, labels, streaming_mask(entries, entries))

    def _half(self, at: Any, side: str, width: int) -> dict[str, Any]:
        """The arrays (B, width) of one side of some rows, whatever stands beyond their ends, and `inside`."""
        width = -(-width // self.aligned) * self.aligned
        column = torch.arange(width, device=self.device)[None]
        length = self.on_device[f"{side}_length"][at][:, None].long()
        place = self.on_device[f"{side}_first"][at][:, None] + torch.minimum(column, length - 1)
        names = ["source", "needed"] if side == "source" else ["target", "label", "word"]
        found = {name: self.on_device[name][place].long() for name in names}
        return found | {"column": column, "length": length, "inside": column < length}
