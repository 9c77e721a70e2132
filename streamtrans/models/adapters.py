"""Low-rank adapters in mlx-lm's format, merged into the weights of the model they belong to."""

from pathlib import Path
from typing import Any

import mlx.nn as nn
from mlx.utils import tree_flatten, tree_unflatten

from streamtrans.errors import ModelError
from streamtrans.models.checkpoint_files import read_object, read_tensors

_LOW_RANK = {"lora_a", "lora_b", "m"}  # m: the magnitudes of DoRA
_LARGEST_RANK, _LARGEST_SCALE = 10_000, 1e6  # more than any adapter has


def read_adapter_config(adapter: Path) -> dict[str, Any]:
    """Read the adapter_config.json of a directory, or raise ModelError."""
    file = adapter / "adapter_config.json"
    if not file.exists():
        raise ModelError(f"{adapter} is not an adapter: it has no adapter_config.json")
    config = read_object(file)
    if not isinstance(config.get("streamtrans", {}), dict):
        raise ModelError(f"{file}: streamtrans must be an object, not {config['streamtrans']!r}")
    return config


def base_of(adapter: Path) -> str:
    """Return the name or directory of the model that an adapter was made for, or raise ModelError."""
    base = read_adapter_config(adapter).get("model")
    if not isinstance(base, str):
        raise ModelError(f"{adapter / 'adapter_config.json'} does not name its model; give it with --model")
    return base


def with_adapter(config: dict[str, Any], adapter: Path) -> dict[str, Any]:
    """Return a config.json whose `streamtrans` section is overridden by the adapter's.

    The model's own default policy and alignment heads do not hold for what the adapter makes of it.
    """
    section = config.get("streamtrans") or {}
    if not isinstance(section, dict):
        return config  # reading the settings says what is wrong
    kept = {name: value for name, value in section.items() if name not in ("policy", "alignment_heads")}
    return {**config, "streamtrans": kept | read_adapter_config(adapter).get("streamtrans", {})}


def merge_adapter(model: nn.Module, adapter: Path) -> None:
    """Add an adapter to the weights of a model that is not packed; its layers are plain again afterwards.

    Raises ModelError for an adapter that is unreadable, incomplete, or made for another model.
    """
    about = read_adapter_config(adapter)
    _check_parameters(adapter, about)
    file = adapter / "adapters.safetensors"
    if not file.exists():
        raise ModelError(f"{adapter} is not an adapter: it has no adapters.safetensors")
    given = read_tensors(file)[0].keys()
    from mlx_lm.tuner.utils import load_adapters

    unfit = f"{adapter} does not fit this model (made for {about.get('model')})"
    try:
        load_adapters(model, str(adapter))
    except Exception as error:  # whatever mlx-lm stumbles over in a config that it takes as it is
        reason = (str(error).splitlines() or [repr(error)])[:2][-1].strip()  # the first tensor that does not fit
        raise ModelError(f"{unfit}: {reason}") from error
    changed = [(name, module) for name, module in model.named_modules() if "lora_a" in module]
    wanted = {f"{name}.{part}" for name, module in changed for part in _parts(module)}
    if missing := sorted(wanted - given):
        raise ModelError(f"{adapter} is incomplete: it lacks {missing[0]}{and_more(missing)}")
    if unknown := sorted(name for name in given - wanted if name.rpartition(".")[2] in _LOW_RANK):
        raise ModelError(f"{unfit}: {unknown[0]}{and_more(unknown)}")
    model.update_modules(tree_unflatten([(name, module.fuse()) for name, module in changed]))


def _check_parameters(adapter: Path, about: dict[str, Any]) -> None:
    """Raise ModelError where a config has no lora_parameters, or a rank or a scale in them that cannot be."""
    if "lora_parameters" not in about:
        raise ModelError(f"{adapter} is not an adapter in mlx-lm's format: its config has no lora_parameters")
    parameters = about["lora_parameters"]
    given = parameters if isinstance(parameters, dict) else {}
    rank, scale = given.get("rank", 1), given.get("scale", 1)
    if type(rank) is not int or not 1 <= rank <= _LARGEST_RANK:
        raise ModelError(f"{adapter}: its rank must be a whole number from 1 to {_LARGEST_RANK:,}, not {rank!r}")
    if type(scale) not in (int, float) or not abs(scale) <= _LARGEST_SCALE:
        raise ModelError(f"{adapter}: its scale must be a number, {_LARGEST_SCALE:g} at most, not {scale!r}")


def _parts(module: nn.Module) -> set[str]:
    """Name the tensors of a low-rank layer that an adapter brings."""
    return _LOW_RANK & dict(tree_flatten(module.parameters())).keys()


def and_more(names: list[str]) -> str:
    """Continue a message that has named the first of several."""
    return f" and {len(names) - 1} more" if len(names) > 1 else ""
