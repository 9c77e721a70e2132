"""From a name, a directory or a Hub id to a model that is ready to run; imports neither mlx_lm nor transformers."""

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.nn as nn
from mlx.utils import tree_flatten

from streamtrans.errors import ModelError
from streamtrans.models.adapters import and_more, base_of, merge_adapter, with_adapter
from streamtrans.models.checkpoint_files import read_object, read_weights
from streamtrans.models.embedded import ASSETS, embedded_models
from streamtrans.models.named import find_named, given_names
from streamtrans.models.qwen2_streaming.model import Model, ModelArgs
from streamtrans.models.qwen2_streaming.packed import pack
from streamtrans.models.qwen2_streaming.regret_head import FILE as REGRET_HEAD
from streamtrans.models.settings import TranslationSettings
from streamtrans.runtime import mx, on_gpu

_HUB_FILES = ["*.json", "*.jinja", "*.safetensors", "tokenizer*", "vocab*", "merges.txt", "*.model"]
_LARGEST = {
    "vocab_size": 10**7,
    "hidden_size": 10**6,
    "intermediate_size": 10**7,
    "num_hidden_layers": 1000,
    "num_attention_heads": 10**4,
    "num_key_value_heads": 10**4,
}
"""More than any model has of each, and little enough to describe one."""
_DEFAULT_THETA = 10000.0  # of Qwen2Config, where a config names no rotary base


class NotFetched(ModelError):
    """A model of the Hub that is not on this machine."""


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model with its settings; `config` is the whole config.json.

    adapter: directory of what was merged into its weights, if anything was.
    """

    model: Model
    settings: TranslationSettings
    directory: Path
    config: dict[str, Any]
    adapter: Path | None = None


def load_checkpoint(path_or_name: str | Path, packed: bool = True, adapter: Path | None = None) -> Checkpoint:
    """Load an embedded model by name, a directory, or a Hub id `organisation/name` (downloaded on first use).

    adapter: directory of a low-rank adapter in mlx-lm's format, merged into the weights; its settings win. Such a
    directory may also take the place of the model, if it names the one it was made for.

    On CPU everything becomes float32, quantised weights too, and the layers are packed unless `packed` is false, as
    training and saving want it. Raises ModelError with one line that says what is wrong.
    """
    directory, adapter = find_parts(path_or_name, adapter)
    config = read_config(directory)
    config = with_adapter(config, adapter) if adapter else config
    settings = TranslationSettings.from_config(config)
    model = Model(model_args(config, settings))
    mx.eval(mx.random.state)  # the initial weights, never computed, else hang on it for ever
    _assign(model, read_weights(directory), config, directory)
    if not on_gpu() and (adapter or not packed):
        model.set_dtype(mx.float32)
    if adapter:
        merge_adapter(model, adapter)
    if packed:
        pack(model)
    mx.eval(model.parameters())
    return Checkpoint(model, settings, directory, config, adapter)


def find_parts(path_or_name: str | Path, adapter: Path | None = None, fetch: bool = True) -> tuple[Path, Path | None]:
    """Find the directories of a model and of its adapter, if any; the name may itself be an adapter's.

    Raises as `find_model`.
    """
    directory = find_model(path_or_name, fetch)
    if adapter is None and (directory / "adapter_config.json").exists() and not (directory / "config.json").exists():
        return find_model(base_of(directory), fetch), directory
    return directory, adapter


def find_model(path_or_name: str | Path, fetch: bool = True) -> Path:
    """Find the directory of a model: an embedded name wins, then one of `models add`, a directory, and the Hub.

    The Hub has models called `organisation/name`; nothing is asked of it if there is a directory `organisation` here.
    Raises ModelError where nothing is found, NotFetched for what would have to be fetched if `fetch` is false.
    """
    named = find_named(path_or_name)
    name = named.model if named else str(path_or_name)
    if name in (known := embedded_models()):
        return ASSETS / name
    if os.path.isdir(name):
        return Path(name)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not name.startswith("."):
        if os.path.isdir(folder := Path(name).parent):  # more likely mistyped than a Hub id
            raise ModelError(f"no model {name!r}: there is no such directory in {folder}")
        return _from_hub(name, fetch)
    near = difflib.get_close_matches(name, known + given_names(), n=1, cutoff=0.4)
    hint = f", did you mean {near[0]}?" if near else ""
    raise ModelError(f"no model {name!r}{hint}; embedded: {', '.join(known)}; a directory or a Hub id works too")


def model_files(directory: Path) -> list[Path]:
    """The files of a model that decide about its translations: a checkpoint's, a chat model's, or a Firefox model's."""
    streaming, chat = ("config.json", "model*.safetensors", REGRET_HEAD), ("chat_template.*",)
    kinds = (*streaming, *chat, "model.*.bin", "lex.*.bin", "*vocab.*.spm")
    return sorted(file for kind in kinds for file in directory.glob(kind))


def _from_hub(name: str, fetch: bool) -> Path:
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, allow_patterns=_HUB_FILES, local_files_only=not fetch))
    except Exception as error:  # the Hub client raises dozens of kinds, and the user can do the same about all of them
        if not fetch:
            raise NotFetched(f"{name} is not on this machine; it is fetched when it is first used") from error
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"{name} is neither a directory nor could it be had from the Hub: {reason}") from error


def read_config(directory: Path) -> dict[str, Any]:
    """Read the config.json of a directory, or raise ModelError."""
    file = directory / "config.json"
    if not file.exists():
        raise ModelError(f"{directory} is not a model: it has no config.json")
    return read_object(file)


def model_args(config: dict[str, Any], settings: TranslationSettings) -> ModelArgs:
    """Take the model's shape from a config.json; ModelError for an architecture that cannot be computed."""
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
    if not isinstance(epsilon, float) or not 0 < epsilon < 1:
        raise ModelError(f"config.json: rms_norm_eps must be a number above 0 and below 1, not {epsilon!r}")
    sizes = {name: config[name] for name in _LARGEST if name in config}
    if not sizes.get("num_key_value_heads", 1):
        del sizes["num_key_value_heads"]  # 0 or null: as many as query heads
    for name, size in sizes.items():
        if type(size) is not int or not 1 <= size <= _LARGEST[name]:
            raise ModelError(
                f"config.json: {name} must be a whole number, 1 or more (at most {_LARGEST[name]:,}), not {size!r}"
            )
    special = {"rope_theta": rope_theta(config), "target_position_offset": settings.target_position_offset}
    return ModelArgs.from_dict({**config, **special})


def rope_theta(config: dict[str, Any]) -> float:
    """Find the rotary base; transformers 5 writes it inside `rope_parameters`, everyone else at the top level."""
    places = {
        "rope_theta": config.get("rope_theta"),
        "rope_parameters.rope_theta": (config.get("rope_parameters") or {}).get("rope_theta"),
    }
    found = {place: value for place, value in places.items() if value is not None}
    for place, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e30:
            raise ModelError(f"config.json: {place} must be a number above 0, not {value!r}")
    if len(set(found.values())) > 1:
        raise ModelError(f"config.json: {' and '.join(f'{p} {v:g}' for p, v in found.items())} contradict each other")
    return float(next(iter(found.values()), _DEFAULT_THETA))


def _quantised(model: Model, weights: dict[str, mx.array], how: dict[str, Any]) -> dict[str, mx.array]:
    """Dequantise the weights on a CPU; elsewhere keep them and quantise the model's layers to fit."""
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


def _assign(model: Model, weights: dict[str, mx.array], config: dict[str, Any], directory: Path) -> None:
    """Put the weights into the model, as stored; every tensor must be there and of the right shape."""
    if "quantization" in config:
        weights = _quantised(model, weights, config["quantization"])
    weights = {name: w for name, w in weights.items() if not name.endswith("rotary_emb.inv_freq")}
    if model.args.tie_word_embeddings:
        weights.pop("lm_head.weight", None)
    expected = dict(tree_flatten(model.parameters()))
    if missing := sorted(expected.keys() - weights.keys()):
        raise ModelError(f"{directory}: the weights lack {missing[0]}{and_more(missing)}")
    if unknown := sorted(weights.keys() - expected.keys()):
        raise ModelError(f"{directory}: the weights have an unknown {unknown[0]}{and_more(unknown)}")
    for name, parameter in expected.items():
        if weights[name].shape != parameter.shape:
            raise ModelError(f"{directory}: {name} has shape {weights[name].shape}, config.json says {parameter.shape}")
    model.load_weights(list(weights.items()))
