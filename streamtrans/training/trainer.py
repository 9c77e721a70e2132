"""The MLX trainer: what one update is, and the state that is saved and loaded whole."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mlx.utils import tree_flatten, tree_map

from streamtrans.models.loading import load_checkpoint
from streamtrans.ranks import Ranks
from streamtrans.runtime import mx, on_gpu
from streamtrans.training.checkpoints import in_order, load_tree, save_tree, write_model
from streamtrans.training.config import TrainConfig
from streamtrans.training.data.collator import Batch
from streamtrans.training.data.corpus import Corpus
from streamtrans.training.data.dataset import Pair, batches
from streamtrans.training.files import recover, written_aside
from streamtrans.training.lora import add_adapters, write_adapter
from streamtrans.training.loss import add_dropout, summed_loss
from streamtrans.training.optimiser import Optimisers
from streamtrans.training.origin import Origin, fixed
from streamtrans.training.progress import Progress, TrainingError, Work

VALIDATION_BATCH = 64


class MlxTrainer:
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

    @property
    def parameters(self) -> int:
        """The number of trained parameters."""
        flat: Any = tree_flatten(self.weights)
        return sum(array.size for _, array in flat)

    def batches(self, corpus: Corpus) -> Iterator[Work]:
        """Endless batches from `progress.place` on."""
        collator, tokens, seed = self.origin.collator, self.config.optimiser.batch_tokens, self.config.seed
        drawn = batches(corpus.pairs, collator.lengths, tokens, seed, self.progress.place, self.origin.mixture)
        for place, rows, rng in drawn:
            batch = collator(rows, rng)
            yield Work(place, rows[0][0], self._parts(batch), batch.label_count, batch.token_count)

    def _parts(self, batch: Batch) -> list[Batch]:
        """The parts of a batch that this process computes, one after the other; their masks are made here."""
        micro, size = self.config.optimiser.micro_batches, self.ranks.size
        parts = [batch.part(number, micro * size) for number in range(self.ranks.rank, micro * size, size)]
        return [part for part in parts if len(part.ids) and part.mask.size]

    def update(self, work: Work, seconds: float, stop: bool = False) -> tuple[float, bool]:
        """One update, `seconds` into the run: the summed negative log-likelihood, and whether a process wants to stop.

        Raises TrainingError if loss or gradient are not finite; the weights are as they were, the optimiser is not.
        """
        self.model.train()
        likelihood = mx.array(0.0)
        gradients = tree_map(mx.zeros_like, self.weights)
        for number, part in enumerate(work.parts):
            mx.random.seed(self._seed(number))
            (_, summed), found = self._gradient(self.weights, part)
            gradients = tree_map(mx.add, gradients, found)
            likelihood = likelihood + summed
            mx.eval(gradients, likelihood)
        clock = mx.array(seconds if self.ranks.leads else 0.0)  # one clock, or the processes would part
        shared = {"likelihood": likelihood, "stop": mx.array(float(stop)), "clock": clock, "gradients": gradients}
        shared = self.ranks.total(shared)
        self.progress.seconds = float(shared["clock"])
        self._apply(tree_map(lambda g: g / work.labels, shared["gradients"]), shared["likelihood"], work)
        return float(shared["likelihood"]), float(shared["stop"]) > 0

    def settle(self) -> None:
        """Does nothing: each update is computed when `update` returns."""

    def _seed(self, part: int) -> int:
        """The seed of the dropout of one part of one update; a run that is resumed draws the same."""
        where = (self.config.seed, self.progress.step, part, self.ranks.rank)
        return int(np.random.SeedSequence(where).generate_state(1)[0])

    def _apply(self, gradients: Any, likelihood: mx.array, work: Work) -> None:
        weights, norm = self.optimisers.apply(gradients, self.weights, self.progress.step, self.progress.seconds)
        mx.eval(weights, norm, likelihood, self.optimisers.whole.state)
        if not math.isfinite(float(norm) + float(likelihood)):
            wrong = f"loss {float(likelihood):g}, gradient norm {float(norm):g}"
            raise TrainingError(f"step {self.progress.step + 1}: {wrong}; {work}")
        self.weights = in_order(weights)
        if self.average is not None:
            keep = self.config.optimiser.kept(self.progress.step)
            self.average = tree_map(lambda a, w: keep * a + (1 - keep) * w, self.average, self.weights)
            mx.eval(self.average)
        self.progress.step, self.progress.place = self.progress.step + 1, work.place

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
            self.progress.write(directory)

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
        self.progress = Progress.read(last, self.progress.fixed)
        weights = last / ("adapters.safetensors" if self.config.lora else "model.safetensors")
        self.weights = load_tree(weights, like=self.weights)
        self.optimisers.whole.state = load_tree(last / "optimiser.safetensors")
        if self.average is not None:
            kept = last / "average.safetensors"
            self.average = load_tree(kept, like=self.weights) if kept.exists() else self.weights
