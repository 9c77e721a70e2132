"""`streamtrans models`: which models are there, without loading one."""

import json
import struct
from dataclasses import asdict, dataclass
from math import inf, prod
from pathlib import Path
from typing import Annotated

import typer

from streamtrans.cli.shared.options import JsonOption
from streamtrans.cli.shared.tables import print_table
from streamtrans.errors import ModelError
from streamtrans.models.embedded import embedded_models
from streamtrans.models.marian.store import cached_models, megabytes, size_on_disk
from streamtrans.models.named import given_names

AvailableOption = Annotated[
    bool, typer.Option("--available", help="Ask which of Firefox's models there are to get; needs fxtranslate.")
]


@dataclass(frozen=True)
class ModelInfo:
    """A model as its files describe it; languages are None where its config.json names none.

    model: what `--model` takes. kind: streaming or firefox, whose files are not opened for this: parameters is None.
    """

    model: str
    kind: str
    source_language: str | None
    target_language: str | None
    parameters: int | None
    bytes: int
    trained_wait_k: list[int | str]
    path: str


def models(context: typer.Context, available: AvailableOption = False, as_json: JsonOption = False) -> None:
    """List the models that come with streamtrans, Firefox's that are here or there to get, and the names you gave.

    Any other checkpoint, and any chat model, works too: `--model` takes a directory or a Hub id as well.

    \b
    Examples:
      streamtrans models --json
      streamtrans models --available
      streamtrans models get en-de
      streamtrans models add talks --model mlx-community/Qwen2.5-7B-Instruct-4bit --from en --to ja
      streamtrans live --model path/to/checkpoint
    """
    if context.invoked_subcommand:
        return
    if available:
        from streamtrans.cli.models.available import print_available

        print_available(as_json)
        return
    from streamtrans.cli.models.given import as_row, look_up
    from streamtrans.models.loading import find_model

    found = [read_info(name, find_model(name)) for name in embedded_models()]
    found += [cached_info(pair, directory) for pair, directory in cached_models().items()]
    given = [look_up(name) for name in given_names()]
    if as_json:
        listed = {"models": [asdict(info) for info in found], "named": [asdict(info) for info in given]}
        print(json.dumps(listed, indent=2, ensure_ascii=False))
        return
    rows = [
        (
            info.model,
            f"{info.source_language or '?'} → {info.target_language or '?'}",
            info.kind,
            f"{info.parameters / 1e6:.1f} M" if info.parameters else "",
            megabytes(info.bytes),
            ", ".join(map(str, info.trained_wait_k)) or "–",
        )
        for info in found
    ]
    print_table(["model", "languages", "kind", "parameters", "size", "trained for wait-k"], rows)
    if given:
        print()
        print_table(["name", "languages", "kind", "settings", "model"], [as_row(info) for info in given])


def cached_info(pair: tuple[str, str], directory: Path) -> ModelInfo:
    """Describes a Firefox model by its name and its size. Raises ModelError where it cannot be read."""
    name = str(directory) if directory.name in embedded_models() else directory.name
    return ModelInfo(name, "firefox", *pair, None, size_on_disk(directory), [], str(directory))


def read_info(name: str, directory: Path) -> ModelInfo:
    """Reads a model's description from its directory. Raises ModelError for files that cannot be read."""
    from streamtrans.models.loading import read_config
    from streamtrans.models.settings import TranslationSettings

    settings = TranslationSettings.from_config(read_config(directory))
    ks: list[int | str] = ["inf" if k == inf else int(k) for k in settings.trained_wait_k]
    weights = sorted(directory.glob("model*.safetensors"))
    size = sum(file.stat().st_size for file in directory.iterdir() if file.is_file())
    parameters = sum(count_parameters(file) for file in weights)
    languages = settings.source_language, settings.target_language
    return ModelInfo(name, "streaming", *languages, parameters, size, ks, str(directory.resolve()))


def count_parameters(file: Path) -> int:
    """The numbers that a safetensors file holds, from its header alone. Raises ModelError if it has none."""
    try:
        with file.open("rb") as handle:
            (length,) = struct.unpack("<Q", handle.read(8))
            header = json.loads(handle.read(length))
        return sum(prod(tensor["shape"]) for key, tensor in header.items() if key != "__metadata__")
    except (ValueError, KeyError, TypeError, AttributeError, struct.error, OverflowError, MemoryError) as error:
        raise ModelError(f"{file} is corrupt or truncated") from error
