"""`streamtrans models fuse`: an adapter merged into its model, as a checkpoint of its own."""

from pathlib import Path
from typing import Annotated

import typer

from streamtrans.errors import UsageError


def fuse(
    adapter: Annotated[Path, typer.Argument(metavar="ADAPTER", help="Directory that training with lora wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Directory to write; must not exist.")],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="MODEL", help="Model to merge into, if not the one the adapter names."),
    ] = None,
) -> None:
    """Merge a low-rank adapter into its model and write a checkpoint.

    \b
    Example:
      streamtrans models fuse runs/mine/best --output my-model
    """
    if output.exists():
        raise UsageError(f"{output} exists; choose another --output")
    from mlx.utils import tree_flatten

    from streamtrans.models.adapters import base_of
    from streamtrans.models.loading import load_checkpoint
    from streamtrans.runtime import on_gpu
    from streamtrans.training.checkpoints import write_model
    from streamtrans.training.files import written_aside

    checkpoint = load_checkpoint(model or base_of(adapter), packed=False, adapter=adapter)
    config = dict(checkpoint.config)
    if not on_gpu():  # there quantised weights were made whole on loading
        for key in ("quantization", "quantization_config"):
            config.pop(key, None)
    with written_aside(output) as directory:
        write_model(directory, dict(tree_flatten(checkpoint.model.parameters())), config, checkpoint.directory)
    print(f"wrote {output}")
