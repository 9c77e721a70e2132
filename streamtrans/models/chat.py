"""Chat models: found by their template, loaded by mlx-lm, refused in one line where they cannot stream."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.nn as nn

from streamtrans.errors import ModelError
from streamtrans.models.adapters import merge_adapter
from streamtrans.models.checkpoint_files import read_object
from streamtrans.runtime import mx, on_gpu

_ROOM = 0.8
"""The part of the machine's memory that weights may take."""


@dataclass(frozen=True)
class ChatModel:
    """A model of mlx-lm's with its tokenizer, a `TokenizerWrapper`, which has a chat template.

    positions: tokens that the model was made for, None where it does not say.
    """

    model: nn.Module
    tokenizer: Any
    positions: int | None = None


def has_chat_template(directory: Path) -> bool:
    """Whether a directory holds a template for conversations, without which a model is no chat model."""
    if (directory / "chat_template.jinja").exists():
        return True
    config = directory / "tokenizer_config.json"
    return config.exists() and bool(read_object(config).get("chat_template"))


def load_chat_model(directory: Path, adapter: Path | None = None) -> ChatModel:
    """Load model and tokenizer by mlx-lm; on CPU as float32, also quantised ones where the memory is large enough.

    adapter: directory of a low-rank adapter to merge into the weights.

    Raises ModelError for weights that are too large for the memory, before they are read; for an architecture that
    mlx-lm does not have, or whose cache cannot be trimmed; and for files that are missing or damaged.
    """
    config = read_object(directory / "config.json")
    _require_text(directory, config)
    unpack = _fits(directory, config)
    from mlx_lm.models.cache import can_trim_prompt_cache, make_prompt_cache
    from mlx_lm.utils import dequantize_model, load_model, load_tokenizer

    try:
        model, config = load_model(directory)
        tokenizer = load_tokenizer(directory, eos_token_ids=config.get("eos_token_id"))
    except Exception as error:  # mlx-lm and transformers raise whatever a damaged file makes them raise
        reason = (" ".join(str(error).split()) or type(error).__name__)[:300]
        raise ModelError(f"{directory} cannot be loaded by mlx-lm: {reason}") from error
    if not can_trim_prompt_cache(make_prompt_cache(model)):
        raise ModelError(
            f"{directory}: the memory of {config.get('model_type')} cannot be taken back, as one that streams must; "
            "take one with plain attention, such as Qwen2.5, Qwen3 or Llama"
        )
    if adapter:
        merge_adapter(model, adapter)
    if unpack:
        model = dequantize_model(model) if "quantization" in config else model
        model.set_dtype(mx.float32)
    mx.eval(model.parameters())
    positions = config.get("max_position_embeddings")
    return ChatModel(model, tokenizer, positions if type(positions) is int and positions > 0 else None)


def parameters_of(model: nn.Module) -> int:
    """The numbers that a model has learned, quantised or not."""
    from mlx_lm.utils import get_total_parameters

    return int(get_total_parameters(model))


def _require_text(directory: Path, config: dict[str, Any]) -> None:
    """Refuses models that do not write text."""
    if (directory / "modules.json").exists() or (directory / "1_Pooling").is_dir():
        raise ModelError(f"{directory} is an embedding model, which writes no text; take a chat model")
    if "model_file" in config:
        raise ModelError(f"{directory} wants its own code ({config['model_file']}) to be run, which is never done")
    names = config.get("architectures") or []
    kinds = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    if kinds and not any(kind.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")) for kind in kinds):
        raise ModelError(f"{directory} is a {kinds[0]}, which writes no text; take a chat model")
    kind = config.get("model_type")
    if not isinstance(kind, str) or not kind:
        raise ModelError(f"{directory}: config.json names no model_type")
    if "vision_config" in config and not _known(kind):
        raise ModelError(f"{directory} is a vision model ({kind}); take a chat model for text")


def _known(kind: str) -> bool:
    """Whether mlx-lm has an architecture; nothing of it is imported."""
    import importlib.util

    found = importlib.util.find_spec("mlx_lm")
    folders = found.submodule_search_locations if found else None
    return bool(folders) and any((Path(folder) / "models" / f"{kind}.py").exists() for folder in folders or [])


def _fits(directory: Path, config: dict[str, Any]) -> bool:
    """Whether there is memory for all weights as float32, which only a CPU wants; ModelError if for none."""
    stored = sum(file.stat().st_size for file in directory.glob("model*.safetensors"))
    have = _memory()
    if stored > _ROOM * have:
        raise ModelError(
            f"{directory} has {stored / 1e9:.1f} GB of weights, too much for the {have / 1e9:.1f} GB of this machine; "
            "take a smaller one, or one in 4 bits"
        )
    quantization = config.get("quantization")
    bits = quantization.get("bits") if isinstance(quantization, dict) else None
    unpacked = stored * 32 / (bits if type(bits) is int and bits > 0 else 16)
    return not on_gpu() and unpacked < _ROOM * have


def _memory() -> int:
    """The bytes of memory of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
