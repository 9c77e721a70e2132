"""The training configuration: one YAML file, validated; unknown keys are errors that name the nearest known one."""

import difflib
import math
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from streamtrans.errors import UsageError


def _whole_or_infinite(k: float) -> float:
    if not (k == math.inf or (k >= 1 and k == int(k))):
        raise ValueError(f"{k:g} must be a whole number, 1 or more, or .inf")
    return k


K = Annotated[float, AfterValidator(_whole_or_infinite)]
"""The k of wait-k."""


class Section(BaseModel):
    """A part of the configuration; keys it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NewModel(Section):
    """Sizes of a model to make; its vocabulary is trained on the data."""

    hidden: int = Field(default=256, ge=8)
    layers: int = Field(default=6, ge=1)
    heads: int = Field(default=4, ge=1)
    kv_heads: int = Field(default=2, ge=1)
    intermediate: int = Field(default=768, ge=8)
    vocabulary: int = Field(default=8000, ge=300, description="pieces at most; fewer where the data has not enough")


class Files(Section):
    """Where pairs are: one table, two texts with equal numbers of lines, or a Hugging Face dataset."""

    path: Path | None = Field(default=None, description="TSV with a header, or JSONL (.jsonl); plain, .gz or .xz")
    source_path: Path | None = None
    target_path: Path | None = None
    dataset: str | None = Field(default=None, description="Hugging Face dataset id")
    split: str = "train"
    source_column: str = Field(default="source", description="name of the column; a.b for b inside of a")
    target_column: str = "target"

    @model_validator(mode="after")
    def _one_place(self) -> "Files":
        paired = self.source_path is not None and self.target_path is not None
        half = (self.source_path is None) != (self.target_path is None)
        if half or [self.path is not None, self.dataset is not None, paired].count(True) != 1:
            raise ValueError(
                "give one of path, source_path with target_path, or dataset; data.path=null takes one of a file away"
            )
        return self


class Data(Files):
    """Where pairs come from and which are left out."""

    source_language: str
    target_language: str
    exclude_domains: list[str] = []
    max_words: int = Field(default=60, ge=1)
    max_ratio: float = Field(default=2.5, gt=1, description="longer side over shorter side, in characters, 10 are free")
    validation: Files | None = Field(default=None, description="pairs for validation; without it some are held out")
    validation_every: int = Field(default=500, ge=2, description="every n-th pair is kept for validation")
    validation_pairs: int = Field(default=512, ge=1)


class Mix(Section):
    """How read schedules are mixed; see `Collator`."""

    wait_ks: list[K] = Field(default=[1, 2, 3, 4, 5, 6, 7, 9, math.inf], min_length=1)
    random_share: float = Field(default=1 / 3, ge=0, le=1)
    late_end_share: float = Field(default=0.5, ge=0, le=1)
    early_end_share: float = Field(default=0.5, ge=0, le=1)
    recogniser_share: float = Field(default=0.08, ge=0, le=1)
    max_lag: int = Field(default=9, ge=1)


class Optimiser(Section):
    """Muon on the matrices inside the blocks, AdamW on the rest; warm-up, then a stable rate with a linear decay to
    zero at the end, or a cosine."""

    name: Literal["muon", "adamw"] = "muon"
    muon_rate: float = Field(default=6e-3, gt=0)
    adamw_rate: float = Field(default=3e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    momentum: float = Field(default=0.95, ge=0, lt=1)
    clip_norm: float = Field(default=1.0, gt=0)
    batch_tokens: int = Field(default=8000, ge=1, description="tokens an update, padding included, over all processes")
    micro_batches: int = Field(default=1, ge=1, description="parts of a batch that are computed one after the other")
    steps: int = Field(default=4000, ge=1)
    warmup_steps: int = Field(default=150, ge=0)
    schedule: Literal["stable-decay", "cosine"] = "stable-decay"
    decay_steps: int = Field(default=1000, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    average: float = Field(
        default=0.0, ge=0, lt=1, description="decay of the moving average of the weights; 0 for none"
    )

    def rate(self, step: int) -> float:
        """The share of the full learning rate at a step (from 0)."""
        warm = min(1.0, (step + 1) / max(1, self.warmup_steps))
        if self.schedule == "cosine":
            done = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
            return min(warm, 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, done)))))
        return min(warm, min(1.0, max(0.0, (self.steps - step) / max(1, self.decay_steps))))

    def kept(self, step: int) -> float:
        """The share of the averaged weights that an update (from 0) keeps.

        Early on the average follows quickly: its start is the worst of all weights.
        """
        return min(self.average, (1 + step) / (10 + step))


class Prompt(Section):
    """What stands around the source, for pretrained decoders; see `prompts`."""

    instruction: str = Field(default="", description="text in front of the source")
    chat: bool = Field(default=False, description="put both into the checkpoint's chat template")

    @model_validator(mode="after")
    def _something(self) -> "Prompt":
        if not (self.chat or self.instruction.strip()):
            raise ValueError("give an instruction, chat: true, or both")
        return self


class Lora(Section):
    """Low-rank adapters on the last layers in place of training every weight."""

    rank: int = Field(default=8, ge=1)
    scale: float = Field(default=20.0, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    layers: int = Field(default=0, ge=0, description="how many, counted from the last; 0 for all")
    keys: list[str] = Field(default=["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"])


class Report(Section):
    """How often something is said and saved, in steps."""

    log_every: int = Field(default=20, ge=1)
    validate_every: int = Field(default=500, ge=1)
    save_every: int = Field(default=100, ge=1)
    validation_ks: list[K] = Field(default=[1, 3, 5, math.inf], min_length=1)
    tensorboard: bool | Path = Field(default=False, description="true for RUN/tensorboard, or a directory")


ModelSource = Annotated[
    Annotated[Path, Tag("directory")] | Annotated[NewModel, Tag("new")],
    Discriminator(lambda value: "new" if isinstance(value, dict | NewModel) else "directory"),
]


class TrainConfig(Section):
    """One training run."""

    model: ModelSource = Field(description="checkpoint to start from (directory, name), or sizes of a new model")
    data: Data
    mix: Mix = Mix()
    optimiser: Optimiser = Optimiser()
    prompt: Prompt | None = None
    lora: Lora | None = None
    report: Report = Report()
    run: Path | None = Field(default=None, description="directory of the run; default runs/NAME of the configuration")
    seed: int = Field(default=1, ge=0)
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="of activations; auto: bfloat16 on a GPU, float32 on a CPU; the PyTorch trainer takes bfloat16 "
        "also on a CPU that has instructions for it",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="of the PyTorch trainer")


def load_config(path: str | Path, overrides: list[str] | None = None) -> TrainConfig:
    """Reads a YAML file and applies `section.key=value` overrides (values are YAML).

    Raises UsageError that names file, key and what was expected, or the nearest known key.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path}: expected keys and values")
    for override in overrides or []:
        _override(values, override)
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{path}: {_explain(error)}") from error


def _override(values: dict[str, Any], override: str) -> None:
    """Sets one key; a section that is missing, empty or a plain value (`model: DIR`) becomes a section."""
    name, equals, value = override.partition("=")
    if not equals:
        raise UsageError(f"{override!r}: write section.key=value")
    *sections, key = name.split(".")
    for section in sections:
        if not isinstance(values.get(section), dict):
            values[section] = {}
        values = values[section]
    try:
        values[key] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UsageError(f"{override!r}: the value is not YAML") from error


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    section: type[Section] = TrainConfig
    path: list[str] = []
    for part in first["loc"]:
        if part in ("new", "directory") and path == ["model"]:
            section = NewModel
            continue
        path.append(str(part))
        if part in section.model_fields and (inner := _section_in(section.model_fields[str(part)].annotation)):
            section = inner
    key = ".".join(path)
    if first["type"] != "extra_forbidden":
        return f"{key}: {first['msg']}".removesuffix(": ")
    near = difflib.get_close_matches(path[-1], section.model_fields, 1)
    return f"unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _section_in(annotation: Any) -> type[Section] | None:
    """The section that a field holds, maybe or None."""
    found = [part for part in (annotation, *get_args(annotation)) if isinstance(part, type)]
    return next((part for part in found if issubclass(part, Section)), None)
