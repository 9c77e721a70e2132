"""The training configuration: one YAML file, validated; unknown keys are errors that name the nearest known one."""

import difflib
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamtrans.errors import UsageError


class Section(BaseModel):
    """A part of the configuration; keys it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Section):
    """Where pairs come from and which are left out."""

    path: Path
    source_column: str = "source"
    target_column: str = "target"
    source_language: str
    target_language: str
    exclude_domains: list[str] = []
    max_words: int = Field(60, ge=1)
    max_ratio: float = Field(2.5, gt=1)
    validation_every: int = Field(500, ge=2, description="every n-th pair is kept for validation")
    validation_pairs: int = Field(512, ge=1)


class Mix(Section):
    """How read schedules are mixed; see `Collator`."""

    wait_ks: list[float] = [1, 2, 3, 4, 5, 6, 7, 9, float("inf")]
    random_share: float = Field(1 / 3, ge=0, le=1)
    late_end_share: float = Field(0.5, ge=0, le=1)
    early_end_share: float = Field(0.5, ge=0, le=1)
    recogniser_share: float = Field(0.08, ge=0, le=1)
    max_lag: int = Field(9, ge=1)


class Optimiser(Section):
    """Muon on the matrices inside the blocks, AdamW on the rest; warm-up, a stable rate, then linear decay to zero."""

    muon_rate: float = Field(6e-3, gt=0)
    adamw_rate: float = Field(3e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    momentum: float = Field(0.95, ge=0, lt=1)
    clip_norm: float = Field(1.0, gt=0)
    batch_tokens: int = Field(8000, ge=1)
    steps: int = Field(4000, ge=1)
    warmup_steps: int = Field(150, ge=0)
    decay_steps: int = Field(1000, ge=0)

    def rate(self, step: int) -> float:
        """The share of the full learning rate at a step (from 0)."""
        warm = min(1.0, (step + 1) / max(1, self.warmup_steps))
        decay = min(1.0, max(0.0, (self.steps - step) / max(1, self.decay_steps)))
        return min(warm, decay)


class Report(Section):
    """How often something is said and saved, in steps."""

    log_every: int = Field(20, ge=1)
    validate_every: int = Field(500, ge=1)
    save_every: int = Field(100, ge=1)
    validation_ks: list[float] = [1, 3, 5, float("inf")]


class TrainConfig(Section):
    """One training run."""

    model: Path = Field(description="directory of the checkpoint to start from: config.json, weights, tokenizer")
    data: Data
    mix: Mix = Mix()
    optimiser: Optimiser = Optimiser()
    report: Report = Report()
    seed: int = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"


def load_config(path: str | Path, overrides: list[str] | None = None) -> TrainConfig:
    """Reads a YAML file and applies `section.key=value` overrides (values are YAML).

    Raises UsageError that names file, key and what was expected, or the nearest known key.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
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
    name, equals, value = override.partition("=")
    if not equals:
        raise UsageError(f"{override!r}: write section.key=value")
    *sections, key = name.split(".")
    for section in sections:
        values = values.setdefault(section, {})
    values[key] = yaml.safe_load(value)


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return f"{key}: {first['msg']}"
    section: type[BaseModel] = TrainConfig
    for part in first["loc"][:-1]:
        section = section.model_fields[str(part)].annotation or Section
    near = difflib.get_close_matches(str(first["loc"][-1]), section.model_fields, 1)
    return f"unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")
