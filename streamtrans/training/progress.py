"""The seam between a run and its trainer: where a run is, one batch on its way, and what a trainer can do."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from streamtrans.errors import DataError, StreamtransError
from streamtrans.ranks import Ranks
from streamtrans.training.config import TrainConfig
from streamtrans.training.data.corpus import Corpus
from streamtrans.training.data.dataset import Pair, Position
from streamtrans.training.origin import refuse_changes


class TrainingError(StreamtransError):
    """Training cannot go on: the loss is not a number any more."""


@dataclass
class Progress:
    """Where a run is: updates done, seconds trained, the place in the data, the best mean validation loss so far.

    fixed: what must not change when the run goes on.
    """

    step: int = 0
    place: Position = field(default_factory=Position)
    best: float = math.inf
    fixed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def write(self, directory: Path) -> None:
        """Writes state.json."""
        values = {**asdict(self), "best": self.best if math.isfinite(self.best) else None}
        (directory / "state.json").write_text(json.dumps(values, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, last: Path, fixed: dict[str, str]) -> "Progress":
        """Reads state.json; DataError if it is not one, UsageError where the run had other values of what is fixed."""
        try:
            state = json.loads((last / "state.json").read_text(encoding="utf-8"))
            before = {"trainer": '"mlx"', **state["fixed"]}  # runs from before there was a choice
            best = math.inf if state["best"] is None else float(state["best"])
            found = cls(int(state["step"]), Position(**state["place"]), best, before, float(state.get("seconds", 0)))
            counts = [found.step, *asdict(found.place).values()]
            if not all(type(count) is int and count >= 0 for count in counts) or not 0 <= found.seconds < math.inf:
                raise ValueError(f"step {found.step}, {found.place}, {found.seconds} seconds")
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise DataError(f"{last} is not the state of a run of `streamtrans train` ({error!r})") from error
        refuse_changes(last, before, fixed)
        return found


@dataclass(frozen=True)
class Work:
    """One batch on its way to the trainer, made on another thread.

    place: where to go on after it. opening: the beginning of its first source, to find it by. parts: the batches that
    this process computes, one after the other. labels, tokens: of the whole batch, without padding.
    """

    place: Position
    opening: str
    parts: list[Any]
    labels: int
    tokens: int

    def __str__(self) -> str:
        at = self.place
        return f"batch {at.batch} of chunk {at.chunk}, epoch {at.epoch}, which begins with {self.opening[:60]!r}"


class Trainer(Protocol):
    """Model, optimisers and place in the data of one run, in a directory that holds `last` and `best`."""

    config: TrainConfig
    run: Path
    ranks: Ranks
    progress: Progress

    @property
    def parameters(self) -> int:
        """The number of trained parameters."""

    def batches(self, corpus: Corpus) -> Iterator[Work]:
        """Endless batches from `progress.place` on."""

    def update(self, work: Work, seconds: float, stop: bool = False) -> tuple[Any, bool]:
        """One update, `seconds` into the run: the summed negative log-likelihood, and whether a process wants to stop.

        The sum is a scalar of any kind, maybe not computed yet. Raises TrainingError if loss or gradient are not
        finite, here or in a later call.
        """

    def settle(self) -> None:
        """Waits until all updates are computed; raises their TrainingError."""

    def validate(self, pairs: list[Pair]) -> dict[str, float]:
        """Negative log-likelihood per target token of the averaged weights at each configured k, as `nll_K`."""

    def save_last(self) -> None:
        """Writes `last`: a checkpoint that streamtrans loads, and everything needed to go on exactly."""

    def save_best(self) -> None:
        """Writes `best`: the checkpoint alone, averaged weights where there are."""
