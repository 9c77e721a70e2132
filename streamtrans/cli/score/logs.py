"""`streamtrans score --from-log`: runs that are translated already."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from streamtrans.cli.shared.lines import read_lines
from streamtrans.cli.shared.recording import read_configuration
from streamtrans.errors import DataError, UsageError
from streamtrans.evaluation.runs import LOG, Run, read_runs

FromLogOption = Annotated[
    list[Path] | None,
    typer.Option("--from-log", metavar="FILE", help="Score a log, a run's folder, or a folder of runs."),
]
ReferenceOption = Annotated[
    Path | None, typer.Option("--reference", metavar="FILE", help="References for --from-log, not the log's own.")
]

# The parameters of `score` that have a meaning for logs; all others are of translating.
_FOR_LOGS = {"from_log", "reference", "language", "comet", "at", "plot", "overlay", "as_json", "plain"}


def refuse_other_options(context: typer.Context) -> None:
    """Complains about what was given and would do nothing."""
    given = [p for p in context.command.params if p.name not in _FOR_LOGS and _is_given(context, p.name or "")]
    if given:
        idle = ", ".join(p.opts[0] if p.opts[0].startswith("-") else p.opts[0].upper() for p in given)
        raise UsageError(f"--from-log scores what is translated already: no {idle} with it")


def _is_given(context: typer.Context, parameter: str) -> bool:
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def read_logs(paths: list[Path], reference: Path | None, language: str | None) -> list[Run]:
    """The runs of logs and folders, with other references if asked for; warns of those that were not finished."""
    runs = [run for path in paths for run in _read(path, language)]
    if reference is None:
        return runs
    lines, changed = read_lines(reference), []
    for run in runs:
        if len(lines) != len(run.instances):
            raise DataError(f"{run.name}: {len(run.instances)} instances but {reference} has {len(lines)} lines")
        pairs = zip(run.instances, lines, strict=True)
        changed.append(replace(run, instances=[replace(i, reference=line) for i, line in pairs]))
    return changed


def _read(path: Path, language: str | None) -> list[Run]:
    runs = read_runs(path, language)
    single = path.is_file() or (path / LOG).is_file()
    for run in runs:
        folder = path.parent if path.is_file() else path if single else path / run.name
        done, wanted = len(run.instances), _sentences(folder)
        if done < wanted:
            print(f"streamtrans: warning: {folder} has {done} sentences of {wanted}: --resume it", file=sys.stderr)
    return runs


def _sentences(folder: Path) -> int:
    """How many sentences the run in this folder was to have; 0 where nobody knows."""
    try:
        sentences = read_configuration(folder).get("sentences")
    except DataError:  # not ours, or damaged: the log may be good all the same
        return 0
    return sentences if isinstance(sentences, int) else 0
