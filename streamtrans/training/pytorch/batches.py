"""Batches that are made on the device: rows lie there as flat arrays; schedules, budgets and masks are drawn there.

Rows and mask are those of `data.collator`; for the same rows and schedules the batches are equal, which a test checks.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from multiprocessing import get_context
from typing import Any

import numpy as np

from streamtrans.models.qwen2_streaming.masks import SOURCE, TARGET, Entries, streaming_mask
from streamtrans.text.tokenizer import Tokenizer
from streamtrans.training.data.collator import IGNORE, Collator, TokenRow
from streamtrans.training.data.dataset import Pair, Position, by_length, chunks, prefetched, shuffled
from streamtrans.training.data.mixing import Mixture
from streamtrans.training.data.schedules import EVERYTHING
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
    """B rows of L = S + T tokens on the device, as `data.collator.Batch`: ids, positions (B, L) and labels (B, T) int64,
    mask (B, L, L) boolean."""

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


@dataclass(frozen=True)
class Encoded:
    """A chunk of an epoch: its texts, their rows, and the batches of row numbers that it is cut into."""

    epoch: int
    chunk: int
    texts: list[Pair]
    rows: FlatRows
    cut: list[list[int]]


@dataclass(frozen=True)
class Encoder:
    """Encodes chunks and cuts them into batches of at most `max_tokens` tokens; lengths count as on the device."""

    collator: Collator
    max_tokens: int
    aligned: int

    def __call__(self, task: tuple[int, int, list[Pair]]) -> Encoded:
        """The chunk of an epoch, its number in the epoch, and its texts."""
        epoch, chunk, texts = task
        rows = FlatRows.of([self.collator.encode(pair) for pair in texts])
        lengths = np.stack([rows.source_length, rows.target_length], 1)
        lengths = -(-lengths // self.aligned) * self.aligned
        return Encoded(epoch, chunk, texts, rows, by_length([(s, t) for s, t in lengths.tolist()], self.max_tokens))


_encoder: Encoder  # of a process that encodes


def _begin(encoder: Encoder, tokenizer: Callable[[], Tokenizer]) -> None:
    global _encoder
    _encoder = replace(encoder, collator=replace(encoder.collator, tokenizer=tokenizer()))


def _encode(task: tuple[int, int, list[Pair]]) -> Encoded:
    return _encoder(task)


@dataclass(frozen=True)
class DrawnBatch:
    """A batch before it is made: where to go on after it, rows on the device, their numbers, the seed of schedules."""

    place: Position
    opening: str
    rows: DeviceRows
    which: np.ndarray
    seed: int


@dataclass(frozen=True)
class Stream:
    """The endless, shuffled stream of batches of a corpus.

    processes: how many encode ahead of the device, 0 for a thread. tokenizer: makes the collator's tokenizer anew in
    each of them.
    """

    encoder: Encoder
    mixture: Mixture
    seed: int
    device: Any
    processes: int
    tokenizer: Callable[[], Tokenizer]

    def batches(self, pairs: Sequence[Pair], start: Position) -> Iterator[DrawnBatch]:
        """Yields batches from a place on."""
        tasks = chunks(pairs, self.seed, start, self.mixture)
        encoded = self._in_processes(tasks) if self.processes else prefetched(tasks, self.encoder, ahead=1)
        for chunk in encoded:
            rows = DeviceRows(chunk.rows, self.device, self.encoder.collator.target_offset, self.encoder.aligned)
            for place, batch, rng in shuffled(chunk.cut, chunk.epoch, chunk.chunk, self.seed, start):
                opening, seed = chunk.texts[batch[0]][0], int(rng.integers(1 << 62))
                yield DrawnBatch(place, opening, rows, np.array(batch), seed)

    def _in_processes(self, tasks: Iterator[tuple[int, int, list[Pair]]]) -> Iterator[Encoded]:
        encoder = replace(self.encoder, collator=replace(self.encoder.collator, tokenizer=None))
        # Not forked: a forked process may inherit locks of other threads, and must not touch a GPU.
        pool = ProcessPoolExecutor(self.processes, get_context("spawn"), _begin, (encoder, self.tokenizer))
        ahead: list[Future[Encoded]] = []
        try:
            for task in tasks:
                ahead.append(pool.submit(_encode, task))
                if len(ahead) > self.processes:
                    yield ahead.pop(0).result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
