"""Checkpoints and trees of arrays as safetensors files."""

import json
from pathlib import Path
from typing import Any, cast

from mlx.utils import tree_flatten, tree_unflatten

from streamtrans.errors import DataError
from streamtrans.runtime import mx
from streamtrans.training.files import copy_tokenizer


def write_model(
    directory: Path, weights: dict[str, mx.array], config: dict[str, Any], tokenizer: Path, exact: bool = False
) -> None:
    """Writes a checkpoint in the Hugging Face layout, weights as they are if `exact`, else in config.json's dtype.

    tokenizer: a directory whose tokenizer files are copied. Call it inside `written_aside`.
    """
    named = "float32" if exact else str(config.get("dtype") or config.get("torch_dtype") or "float32")
    dtype = {"bfloat16": mx.bfloat16, "float16": mx.float16}.get(named, mx.float32)
    floats = {name: w.astype(dtype) if mx.issubdtype(w.dtype, mx.floating) else w for name, w in weights.items()}
    mx.save_safetensors(str(directory / "model.safetensors"), floats, {"format": "pt"})
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    copy_tokenizer(tokenizer, directory)


def save_tree(file: Path, tree: Any) -> None:
    """Writes the arrays of a tree of dictionaries and lists to a safetensors file."""
    arrays = cast(list[tuple[str, mx.array]], tree_flatten(tree))
    mx.save_safetensors(str(file), {name: mx.contiguous(array) for name, array in arrays})


def load_tree(file: Path) -> Any:
    """What `save_tree` wrote; DataError if it cannot be read."""
    try:
        return tree_unflatten(list(cast(dict[str, mx.array], mx.load(str(file), "safetensors")).items()))
    except (RuntimeError, ValueError) as error:
        raise DataError(f"{file} is corrupt or truncated: {error}") from error
