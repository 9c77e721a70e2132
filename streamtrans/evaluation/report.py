"""The scores of runs as people and programs read them: tables on a terminal, tab-separated text anywhere else."""

import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

from streamtrans.evaluation.scores import Scores

if TYPE_CHECKING:
    from rich.table import Table

_COLUMN, _NAMES = 10, 16  # widths in the table for terminals


def tsv(runs: Sequence[Scores]) -> str:
    """One header line and one line per run, separated by tabs; an undefined value is an empty cell."""
    rows = [{k: v for k, v in run.as_dict().items() if k not in ("options", "signatures")} for run in runs]
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _cell(value: Any, digits: int = 4) -> str:
    if value is None:
        return ""
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def show(runs: Sequence[Scores], stream: IO[str] | None = None) -> None:
    """Print the runs: tables on a terminal, tab-separated text otherwise. stream: standard output by default."""
    stream = stream or sys.stdout
    if not stream.isatty():
        stream.write(tsv(runs))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream)
    column = max([_COLUMN, *(len(run.about.name) + 2 for run in runs)])
    per_table = max(1, (console.width - _NAMES) // column)
    for start in range(0, len(runs), per_table):
        console.print(_table(runs[start : start + per_table]))
    for signature in dict.fromkeys(s for run in runs for s in run.signatures.values()):
        console.print(Text(signature, "dim"))
    if any(run.degenerate for run in runs):
        console.print("degenerate: words are written in bursts at the ends, and YAAL does not describe this policy")


def _table(runs: Sequence[Scores]) -> "Table":
    """Metrics down, runs across: all metrics stay readable on a narrow terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for run in runs:
        table.add_column(Text(run.about.name), justify="right", overflow="fold")
    rows = [run.as_dict() for run in runs]
    for name in dict.fromkeys(name for row in rows for name in row):
        if name in ("run", "policy", "wait_k", "options", "signature", "signatures"):
            continue
        cells = [_cell(row.get(name), 2) for row in rows]
        if any(cells) and not (name == "degenerate" and "True" not in cells):
            table.add_row(name, *(cell or "–" for cell in cells))
    return table
