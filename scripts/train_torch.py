"""Trains the embedded model with PyTorch, which on a CPU with bf16 instructions is several times faster than MLX.

    python scripts/train_torch.py configs/en-pt.yaml RUN_DIR [key=value …]

The configuration, the collator and the mask are those of `streamtrans train`. Weights and activations are bf16, or f32
on a CPU without bf16 instructions; the optimiser keeps f32 masters under their Hugging Face names. RUN_DIR holds
`start/` if the model is new, `last/` (weights, their average, optimiser, place in the data: a run that is killed goes
on from there, exactly but for the masks of dropout), `log.jsonl`, and `checkpoint/`, which streamtrans loads. Needs
streamtrans[train] and torch.
On a CPU set MALLOC_MMAP_THRESHOLD_=2000000000 MALLOC_TRIM_THRESHOLD_=4000000000: a third of the time would otherwise go
to page faults.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from streamtrans.errors import DataError, ModelError, StreamtransError, UsageError
from streamtrans.models.loading import rope_theta
from streamtrans.training.checkpoints import write_config
from streamtrans.training.config import TrainConfig, load_config
from streamtrans.training.data.collator import IGNORE, Batch, Collator
from streamtrans.training.data.corpus import read_corpus
from streamtrans.training.data.dataset import Position, batches, prefetched
from streamtrans.training.files import copy_tokenizer, recover, written_aside
from streamtrans.training.log import RunLog
from streamtrans.training.origin import Origin, fixed, is_new, refuse_changes, start_from

FUSED = {
    "self_attn.qkv": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    "mlp.gate_up": ["mlp.gate_proj", "mlp.up_proj"],
}


def chosen_dtype(precision: str, device: str) -> torch.dtype:
    """The type of activations; "auto" is bf16 but on a CPU that has no instructions for it, where it is ten times
    slower than f32."""
    if precision == "auto":
        names = "avx512_bf16", "amx_bf16", "bf16"
        native = device != "cpu" or any(torch.cpu.get_capabilities().get(name) for name in names)
        precision = "bfloat16" if native else "float32"
    return {"bfloat16": torch.bfloat16, "float32": torch.float32}[precision]


class Muon(torch.optim.Optimizer):
    """torch.optim.Muon with Nesterov momentum and adjust_lr_fn="match_rms_adamw" (same state, same update), but it
    orthogonalises in `dtype`, where torch knows bf16 only, and all matrices of a shape together."""

    def __init__(self, params: list, lr: float, weight_decay: float, momentum: float, dtype: torch.dtype):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "dtype": dtype})

    @torch.no_grad()
    def step(self) -> None:
        """One update of every matrix."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[torch.Tensor]] = {}
            for weight in group["params"]:
                by_shape.setdefault(weight.shape, []).append(weight)
            for shape, weights in by_shape.items():
                gradients = torch.stack([self._averaged(weight, group["momentum"]) for weight in weights])
                for weight, update in zip(weights, orthogonal(gradients, group["dtype"]), strict=True):
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.add_(update, alpha=-group["lr"] * 0.2 * max(shape) ** 0.5)

    def _averaged(self, weight: torch.Tensor, momentum: float) -> torch.Tensor:
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        average = state["momentum_buffer"].lerp_(weight.grad, 1 - momentum)
        return weight.grad.lerp(average, momentum)


def orthogonal(matrices: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Newton-Schulz iteration (Jordan et al. 2024): (N, rows, columns) with all singular values moved close to 1."""
    a, b, c = 3.4445, -4.775, 2.0315
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if tall else matrices).to(dtype)
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)


class Qwen2:
    """The streaming forward pass on working copies of f32 masters in `dtype`; q,k,v and gate,up are single matmuls."""

    def __init__(
        self,
        config: dict,
        masters: dict[str, torch.Tensor],
        device: str,
        dtype: torch.dtype,
        dropout: float = 0.0,
    ):
        self.config, self.masters, self.device, self.dtype, self.dropout = config, masters, device, dtype, dropout
        self.heads, self.kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self.width = config["hidden_size"] // self.heads
        self.theta = rope_theta(config)
        self.members = dict(self._working_names())
        self.working: dict[str, torch.Tensor] = {}
        self.refresh()

    def _working_names(self) -> Iterator[tuple[str, list[str]]]:
        part_of = {part: whole for whole, parts in FUSED.items() for part in parts}
        for name in self.masters:
            stem, kind = name.rsplit(".", 1)
            prefix, part = ".".join(stem.split(".")[:3]), ".".join(stem.split(".")[3:])
            if part not in part_of:
                yield name, [name]
            elif part == FUSED[part_of[part]][0]:
                parts = FUSED[part_of[part]]
                yield f"{prefix}.{part_of[part]}.{kind}", [f"{prefix}.{member}.{kind}" for member in parts]

    def refresh(self) -> None:
        """Copies the masters into the working weights."""
        with torch.no_grad():
            for name, members in self.members.items():
                whole = torch.cat([self.masters[member] for member in members])
                if name in self.working:
                    self.working[name].copy_(whole)
                else:
                    self.working[name] = whole.to(self.dtype).requires_grad_()

    def gradients_to_masters(self) -> None:
        """Moves the working gradients to the masters, in f32."""
        for name, members in self.members.items():
            weight = self.working[name]
            parts = weight.grad.float().split([self.masters[member].shape[0] for member in members])
            for member, part in zip(members, parts, strict=True):
                self.masters[member].grad = part
            weight.grad = None

    def loss(self, batch: Batch, smoothing: float = 0.0) -> tuple[torch.Tensor, torch.Tensor, int]:
        """What to minimise and the negative log-likelihood, both summed over the labels, and the labels' number."""
        labels = torch.from_numpy(batch.labels).to(self.device)
        wanted = labels != IGNORE
        x = self._hidden(batch)[wanted]
        logits = (x @ self.working["model.embed_tokens.weight"].t()).float()
        likelihood = F.cross_entropy(logits, labels[wanted], reduction="sum")
        objective = likelihood
        if smoothing:
            spread = (logits.logsumexp(-1) - logits.mean(-1)).sum()
            objective = (1 - smoothing) * likelihood + smoothing * spread
        return objective, likelihood.detach(), int(wanted.sum())

    def _hidden(self, batch: Batch) -> torch.Tensor:
        ids = torch.from_numpy(batch.ids).to(self.device)
        bias = torch.zeros(batch.mask.shape, dtype=self.dtype)
        bias = bias.masked_fill_(torch.from_numpy(~batch.mask), -1e4).to(self.device)[:, None, None]
        rotation = self._rotation(torch.from_numpy(batch.positions).to(self.device))
        x = self._dropped(F.embedding(ids, self.working["model.embed_tokens.weight"]))
        layers = self.config["num_hidden_layers"]
        for layer in range(layers):
            last = batch.source_length if layer == layers - 1 else 0  # nothing after needs the source's rows
            x = self._block(f"model.layers.{layer}.", x, bias, rotation, last)
        return self._norm(x, "model.norm.weight")

    def _block(self, at: str, x: torch.Tensor, bias: torch.Tensor, rotation: tuple, first: int) -> torch.Tensor:
        weights = self.working
        normed = self._norm(x, at + "input_layernorm.weight")
        attended = self._attention(at, normed, bias, rotation, first)
        x = x[:, first:] + self._dropped(attended @ weights[at + "self_attn.o_proj.weight"].t())
        normed = self._norm(x, at + "post_attention_layernorm.weight")
        gate, up = (normed @ weights[at + "mlp.gate_up.weight"].t()).chunk(2, -1)
        return x + self._dropped((F.silu(gate) * up) @ weights[at + "mlp.down_proj.weight"].t())

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(x, self.dropout) if self.dropout and torch.is_grad_enabled() else x

    def _attention(self, at: str, x: torch.Tensor, bias: torch.Tensor, rotation: tuple, first: int) -> torch.Tensor:
        weights, (batch, length, _) = self.working, x.shape
        qkv = F.linear(x, weights[at + "self_attn.qkv.weight"], weights[at + "self_attn.qkv.bias"])
        qkv = qkv.view(batch, length, self.heads + 2 * self.kv_heads, self.width).transpose(1, 2)
        qk, v = qkv.split([self.heads + self.kv_heads, self.kv_heads], 1)
        cos, sin = rotation
        left, right = qk.chunk(2, -1)
        qk = torch.cat([left * cos - right * sin, right * cos + left * sin], -1)
        q, k = qk.split([self.heads, self.kv_heads], 1)
        q, rows = q[:, :, first:], length - first
        q = q.reshape(batch, self.kv_heads, -1, self.width) * self.width**-0.5
        scores = (q @ k.transpose(-1, -2)).view(batch, self.kv_heads, -1, rows, length)
        weight = torch.softmax(scores + bias[..., first:, :], -1).view(batch, self.kv_heads, -1, length)
        out = (weight @ v).view(batch, self.heads, rows, self.width)
        return out.transpose(1, 2).reshape(batch, rows, -1)

    def _rotation(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        half = torch.arange(0, self.width, 2, device=self.device) / self.width
        angles = positions[:, None, :, None] * self.theta**-half
        return angles.cos().to(self.dtype), angles.sin().to(self.dtype)

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return F.rms_norm(x, x.shape[-1:], self.working[name], self.config["rms_norm_eps"])


class Trainer:
    """Model, optimisers and place in the data; saved and loaded whole."""

    def __init__(self, config: TrainConfig, origin: Origin, run: Path, pairs: int):
        self.config, self.origin, self.run, self.step, self.place = config, origin, run, 0, Position()
        self.fixed = fixed(config, pairs)
        device = config.device if config.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(config.seed)
        self.last = run / "last"
        recover(self.last)
        resumed = (self.last / "state.json").exists()
        directory = self.last if resumed else origin.directory
        weights = directory / "model.safetensors"
        if not weights.exists():
            raise ModelError(f"{weights} does not exist; this script wants all weights in one file")
        masters = {name: tensor.float().to(device) for name, tensor in load_file(weights).items()}
        if masters.pop("lm_head.weight", None) is not None and not origin.config.get("tie_word_embeddings"):
            raise ModelError(f"{weights}: an output layer of its own; only `streamtrans train` trains one")
        self.average = {name: tensor.clone() for name, tensor in masters.items()} if config.optimiser.average else None
        dtype = chosen_dtype(config.precision, device)
        self.model = Qwen2(origin.config, masters, device, dtype, config.optimiser.dropout)
        inner = [n for n, p in masters.items() if p.ndim == 2 and ".layers." in n]
        outer = [n for n in masters if n not in inner]
        o = config.optimiser
        self.optimisers = {
            "muon": Muon([masters[n] for n in inner], o.muon_rate, o.weight_decay, o.momentum, dtype),
            "adamw": torch.optim.AdamW([masters[n] for n in outer], o.adamw_rate, weight_decay=o.weight_decay),
        }
        self.names = {"muon": inner, "adamw": outer}
        self.full_rates = {"muon": o.muon_rate, "adamw": o.adamw_rate}
        if resumed:
            self._resume()

    def train_step(self, batch: Batch) -> tuple[float, int]:
        """One update; summed loss and label count."""
        objective, likelihood, count = self.model.loss(batch, self.config.optimiser.label_smoothing)
        (objective / count).backward()
        self.model.gradients_to_masters()
        norm = torch.nn.utils.clip_grad_norm_(list(self.model.masters.values()), self.config.optimiser.clip_norm)
        if not torch.isfinite(norm):
            raise StreamtransError(
                f"step {self.step}: gradient is {float(norm)}; {self.last} holds the last good state"
            )
        share = self.config.optimiser.rate(self.step)
        for name, optimiser in self.optimisers.items():
            optimiser.param_groups[0]["lr"] = self.full_rates[name] * share
            optimiser.step()
        self.model.refresh()
        if self.average:
            keep = self.config.optimiser.kept(self.step)
            for name, weight in self.average.items():
                weight.lerp_(self.model.masters[name].detach(), 1 - keep)
        self.step += 1
        return float(likelihood), count

    def validate(self, collator: Collator, pairs: list) -> dict[str, float]:
        """Negative log-likelihood per target token at each k, of the averaged weights if there are."""
        model, found = self.model, {}
        if self.average:
            model = Qwen2(self.origin.config, self.average, self.model.device, self.model.dtype)
        with torch.no_grad():
            for k in self.config.report.validation_ks:
                sums = [model.loss(collator.at_k(pairs[i : i + 64], k))[1:] for i in range(0, len(pairs), 64)]
                found[f"nll_{k:g}"] = round(float(sum(s for s, _ in sums)) / sum(n for _, n in sums), 4)
        return found

    def save(self) -> None:
        """Writes `last/` beside the old one, then swaps them."""
        tensors = {}
        for kind, optimiser in self.optimisers.items():
            for i, state in optimiser.state_dict()["state"].items():
                tensors |= {f"{kind}/{self.names[kind][i]}/{key}": value for key, value in state.items()}
        with written_aside(self.last) as fresh:
            save_file(self.model.masters, fresh / "model.safetensors")
            save_file({key: value.contiguous() for key, value in tensors.items()}, fresh / "optimiser.safetensors")
            if self.average:
                save_file(self.average, fresh / "average.safetensors")
            state = {"step": self.step, "place": asdict(self.place), "fixed": self.fixed}
            (fresh / "state.json").write_text(json.dumps(state))

    def _resume(self) -> None:
        state = json.loads((self.last / "state.json").read_text())
        tensors = load_file(self.last / "optimiser.safetensors")
        if not all(key.split("/")[0] in self.optimisers for key in tensors):
            raise DataError(f"{self.last} is a run of `streamtrans train`, which alone can go on with it")
        refuse_changes(self.last, state["fixed"], self.fixed)
        self.step, self.place = state["step"], Position(**state["place"])
        for kind, optimiser in self.optimisers.items():
            found: dict = {}
            for key, value in tensors.items():
                if key.startswith(kind + "/"):
                    _, name, entry = key.split("/")
                    found.setdefault(self.names[kind].index(name), {})[entry] = value
            optimiser.load_state_dict({**optimiser.state_dict(), "state": found})
        if self.average and (self.last / "average.safetensors").exists():
            self.average = load_file(self.last / "average.safetensors", self.model.device)

    def export(self, to: Path) -> None:
        """Writes a checkpoint in the Hugging Face layout, bf16."""
        to.mkdir(parents=True, exist_ok=True)
        copy_tokenizer(self.origin.directory, to)
        write_config(to, self.origin.config | {"torch_dtype": "bfloat16"})
        weights = self.average or self.model.masters
        save_file({name: w.bfloat16() for name, w in weights.items()}, to / "model.safetensors", {"format": "pt"})


def check_supported(config: TrainConfig) -> None:
    """UsageError where the configuration asks for what only `streamtrans train` does."""
    o = config.optimiser
    asked = {"lora": config.lora, "micro_batches": o.micro_batches > 1, "name=adamw": o.name != "muon"}
    asked |= {"report.tensorboard": config.report.tensorboard}
    if unsupported := [name for name, wanted in asked.items() if wanted]:
        raise UsageError(f"only `streamtrans train` knows {', '.join(unsupported)}")


def main() -> None:
    """Reads the configuration and trains until its last step; what is wrong with it is said in a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("run", type=Path)
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_args()
    try:
        train(load_config(arguments.config, arguments.overrides), arguments.run)
    except StreamtransError as error:
        raise SystemExit(f"error: {error}") from error


def train(config: TrainConfig, run: Path) -> None:
    """Trains in a directory, going on from there if it holds a run."""
    check_supported(config)
    corpus = read_corpus(config)
    run.mkdir(parents=True, exist_ok=True)
    origin = start_from(config, corpus, run, make=is_new(run))
    trainer = Trainer(config, origin, run, len(corpus.pairs))
    print(f"{len(corpus.pairs)} pairs, dropped {corpus.dropped}; from step {trainer.step}", flush=True)
    run_loop(trainer, origin.collator, corpus.pairs, corpus.validation)


def run_loop(trainer: Trainer, collator: Collator, pairs: list, validation: list) -> None:
    """Steps, logs, validates and saves until the configured end."""
    config, report = trainer.config, trainer.config.report
    stream = batches(pairs, collator.lengths, config.optimiser.batch_tokens, config.seed, trainer.place)
    log = RunLog(trainer.run / "log.jsonl", trainer.step)
    summed, labels, tokens, began = 0.0, 0, 0, time.time()

    def collate(item: tuple) -> tuple[Position, Batch]:
        batch = collator(item[1], item[2])
        batch.mask  # noqa: B018  (cached here, on the other thread)
        return item[0], batch

    for place, batch in prefetched(stream, collate):
        if trainer.step >= config.optimiser.steps:
            break
        loss, count = trainer.train_step(batch)
        trainer.place = place
        summed, labels, tokens = summed + loss, labels + count, tokens + batch.token_count
        row: dict = {}
        if trainer.step % report.log_every == 0:
            row = {"loss": round(summed / labels, 4), "tokens_per_s": round(tokens / (time.time() - began))}
            row |= {"rate": round(config.optimiser.rate(trainer.step), 4)}
            summed, labels, tokens, began = 0.0, 0, 0, time.time()
        finished = trainer.step == config.optimiser.steps
        if trainer.step % report.validate_every == 0 or finished:
            row |= trainer.validate(collator, validation)
        if trainer.step % report.save_every == 0 or finished:
            trainer.save()
        if row:
            row = {"step": trainer.step, "epoch": place.epoch, "chunk": place.chunk, "time": int(time.time())} | row
            print(json.dumps(row), flush=True)
            log.write(row)
    trainer.export(trainer.run / "checkpoint")


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    main()
