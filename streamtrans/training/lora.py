"""Low-rank adapters: mlx-lm's own layers and file format on our model."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamtrans.runtime import mx
from streamtrans.training.checkpoints import uncalibrated

if TYPE_CHECKING:
    from streamtrans.training.config import Lora
    from streamtrans.training.origin import Origin


def add_adapters(model: Any, settings: "Lora", seed: int) -> None:
    """Freezes a model and puts trainable low-rank layers (`mlx_lm.tuner.lora.LoRALinear`) beside its projections.

    Raises UsageError for a name in `keys` that no layer has.
    """
    from mlx_lm.tuner.utils import linear_to_lora_layers

    from streamtrans.errors import UsageError

    known = {name for name, module in model.layers[0].named_modules() if hasattr(module, "weight") and "." in name}
    if unknown := sorted(set(settings.keys) - known):
        raise UsageError(f"lora.keys: no layer {unknown[0]!r}; there are {', '.join(sorted(known))}")
    mx.random.seed(seed)
    model.freeze()
    linear_to_lora_layers(model, settings.layers or len(model.layers), _parameters(settings))
    mx.eval(model.parameters())


def _parameters(settings: "Lora") -> dict[str, Any]:
    names = {"rank", "scale", "dropout", "keys"}
    return {name: value for name, value in settings.model_dump().items() if name in names}


def write_adapter(
    directory: Path, weights: dict[str, mx.array], settings: "Lora", layers: int, origin: "Origin"
) -> None:
    """Writes adapters.safetensors and adapter_config.json as mlx-lm does, with the `streamtrans` section beside.

    weights: the adapters' arrays by name. layers: of the whole model, used where the settings say all.
    """
    mx.save_safetensors(str(directory / "adapters.safetensors"), weights)
    about = {
        "fine_tune_type": "lora",
        "num_layers": settings.layers or layers,
        "lora_parameters": _parameters(settings),
        "model": origin.name,
        "streamtrans": uncalibrated(origin.config)["streamtrans"],
    }
    (directory / "adapter_config.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
