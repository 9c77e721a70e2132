"""Checkpoints and trees of arrays as safetensors files."""

import json
from pathlib import Path
from typing import Any, cast

from mlx.utils import tree_flatten, tree_unflatten

from streamtrans.errors import DataError
from streamtrans.policies import POLICIES, make_policy
from streamtrans.policies.base import Calibrated
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
    write_config(directory, config)
    copy_tokenizer(tokenizer, directory)


def write_config(directory: Path, config: dict[str, Any]) -> None:
    """Writes config.json for new weights, without what was calibrated for others."""
    (directory / "config.json").write_text(json.dumps(uncalibrated(config), indent=2) + "\n", encoding="utf-8")


def uncalibrated(config: dict[str, Any]) -> dict[str, Any]:
    """A config.json without alignment heads, and without a default policy that needs them or a regret head."""
    section = {name: value for name, value in config.get("streamtrans", {}).items() if name != "alignment_heads"}
    name = (section.get("policy") or {}).get("name")
    if name in POLICIES and isinstance(make_policy(name).evidence, Calibrated):
        del section["policy"]
    return config | {"streamtrans": section} if "streamtrans" in config else config


def save_tree(file: Path, tree: Any) -> None:
    """Writes the arrays of a tree of dictionaries and lists to a safetensors file."""
    arrays = cast(list[tuple[str, mx.array]], tree_flatten(tree))
    mx.save_safetensors(str(file), {name: mx.contiguous(array) for name, array in arrays})


def load_tree(file: Path, like: Any = None) -> Any:
    """Reads what `save_tree` wrote, in order; DataError if it cannot be read, or has other names than `like`."""
    try:
        tree = in_order(mx.load(str(file), "safetensors"))
    except (RuntimeError, ValueError) as error:
        raise DataError(f"{file} is corrupt or truncated: {error}") from error
    if like is not None and (other := _names(like) ^ _names(tree)):
        raise DataError(f"{file} does not hold the arrays of this run: {min(other)}")
    return tree


def in_order(tree: Any) -> Any:
    """Sorts a tree by name: sums over a tree are taken in its order and must round the same each time."""
    return tree_unflatten(sorted(cast(list[tuple[str, mx.array]], tree_flatten(tree)), key=lambda item: item[0]))


def _names(tree: Any) -> set[str]:
    return {name for name, _ in cast(list[tuple[str, mx.array]], tree_flatten(tree))}
