"""The training configuration: one YAML file, validated; unknown keys are errors that name the nearest known one."""

import difflib
import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from streamtrans.errors import UsageError


def _whole_or_infinite(k: float) -> float:
    if not (k == math.inf or (k >= 1 and k == int(k))):
        raise ValueError(f"{k:g} must be a whole number, 1 or more, or .inf")
    return k


Decay = Annotated[float, Field(ge=0, lt=1)]
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
    """Shares of read schedules, see `Collator`, and of the kinds of rows, see `Mixture`."""

    wait_ks: list[K] = Field(default=[1, 2, 3, 4, 5, 6, 7, 9, math.inf], min_length=1)
    random_share: float = Field(default=1 / 3, ge=0, le=1)
    late_end_share: float = Field(default=0.5, ge=0, le=1)
    early_end_share: float = Field(default=0.5, ge=0, le=1)
    max_lag: int = Field(default=9, ge=1)
    recogniser_share: float = Field(default=0.08, ge=0, le=1)
    concat_share: float = Field(default=0.0, ge=0, le=1, description="rows that are two to five neighbouring pairs")
    concat_recogniser_share: float = Field(default=0.0, ge=0, le=1, description="the same as a recogniser gives them")
    copy_word_share: float = Field(default=0.0, ge=0, le=1, description="rows with a word to copy before or after")
    copy_target_share: float = Field(default=0.0, ge=0, le=1, description="rows whose source is the target itself")

    @property
    def schedules(self) -> dict[str, Any]:
        """The settings of `Collator`, by name."""
        return self.model_dump(include={"wait_ks", "random_share", "late_end_share", "early_end_share", "max_lag"})

    @property
    def rows(self) -> dict[str, float]:
        """The settings of `Mixture`, by name."""
        return self.model_dump(exclude=set(self.schedules))

    @model_validator(mode="after")
    def _at_most_all(self) -> "Mix":
        if (total := sum(self.rows.values())) > 1:
            raise ValueError(f"{', '.join(self.rows)} add to {total:g}; they are shares of all rows, 1 at most")
        return self


class Optimiser(Section):
    """Muon on the matrices inside the blocks, AdamW on the rest; warm-up, then a stable rate with a linear decay to
    zero at the end, or a cosine: by updates (`steps`), or by the clock (`seconds`)."""

    name: Literal["muon", "adamw"] = "muon"
    muon_rate: float = Field(default=6e-3, gt=0)
    adamw_rate: float = Field(default=3e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    momentum: float = Field(default=0.95, ge=0, lt=1)
    clip_norm: float = Field(default=1.0, gt=0)
    batch_tokens: int = Field(default=8000, ge=1, description="tokens an update, padding included, over all processes")
    micro_batches: int = Field(default=1, ge=1, description="parts of a batch that are computed one after the other")
    steps: int | None = Field(default=4000, ge=1)
    seconds: float | None = Field(default=None, gt=0, description="in place of steps: how long to train")
    warmup_steps: int = Field(default=150, ge=0)
    schedule: Literal["stable-decay", "cosine"] = "stable-decay"
    decay_steps: int = Field(default=1000, ge=0)
    decay_share: float = Field(
        default=0.85, ge=0, le=1, description="with seconds: of the time, in place of decay_steps"
    )
    betas: tuple[Decay, Decay] = Field(default=(0.9, 0.999), description="of AdamW")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    average: float = Field(
        default=0.0, ge=0, lt=1, description="decay of the moving average of the weights; 0 for none"
    )

    @model_validator(mode="before")
    @classmethod
    def _one_end(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("seconds") is not None:
            if values.get("steps") is not None:
                raise ValueError("give seconds or steps, not both; optimiser.steps=null takes the steps of a file away")
            return {**values, "steps": None}
        if isinstance(values, dict) and "steps" in values and values["steps"] is None:
            raise ValueError("without steps give seconds")
        return values

    def rate(self, step: int, seconds: float = 0.0) -> float:
        """The share of the full learning rate for an update (from 0) that begins `seconds` into the run."""
        warm = min(1.0, (step + 1) / max(1, self.warmup_steps))
        left = 1 - self.done(step, seconds)
        if self.schedule == "cosine":
            risen = self.warmup_steps / self.steps if self.steps and not self.seconds else 0.0
            after = min(1.0, max(0.0, (1 - left - risen) / max(1e-9, 1 - risen)))
            return min(warm, 0.5 * (1 + math.cos(math.pi * after)))
        if self.seconds:
            return min(warm, min(1.0, max(0.0, left / max(1e-9, self.decay_share))))
        return min(warm, min(1.0, max(0.0, ((self.steps or 0) - step) / max(1, self.decay_steps))))

    def done(self, step: int, seconds: float) -> float:
        """The part of the run, 1 at its end, that is done after `step` updates and `seconds`."""
        return seconds / self.seconds if self.seconds else step / (self.steps or 1)

    def kept(self, step: int) -> float:
        """The share of the averaged weights that an update (from 0) keeps.

        Early on the average follows quickly: its start is the worst of all weights.
        """
        return min(self.average, (1 + step) / (10 + step))


class Prompt(Section):
    """Text around the source, for pretrained decoders; see `prompts`."""

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
    """Intervals, in steps, of the log, of validation and of saving."""

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
        description="of activations; auto: bfloat16 on a GPU, float32 on a CPU; torch: bfloat16 also on a CPU that has "
        "instructions for it",
    )
    trainer: Literal["mlx", "torch"] = "mlx"
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="of trainer torch: auto, cpu, cuda, cuda:1, mps",
    )

    @model_validator(mode="after")
    def _one_trainer(self) -> "TrainConfig":
        if self.trainer == "mlx" and self.device != "auto":
            raise ValueError(
                f"device={self.device} is for trainer=torch; MLX trains on the device that it was built for"
            )
        if self.trainer == "torch" and self.lora:
            raise ValueError("lora is for trainer=mlx; torch trains whole models")
        return self


class _Loader(yaml.BaseLoader):
    """YAML in which every plain value is text but null, true, false, .inf and .nan; the configuration knows the types.

    So `no` is Norwegian, 20240501 can be a directory, and no tag makes anything else.
    """


_Loader.add_implicit_resolver("null", re.compile(r"^(~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("bool", re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver("float", re.compile(r"^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"), list("-+."))
_Loader.add_constructor("null", lambda loader, node: None)
_Loader.add_constructor("bool", lambda loader, node: node.value.lower() == "true")
_Loader.add_constructor("float", lambda loader, node: float(node.value.replace(".", "")))


def _parse(text: str) -> Any:
    """The value of a YAML text; ValueError that says in a line why it is none."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def load_config(path: str | Path, overrides: list[str] | None = None) -> TrainConfig:
    """Reads a YAML file and applies `section.key=value` overrides (values are YAML).

    Raises UsageError that names file, key and what was expected, or the nearest known key.
    """
    try:
        values = _parse(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # UnicodeDecodeError is one
        raise UsageError(f"{path}: not YAML ({error})") from error
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
        values[key] = _parse(value)
    except ValueError as error:
        raise UsageError(f"{override[:80]!r}: the value is not YAML ({error})") from error


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
        return f"{key}: {first['msg'].removeprefix('Value error, ')}".removesuffix(": ")
    near = difflib.get_close_matches(path[-1], section.model_fields, 1)
    return f"unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _section_in(annotation: Any) -> type[Section] | None:
    """The section that a field holds, maybe or None."""
    found = [part for part in (annotation, *get_args(annotation)) if isinstance(part, type)]
    return next((part for part in found if issubclass(part, Section)), None)
