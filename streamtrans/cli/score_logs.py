"""`streamtrans score --from-log`: runs that are translated already."""

import sys
from dataclasses import replace
from pathlib import Path

from streamtrans.cli.corpus import read_lines
from streamtrans.cli.recording import read_configuration
from streamtrans.errors import DataError
from streamtrans.evaluation.runs import LOG, Run, read_runs


def read_logs(paths: list[Path], reference: Path | None) -> list[Run]:
    """The runs of logs and folders, with other references if asked for; warns of those that were not finished."""
    runs = [run for path in paths for run in _read(path)]
    if reference is None:
        return runs
    lines, changed = read_lines(reference), []
    for run in runs:
        if len(lines) != len(run.instances):
            raise DataError(f"{run.name}: {len(run.instances)} instances but {reference} has {len(lines)} lines")
        pairs = zip(run.instances, lines, strict=True)
        changed.append(replace(run, instances=[replace(i, reference=line) for i, line in pairs]))
    return changed


def _read(path: Path) -> list[Run]:
    runs = read_runs(path)
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
