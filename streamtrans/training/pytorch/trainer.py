"""The PyTorch trainer: what one update is, and the state that is saved and loaded whole."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from streamtrans.errors import DataError, ModelError, UsageError
from streamtrans.ranks import Ranks
from streamtrans.text.tokenizer import load_tokenizer
from streamtrans.training.checkpoints import write_config
from streamtrans.training.config import TrainConfig
from streamtrans.training.data.corpus import Corpus
from streamtrans.training.data.dataset import Pair
from streamtrans.training.files import copy_tokenizer, recover, written_aside
from streamtrans.training.origin import Origin, fixed
from streamtrans.training.progress import Progress, TrainingError, Work
from streamtrans.training.pytorch import chosen_device, chosen_dtype, torch
from streamtrans.training.pytorch.batches import ALIGNED, DeviceRows, FlatRows
from streamtrans.training.pytorch.model import TorchQwen2
from streamtrans.training.pytorch.optimiser import TorchOptimisers
from streamtrans.training.pytorch.schedules import Drawing, plain
from streamtrans.training.pytorch.stream import BatchStream, Encoder

UNSETTLED = 20
"""Updates that a GPU may be behind: to ask it for a loss after each would leave it idle in between."""

MANY = 100_000
"""Pairs above which a GPU's batches are encoded by processes: for fewer they would not be worth their start."""

VALIDATION_BATCH = 64


class TorchTrainer:
    """Model, optimisers and place in the data of one run in a directory: `last`, `best`, and `start` if it is new."""

    def __init__(self, config: TrainConfig, origin: Origin, run: Path, pairs: int, ranks: Ranks):
        """Loads the checkpoint to start from, or goes on from `run`/last. UsageError if that was another run."""
        self.config, self.origin, self.run, self.ranks = config, origin, run, ranks
        self.device = chosen_device(config.device)
        self.on_cpu = self.device.type == "cpu"
        if self.device.type == "cuda":
            torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for each shape
        self.progress = Progress(fixed=fixed(config, pairs))
        recover(run / "last")
        resumed = (run / "last").exists()
        if resumed:
            self.progress = Progress.read(run / "last", self.progress.fixed)
        masters = self._read_weights(run / "last" if resumed else origin.directory)
        average = config.optimiser.average
        self.average = {name: weight.clone() for name, weight in masters.items()} if average else None
        dtype = chosen_dtype(config.precision, self.device)
        self.model = TorchQwen2(origin.config, masters, dtype, config.optimiser.dropout)
        self.optimisers = TorchOptimisers(config.optimiser, masters, dtype)
        self.drawing = Drawing(**config.mix.schedules)
        self._unsettled: list[tuple[int, Work, Any, Any]] = []
        if resumed:
            self._resume(run / "last")

    def _read_weights(self, directory: Path) -> dict[str, Any]:
        file = directory / "model.safetensors"
        if not file.exists():
            raise ModelError(f"{file} does not exist; trainer=torch wants all weights in one file")
        # By name: sums over them must round the same each time, whatever the order in the file.
        masters = {name: tensor.float() for name, tensor in sorted(self._load(file).items())}
        if masters.pop("lm_head.weight", None) is not None and not self.origin.config.get("tie_word_embeddings"):
            raise ModelError(f"{file}: an output layer of its own; only trainer=mlx trains one")
        return masters

    def _load(self, file: Path) -> dict[str, Any]:
        try:
            return load_file(file, str(self.device))
        except (SafetensorError, OSError) as error:
            raise DataError(f"{file} is corrupt or truncated: {error}") from error

    @property
    def parameters(self) -> int:
        """The number of trained parameters."""
        return sum(weight.numel() for weight in self.model.masters.values())

    def batches(self, corpus: Corpus) -> Iterator[Work]:
        """Endless batches from `progress.place` on."""
        origin = self.origin
        encoder = Encoder(origin.collator, self.config.optimiser.batch_tokens, 1 if self.on_cpu else ALIGNED)
        tokenizer = partial(load_tokenizer, origin.directory, origin.config["streamtrans"]["tokenizer"], origin.config)
        # A GPU is faster than one process encodes; on a CPU more of them would take its cores away.
        many = not self.on_cpu and len(corpus.pairs) > MANY
        processes = min(8, (os.cpu_count() or 1) - 1) if many else 0
        stream = BatchStream(encoder, origin.mixture, self.config.seed, self.device, processes, tokenizer)
        for drawn in stream.batches(corpus.pairs, self.progress.place):
            rows, which = drawn.rows, drawn.which
            yield Work(drawn.place, drawn.opening, [drawn], rows.labels_of(which), rows.tokens_of(which))

    def update(self, work: Work, seconds: float, stop: bool = False) -> tuple[Any, bool]:
        """One update, `seconds` into the run: the summed negative log-likelihood, and `stop` as it was given.

        Raises TrainingError if loss or gradient of this update or one before were not finite, UsageError where the
        device has no memory for the batch.
        """
        step, settings, (drawn,) = self.progress.step, self.config.optimiser, work.parts
        if settings.dropout:
            torch.manual_seed(int(np.random.SeedSequence((self.config.seed, step)).generate_state(1)[0]))
        with self._naming_what_to_lower():
            batch = drawn.rows.batch(drawn.which, self.drawing.draw(drawn.rows, drawn.which, drawn.seed))
            parts = [batch.part(number, settings.micro_batches) for number in range(settings.micro_batches)]
            likelihood: Any = 0.0
            for part in parts[: len(drawn.which)]:
                objective, summed = self.model.loss(part, settings.label_smoothing)
                (objective / work.labels).backward()
                likelihood = likelihood + summed
            self.progress.seconds = seconds
            norm = self.optimisers.apply(self.model.take_gradients(), settings.rate(step, seconds))
            self.model.refresh()
        if self.average:
            masters = [self.model.masters[name] for name in self.average]
            torch._foreach_lerp_(list(self.average.values()), masters, 1 - settings.kept(step))
        self.progress.step, self.progress.place = step + 1, work.place
        self._unsettled.append((step + 1, work, likelihood, norm))
        if len(self._unsettled) >= (1 if self.on_cpu else UNSETTLED):
            self.settle()
        return likelihood, stop

    def settle(self) -> None:
        """Waits until all updates are computed; raises their TrainingError."""
        found, self._unsettled = self._unsettled, []
        for step, work, likelihood, norm in found:
            if not math.isfinite(float(likelihood) + float(norm)):
                wrong = f"loss {float(likelihood):g}, gradient norm {float(norm):g}"
                raise TrainingError(f"step {step}: {wrong}; {work}")

    @contextmanager
    def _naming_what_to_lower(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # OutOfMemoryError is one; a CPU and Apple's GPUs raise it plainly
            if "out of memory" not in str(error) and "can't allocate memory" not in str(error):
                raise
            settings = self.config.optimiser
            raise UsageError(
                f"{self.device} has no memory for a batch of optimiser.batch_tokens={settings.batch_tokens}; lower it, "
                f"or compute it in more parts, optimiser.micro_batches={2 * settings.micro_batches} say"
            ) from error

    def validate(self, pairs: list[Pair]) -> dict[str, float]:
        """Negative log-likelihood per target token of the averaged weights at each configured k, as `nll_K`."""
        collator, model = self.origin.collator, self.model
        if self.average:
            model = TorchQwen2(self.origin.config, self.average, self.model.dtype)
        flat = FlatRows.of([collator.encode(pair) for pair in sorted(pairs, key=collator.lengths)])
        aligned = 1 if self.on_cpu else ALIGNED
        rows, found = DeviceRows(flat, self.device, collator.target_offset, aligned), {}
        parts = [np.arange(i, min(i + VALIDATION_BATCH, len(pairs))) for i in range(0, len(pairs), VALIDATION_BATCH)]
        with torch.no_grad(), self._naming_what_to_lower():
            for k in self.config.report.validation_ks:
                summed = sum(model.loss(rows.batch(part, plain(rows, part, k)))[1] for part in parts)
                found[f"nll_{k:g}"] = float(summed) / sum(map(rows.labels_of, parts))
        return found

    def save_last(self) -> None:
        """Writes `last`: a checkpoint that streamtrans loads, and everything needed to go on exactly."""
        with written_aside(self.run / "last") as directory:
            self._write_model(directory, self.model.masters, torch.float32)
            save_file(self.optimisers.state(), directory / "optimiser.safetensors")
            if self.average:
                save_file(self.average, directory / "average.safetensors")
            self.progress.write(directory)

    def save_best(self) -> None:
        """Writes `best`: the checkpoint alone, averaged weights where there are, in the dtype of config.json."""
        config = self.origin.config
        named = str(config.get("dtype") or config.get("torch_dtype") or "float32")
        dtype = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(named, torch.float32)
        with written_aside(self.run / "best") as directory:
            self._write_model(directory, self.average or self.model.masters, dtype)

    def _write_model(self, directory: Path, weights: dict[str, Any], dtype: Any) -> None:
        tensors = {name: weight.detach().to(dtype).contiguous() for name, weight in weights.items()}
        save_file(tensors, directory / "model.safetensors", {"format": "pt"})
        write_config(directory, self.origin.config)
        copy_tokenizer(self.origin.directory, directory)

    def _resume(self, last: Path) -> None:
        try:
            self.optimisers.load(self._load(last / "optimiser.safetensors"))
        except (KeyError, ValueError) as error:
            raise DataError(f"{last} does not hold the optimisers of this run ({error})") from error
        if self.average and (last / "average.safetensors").exists():
            self.average = self._load(last / "average.safetensors")
