"""`streamtrans score --from-log`: runs that are translated already."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from streamtrans.cli.shared.stderr import warn
from streamtrans.errors import UsageError
from streamtrans.evaluation.instances import with_references
from streamtrans.evaluation.run_folder import run_folders
from streamtrans.evaluation.runs import Run
from streamtrans.files import read_lines

FromLogOption = Annotated[
    list[Path] | None,
    typer.Option("--from-log", metavar="FILE", help="Score a log, a run's folder, or a folder of runs."),
]
ReferenceOption = Annotated[
    list[Path] | None,
    typer.Option("--reference", metavar="FILE", help="References for --from-log, not the log's own; may be repeated."),
]

# The parameters of `score` that have a meaning for logs; all others are of translating.
_FOR_LOGS = {"from_log", "reference", "language", "comet", "at", "plot", "overlay", "as_json", "plain"}


def refuse_other_options(context: typer.Context) -> None:
    """Complains about options that were given and would do nothing."""
    given = [p for p in context.command.params if p.name not in _FOR_LOGS and _is_given(context, p.name or "")]
    if given:
        idle = ", ".join(p.opts[0] if p.opts[0].startswith("-") else p.opts[0].upper() for p in given)
        raise UsageError(f"--from-log scores what is translated already: no {idle} with it")


def _is_given(context: typer.Context, parameter: str) -> bool:
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def read_logs(paths: list[Path], references: list[Path], language: str | None) -> list[Run]:
    """The runs of logs and folders, with other references if there are some; warns of runs that were not finished."""
    runs = [run for path in paths for run in _read(path, language)]
    if not references:
        return runs
    lines = [read_lines(path) for path in references]
    return [replace(run, instances=with_references(run.instances, lines, run.about.name)) for run in runs]


def _read(path: Path, language: str | None) -> list[Run]:
    runs = []
    for folder in run_folders(path):
        run = folder.read(language)
        if len(run.instances) < folder.expected:
            warn(f"{folder.path} has {len(run.instances)} sentences of {folder.expected}: --resume it")
        runs.append(run)
    return runs
