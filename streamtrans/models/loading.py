"""From a name, a directory or a Hub id to a model that is ready to run; imports neither mlx_lm nor transformers."""

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import mlx.nn as nn
from mlx.utils import tree_flatten

from streamtrans.errors import ModelError
from streamtrans.models.adapters import base_of, merge_adapter, with_adapter
from streamtrans.models.embedded import ASSETS, embedded_models
from streamtrans.models.qwen2_streaming.model import Model, ModelArgs
from streamtrans.models.settings import TranslationSettings
from streamtrans.runtime import compute_dtype, mx, on_gpu

_HUB_FILES = [
    "config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "*.model",
]
_SIZES = ["vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"]
_DEFAULT_THETA = 10000.0  # of Qwen2Config, where a config names no rotary base


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model and what its directory says about it; `config` is the whole config.json.

    adapter: directory of what was merged into its weights, if anything was.
    """

    model: Model
    settings: TranslationSettings
    directory: Path
    config: dict[str, Any]
    adapter: Path | None = None


def name_of(directory: Path) -> str:
    """What to call a model by, on the command line too: the name of an embedded one, else its directory."""
    return directory.name if directory.parent == ASSETS else str(directory)


def load_checkpoint(path_or_name: str | Path, fuse: bool = True, adapter: Path | None = None) -> Checkpoint:
    """Load an embedded model by name, a directory, or a Hub id `organisation/name` (downloaded on first use).

    adapter: directory of a low-rank adapter in mlx-lm's format, merged into the weights; its settings win. Such a
    directory may also take the place of the model, if it names the one it was made for.

    On CPU everything becomes float32, quantised weights too, and the layers are fused unless `fuse` is false, as
    training and saving want it. Raises ModelError with one line that says what is wrong.
    """
    directory, adapter = find_parts(path_or_name, adapter)
    config = read_config(directory)
    config = with_adapter(config, adapter) if adapter else config
    settings = TranslationSettings.from_config(config)
    model = Model(model_args(config, settings))
    weights = read_weights(directory)
    if "quantization" in config:
        weights = _quantised(model, weights, config["quantization"])
    _assign(model, weights, directory)
    if adapter:
        merge_adapter(model, adapter)
    return Checkpoint(model.fuse() if fuse else model, settings, directory, config, adapter)


def load_model(path_or_name: str | Path, fuse: bool = True) -> tuple[Model, dict[str, Any]]:
    """The model and config.json alone of `load_checkpoint`."""
    checkpoint = load_checkpoint(path_or_name, fuse)
    return checkpoint.model, checkpoint.config


def find_parts(path_or_name: str | Path, adapter: Path | None = None) -> tuple[Path, Path | None]:
    """Directories of a model and of the adapter to put on it, if any: what is named may itself be an adapter."""
    directory = find_model(path_or_name)
    if adapter is None and (directory / "adapter_config.json").exists() and not (directory / "config.json").exists():
        return find_model(base_of(directory)), directory
    return directory, adapter


def find_model(path_or_name: str | Path) -> Path:
    """The directory of a model: an embedded name wins, then a directory, then the Hub for `organisation/name`."""
    name = str(path_or_name)
    if name in (known := embedded_models()):
        return ASSETS / name
    if Path(name).is_dir():
        return Path(name)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not name.startswith("."):
        return _from_hub(name)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f", did you mean {near[0]}?" if near else ""
    raise ModelError(f"no model {name!r}{hint}; embedded: {', '.join(known)}; a directory or a Hub id works too")


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, allow_patterns=_HUB_FILES))
    except Exception as error:  # the Hub client raises dozens of kinds, and the user can do the same about all of them
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"{name} is neither a directory nor could it be had from the Hub: {reason}") from error


def read_config(directory: Path) -> dict[str, Any]:
    """The config.json of a directory, or ModelError."""
    file = directory / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{directory} is not a model: it has no config.json") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(config, dict):
        raise ModelError(f"{file} must hold an object")
    return config


def model_args(config: dict[str, Any], settings: TranslationSettings) -> ModelArgs:
    """Shape of the model of a config.json; ModelError for another architecture or what we cannot compute."""
    if config.get("model_type") != "qwen2":
        raise ModelError(f"config.json: model_type is {config.get('model_type')!r}, only qwen2 can be loaded")
    for name in ("rope_scaling", "rope_parameters"):
        if not isinstance(config.get(name) or {}, dict):
            raise ModelError(f"config.json: {name} must be an object or null, not {config[name]!r}")
    scaling = config.get("rope_scaling") or {}
    kind = (config.get("rope_parameters") or {}).get("rope_type") or scaling.get("rope_type") or scaling.get("type")
    if kind not in (None, "default") or config.get("use_sliding_window"):
        raise ModelError(f"config.json: rope type {kind!r} and sliding windows are not supported")
    if config.get("hidden_act", "silu") != "silu":
        raise ModelError(f"config.json: hidden_act is {config['hidden_act']!r}, only silu can be computed")
    epsilon = config.get("rms_norm_eps", 1e-6)
    if not isinstance(epsilon, float) or epsilon <= 0:
        raise ModelError(f"config.json: rms_norm_eps must be a number above 0, not {epsilon!r}")
    heads = {"num_key_value_heads"} if config.get("num_key_value_heads") else set()
    for name in (*_SIZES, *heads):
        if name in config and (type(config[name]) is not int or config[name] < 1):
            raise ModelError(f"config.json: {name} must be a whole number, 1 or more, not {config[name]!r}")
    special = {"rope_theta": rope_theta(config), "target_position_offset": settings.target_position_offset}
    return ModelArgs.from_dict({**config, **special})


def rope_theta(config: dict[str, Any]) -> float:
    """The rotary base; transformers 5 writes it inside `rope_parameters`, everyone else at the top level."""
    places = {
        "rope_theta": config.get("rope_theta"),
        "rope_parameters.rope_theta": (config.get("rope_parameters") or {}).get("rope_theta"),
    }
    found = {place: value for place, value in places.items() if value is not None}
    for place, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise ModelError(f"config.json: {place} must be a number above 0, not {value!r}")
    if len(set(found.values())) > 1:
        raise ModelError(f"config.json: {' and '.join(f'{p} {v:g}' for p, v in found.items())} contradict each other")
    return float(next(iter(found.values()), _DEFAULT_THETA))


def read_weights(directory: Path) -> dict[str, mx.array]:
    """All tensors of a directory by name, as stored, from model.safetensors or the shards of its index."""
    index = directory / "model.safetensors.index.json"
    files = [directory / "model.safetensors"]
    if not files[0].exists() and index.exists():
        try:
            files = [directory / name for name in sorted(set(json.loads(index.read_text())["weight_map"].values()))]
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise ModelError(f"{index} is not an index of weights") from error
    weights: dict[str, mx.array] = {}
    for file in files:
        if not file.exists():
            raise ModelError(f"{directory} has no weights: {file.name} is missing")
        try:
            weights.update(cast(dict[str, mx.array], mx.load(str(file), format="safetensors")))
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{file} is corrupt or truncated: {error}") from error
    return weights


def _quantised(model: Model, weights: dict[str, mx.array], how: dict[str, Any]) -> dict[str, mx.array]:
    """On CPU the weights dequantised; elsewhere the weights as they are, and the model's layers quantised to fit."""
    packed = {name.removesuffix(".scales") for name in weights if name.endswith(".scales")}
    try:
        bits = {name: how[name] if isinstance(how.get(name), dict) else how for name in packed}
        if on_gpu():
            nn.quantize(model, how["group_size"], how["bits"], class_predicate=lambda path, _: bits.get(path, False))
            return weights
        for name in packed:
            weight, scales, biases = (weights.pop(f"{name}.{part}") for part in ("weight", "scales", "biases"))
            own = bits[name]
            weights[f"{name}.weight"] = mx.dequantize(weight, scales, biases, own["group_size"], own["bits"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"config.json: quantization {how!r} does not fit the weights ({error!r})") from error
    return weights


def _assign(model: Model, weights: dict[str, mx.array], directory: Path) -> None:
    """Put the weights into the model in the dtype to compute in; every tensor must be there and of the right shape."""
    weights = {name: w for name, w in weights.items() if not name.endswith("rotary_emb.inv_freq")}
    if model.args.tie_word_embeddings:
        weights.pop("lm_head.weight", None)
    expected = dict(tree_flatten(model.parameters()))
    if missing := sorted(expected.keys() - weights.keys()):
        raise ModelError(f"{directory}: the weights lack {missing[0]}{_and_more(missing)}")
    if unknown := sorted(weights.keys() - expected.keys()):
        raise ModelError(f"{directory}: the weights have an unknown {unknown[0]}{_and_more(unknown)}")
    for name, parameter in expected.items():
        if weights[name].shape != parameter.shape:
            raise ModelError(f"{directory}: {name} has shape {weights[name].shape}, config.json says {parameter.shape}")
    floats = {
        n: w.astype(compute_dtype(w.dtype)) if mx.issubdtype(w.dtype, mx.floating) else w for n, w in weights.items()
    }
    model.load_weights(list(floats.items()))
    mx.eval(model.parameters())


def _and_more(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""
