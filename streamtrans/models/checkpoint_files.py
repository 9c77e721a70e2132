"""The files of a checkpoint, JSON and tensors; a file that cannot be right is a ModelError of one line."""

import json
from pathlib import Path, PurePath
from typing import Any, cast

from streamtrans.errors import ModelError
from streamtrans.runtime import mx

_WHOLE = {2: (mx.uint16, mx.int16), 4: (mx.uint32, mx.int32), 8: (mx.uint64, mx.int64)}  # by the bytes of a float


def read_object(file: Path) -> dict[str, Any]:
    """Read the object in a JSON file, which may begin with a byte order mark, or raise ModelError."""
    try:
        found = json.loads(file.read_text(encoding="utf-8-sig"))
    except RecursionError:
        raise ModelError(f"{file} cannot be read as JSON: it is nested too deeply") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise ModelError(f"{file} must hold an object")
    return found


def read_weights(directory: Path) -> dict[str, mx.array]:
    """Read all tensors of a directory by name, as stored, from model.safetensors or the shards of its index."""
    index = directory / "model.safetensors.index.json"
    files = [directory / "model.safetensors"]
    if not files[0].exists() and index.exists():
        files = [directory / name for name in _shards(index)]
    weights: dict[str, mx.array] = {}
    for file in files:
        if not file.exists():
            raise ModelError(f"{directory} has no weights: {file.name} is missing")
        weights |= read_tensors(file)[0]
    return weights


def _shards(index: Path) -> list[str]:
    """List the files that an index of weights refers to, all in its own directory."""
    names = read_object(index).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise ModelError(f"{index} is not an index of weights")
    for name in names.values():
        if name in ("", "..") or PurePath(name).name != name or len(name) > 255 or not name.isprintable():
            raise ModelError(f"{index}: {name[:80]!r} is not the name of a file beside it")
    return sorted(set(names.values()))


def read_tensors(file: Path) -> tuple[dict[str, mx.array], dict[str, str]]:
    """Read tensors by name, and metadata, of a safetensors file; ModelError if it is damaged, or not all finite."""
    try:
        loaded = mx.load(str(file), format="safetensors", return_metadata=True)
        tensors, about = cast(tuple[dict[str, mx.array], dict[str, str]], loaded)
        wrong = _not_finite(tensors)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"{file} is damaged: it is corrupt or truncated ({reason})") from error
    if wrong:
        raise ModelError(f"{file} is damaged: {wrong[0]} holds NaN or infinity")
    return tensors, about


def _not_finite(tensors: dict[str, mx.array]) -> list[str]:
    """Name the float tensors that hold a NaN or an infinity.

    Read as whole numbers, those below zero are the largest unsigned ones, and the others the largest signed ones. Two
    maxima per tensor take 9 ms for 29 M parameters, `mx.isfinite` takes 90.
    """
    floats = {name: tensor for name, tensor in tensors.items() if mx.issubdtype(tensor.dtype, mx.floating)}
    largest = {name: _largest(tensor) for name, tensor in floats.items() if tensor.size}
    mx.eval(largest)
    return [name for name, found in largest.items() if _reaches(found, floats[name].dtype)]


def _largest(floats: mx.array) -> list[mx.array]:
    """Return the largest of some floats read as whole numbers, unsigned and signed."""
    return [floats.view(kind).max() for kind in _WHOLE[floats.dtype.size]]


def _reaches(found: list[mx.array], dtype: mx.Dtype) -> bool:
    """Tell whether one of the two maxima belongs to an infinity or a NaN."""
    infinities = _largest(mx.array(-mx.inf, dtype))[0], _largest(mx.array(mx.inf, dtype))[1]
    return any(int(number) >= int(limit) for number, limit in zip(found, infinities, strict=True))
