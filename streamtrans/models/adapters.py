"""Low-rank adapters in mlx-lm's format, merged into the weights of the model they belong to."""

import json
from pathlib import Path
from typing import Any

from mlx.utils import tree_unflatten

from streamtrans.errors import ModelError
from streamtrans.models.qwen2_streaming.model import Model


def read_adapter_config(adapter: Path) -> dict[str, Any]:
    """The adapter_config.json of a directory, or ModelError."""
    file = adapter / "adapter_config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{adapter} is not an adapter: it has no adapter_config.json") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(config, dict) or not isinstance(config.get("streamtrans", {}), dict):
        raise ModelError(f"{file} must hold an object")
    return config


def base_of(adapter: Path) -> str:
    """The name or directory of the model that an adapter was made for, or ModelError."""
    base = read_adapter_config(adapter).get("model")
    if not isinstance(base, str):
        raise ModelError(f"{adapter / 'adapter_config.json'} does not name its model; give it with --model")
    return base


def with_adapter(config: dict[str, Any], adapter: Path) -> dict[str, Any]:
    """A config.json whose `streamtrans` section is that of the adapter, where it has one.

    The model's own default policy and alignment heads do not hold for what the adapter makes of it.
    """
    section = config.get("streamtrans", {})
    if not isinstance(section, dict):
        return config  # reading the settings says what is wrong
    kept = {name: value for name, value in section.items() if name not in ("policy", "alignment_heads")}
    return {**config, "streamtrans": kept | read_adapter_config(adapter).get("streamtrans", {})}


def merge_adapter(model: Model, adapter: Path) -> None:
    """Adds an adapter to the weights of a model that is not fused; its layers are plain again after it.

    Raises ModelError for an adapter that is unreadable or made for another model.
    """
    about = read_adapter_config(adapter)
    if "lora_parameters" not in about:
        raise ModelError(f"{adapter} is not an adapter in mlx-lm's format: its config has no lora_parameters")
    from mlx_lm.tuner.utils import load_adapters

    try:
        load_adapters(model, str(adapter))
    except (OSError, KeyError, ValueError, RuntimeError, AttributeError, TypeError) as error:
        reason = str(error).splitlines()[:2][-1].strip()  # the first tensor that does not fit
        raise ModelError(f"{adapter} does not fit this model (made for {about.get('model')}): {reason}") from error
    merged = [(name, module.fuse()) for name, module in model.named_modules() if hasattr(module, "lora_a")]
    model.update_modules(tree_unflatten(merged))
