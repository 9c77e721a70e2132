"""`streamtrans inspect`: one sentence of a run, word by word."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from streamtrans.cli.shared.options import LanguageOption
from streamtrans.errors import UsageError
from streamtrans.evaluation import grid
from streamtrans.evaluation.run_folder import RunFolder
from streamtrans.files import write_atomically


def inspect(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run, as --save-log writes it.")],
    index: Annotated[int, typer.Option("--index", help="Which sentence, as numbered in the log.")] = 0,
    svg: Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Draw the grid into this file too.")] = None,
    language: LanguageOption = None,
) -> None:
    """Show what had been read when each word of one sentence was written, as a grid.

    Example: streamtrans inspect runs/wait-3 --index 17 --svg path.svg
    """
    instances = {instance.index: instance for instance in RunFolder(directory).read(language).instances}
    if index not in instances:
        raise UsageError(
            f"{directory} has no sentence {index}: its indices go from {min(instances)} to {max(instances)}"
        )
    if svg is not None and svg.suffix != ".svg":
        raise UsageError(f"{svg}: the grid is drawn as .svg")
    instance = instances[index]
    typer.echo(grid.grid(instance, shutil.get_terminal_size().columns), nl=False)
    for name, text in (
        ("source", instance.source_text),
        ("output", instance.prediction),
        *(("reference", reference) for reference in instance.references),
    ):
        if text is not None:
            typer.echo(f"{name:>9}: {text.strip()}")
    if svg is not None:
        write_atomically(svg, grid.grid_svg(instance))
