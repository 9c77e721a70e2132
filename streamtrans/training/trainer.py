"""The MLX trainer: what one update is, and the state that is saved and loaded whole."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mlx.utils import tree_flatten, tree_map

from streamtrans.errors import DataError, StreamtransError
from streamtrans.models.loading import load_checkpoint
from streamtrans.ranks import Ranks
from streamtrans.runtime import mx, on_gpu
from streamtrans.training.checkpoints import in_order, load_tree, save_tree, write_model
from streamtrans.training.config import TrainConfig
from streamtrans.training.data.collator import Batch
from streamtrans.training.data.dataset import Pair, Position
from streamtrans.training.files import recover, written_aside
from streamtrans.training.lora import add_adapters, write_adapter
from streamtrans.training.loss import add_dropout, summed_loss
from streamtrans.training.optimiser import Optimisers
from streamtrans.training.origin import Origin, fixed, refuse_changes

VALIDATION_BATCH = 64


class TrainingError(StreamtransError):
    """Training cannot go on: the loss is not a number any more."""


@dataclass
class Progress:
    """Where a run is: updates done, the place in the data, the best validation so far, and what must not change."""

    step: int = 0
    place: Position = field(default_factory=Position)
    best: float = math.inf
    fixed: dict[str, str] = field(default_factory=dict)


class Trainer:
    """Model, optimisers and place in the data of one run in a directory: `last`, `best`, and `start` if it is new.

    The weights that are trained are f32 (`weights`, a tree); the forward pass uses copies in the configured precision.
    """

    def __init__(self, config: TrainConfig, origin: Origin, run: Path, pairs: int, ranks: Ranks):
        """Loads the checkpoint to start from, or goes on from `run`/last. UsageError if that was another run."""
        self.config, self.origin, self.run, self.ranks = config, origin, run, ranks
        self.model = load_checkpoint(origin.directory, packed=False).model
        add_dropout(self.model, config.optimiser.dropout)
        if config.lora:
            add_adapters(self.model, config.lora, config.seed)
        self.weights = in_order(tree_map(lambda p: p.astype(mx.float32), self.model.trainable_parameters()))
        half = config.precision == "bfloat16" or (config.precision == "auto" and on_gpu())
        self.precision = mx.bfloat16 if half else mx.float32
        self.optimisers = Optimisers(config.optimiser, adapters=config.lora is not None)
        self.average: Any = self.weights if config.optimiser.average else None
        self.progress = Progress(fixed=fixed(config, pairs))
        self._gradient = mx.value_and_grad(self._loss)
        recover(run / "last")
        if (run / "last").exists():
            self._resume(run / "last")

    def _loss(self, weights: Any, batch: Batch) -> tuple[mx.array, mx.array]:
        self._use(weights)
        return summed_loss(self.model, batch, self.config.optimiser.label_smoothing)

    def _use(self, weights: Any) -> None:
        self.model.update(tree_map(lambda p: p.astype(self.precision), weights))

    def parts(self, batch: Batch) -> list[Batch]:
        """The parts of a batch that this process computes, one after the other; their masks are made here."""
        micro, size = self.config.optimiser.micro_batches, self.ranks.size
        parts = [batch.part(number, micro * size) for number in range(self.ranks.rank, micro * size, size)]
        return [part for part in parts if len(part.ids) and part.mask.size]

    def update(self, parts: list[Batch], label_count: int, stop: bool = False) -> tuple[float, bool]:
        """One update; the summed negative log-likelihood of the whole batch, and whether any process wants to stop.

        parts: this process's share of a batch that has `label_count` labels in all. Raises TrainingError if loss or
        gradient are not finite; the weights are as they were, the optimiser is not.
        """
        self.model.train()
        likelihood = mx.array(0.0)
        gradients = tree_map(mx.zeros_like, self.weights)
        for number, part in enumerate(parts):
            mx.random.seed(self._seed(number))
            (_, summed), found = self._gradient(self.weights, part)
            gradients = tree_map(mx.add, gradients, found)
            likelihood = likelihood + summed
            mx.eval(gradients, likelihood)
        shared = self.ranks.total({"likelihood": likelihood, "stop": mx.array(float(stop)), "gradients": gradients})
        gradients = tree_map(lambda g: g / label_count, shared["gradients"])
        self._apply(gradients, shared["likelihood"])
        return float(shared["likelihood"]), float(shared["stop"]) > 0

    def _seed(self, part: int) -> int:
        """Of the dropout of one part of one update; a run that is resumed draws the same."""
        where = (self.config.seed, self.progress.step, part, self.ranks.rank)
        return int(np.random.SeedSequence(where).generate_state(1)[0])

    def _apply(self, gradients: Any, likelihood: mx.array) -> None:
        weights, norm = self.optimisers.apply(gradients, self.weights, self.progress.step)
        mx.eval(weights, norm, likelihood, self.optimisers.whole.state)
        if not math.isfinite(float(norm) + float(likelihood)):
            raise TrainingError(f"loss {float(likelihood):g}, gradient norm {float(norm):g}")
        self.weights = in_order(weights)
        if self.average is not None:
            keep = self.config.optimiser.kept(self.progress.step)
            self.average = tree_map(lambda a, w: keep * a + (1 - keep) * w, self.average, self.weights)
            mx.eval(self.average)
        self.progress.step += 1

    def validate(self, pairs: list[Pair]) -> dict[str, float]:
        """Negative log-likelihood per target token of the averaged weights at each configured k, as `nll_K`."""
        self._use(self.weights if self.average is None else self.average)
        self.model.eval()
        pairs = sorted(pairs, key=self.origin.collator.lengths)
        found = {}
        for k in self.config.report.validation_ks:
            summed, labels = 0.0, 0
            for first in range(0, len(pairs), VALIDATION_BATCH):
                batch = self.origin.collator.at_k(pairs[first : first + VALIDATION_BATCH], k)
                summed += float(summed_loss(self.model, batch)[1])
                labels += batch.label_count
            found[f"nll_{k:g}"] = summed / labels
        return found

    def save_last(self) -> None:
        """Writes `last`: a checkpoint that streamtrans loads, and everything needed to go on exactly."""
        with written_aside(self.run / "last") as directory:
            self._write_model(directory, self.weights, exact=True)
            save_tree(directory / "optimiser.safetensors", self.optimisers.whole.state)
            if self.average is not None:
                save_tree(directory / "average.safetensors", self.average)
            text = json.dumps({**asdict(self.progress), "best": _plain(self.progress.best)}, indent=1)
            (directory / "state.json").write_text(text, encoding="utf-8")

    def save_best(self) -> None:
        """Writes `best`: the checkpoint alone, averaged weights where there are."""
        with written_aside(self.run / "best") as directory:
            self._write_model(directory, self.weights if self.average is None else self.average)

    def _write_model(self, directory: Path, weights: Any, exact: bool = False) -> None:
        """Writes what streamtrans loads; exact: in f32, to go on from, else in the dtype of the checkpoint."""
        flat: dict[str, mx.array] = dict(tree_flatten(weights))
        if self.config.lora:
            write_adapter(directory, flat, self.config.lora, len(self.model.layers), self.origin)
        else:
            write_model(directory, flat, self.origin.config, self.origin.directory, exact)

    def _resume(self, last: Path) -> None:
        try:
            state = json.loads((last / "state.json").read_text(encoding="utf-8"))
            before = dict(state["fixed"])
            place, best = Position(**state["place"]), state["best"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{last} is not the state of a run of `streamtrans train` ({error!r})") from error
        refuse_changes(last, before, self.progress.fixed)
        self.progress = Progress(state["step"], place, math.inf if best is None else best, before)
        weights = last / ("adapters.safetensors" if self.config.lora else "model.safetensors")
        self.weights = load_tree(weights, like=self.weights)
        self.optimisers.whole.state = load_tree(last / "optimiser.safetensors")
        if self.average is not None:
            kept = last / "average.safetensors"
            self.average = load_tree(kept, like=self.weights) if kept.exists() else self.weights


def _plain(number: float) -> float | None:
    return number if math.isfinite(number) else None
