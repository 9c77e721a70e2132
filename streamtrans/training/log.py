"""The log of a run, JSON lines, its plot, and TensorBoard where it is asked for."""

import json
from pathlib import Path
from typing import Any

from streamtrans.errors import UsageError
from streamtrans.training.files import replacing


class RunLog:
    """`log.jsonl`: a row each time something is said; rows of steps that a resumed run repeats are taken out."""

    def __init__(self, file: Path, step: int, tensorboard: Path | None = None):
        """Keeps the rows of a log up to a step. tensorboard: directory that gets the same numbers, if any."""
        self.file = file
        self._board = _tensorboard(tensorboard, step) if tensorboard else None
        rows = [row for row in read_training_log(file) if row["step"] <= step] if file.exists() else []
        with replacing(file) as fresh:
            fresh.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def write(self, row: dict[str, Any]) -> None:
        """Appends one row."""
        with open(self.file, "a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        if self._board:
            for name in row.keys() - {"step", "time"}:
                self._board.add_scalar(name, row[name], row["step"], row["time"])

    def close(self) -> None:
        """Ends it; TensorBoard's rows are written by a thread, which may be behind."""
        if self._board:
            self._board.close()


def _tensorboard(directory: Path, step: int) -> Any:
    """A writer that hides what was told after a step; UsageError where its package is missing."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise UsageError("report.tensorboard needs another package: pip install tensorboardX") from error
    return SummaryWriter(str(directory), purge_step=step + 1)


def read_training_log(file: Path) -> list[dict[str, Any]]:
    """The rows of a log up to the first line that is none, such as a last one that a kill cut short."""
    rows = []
    for line in file.read_bytes().splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not isinstance(row, dict) or not isinstance(row.get("step"), int):
            break
        rows.append(row)
    return rows


def plot_log(file: Path, picture: Path) -> bool:
    """Draws loss and validation over steps; false, and no picture, where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    rows = read_training_log(file)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="negative log-likelihood per target token")
    names = sorted({name for row in rows for name in row if name == "loss" or name.startswith("nll_")})
    for name in names:
        points = [(row["step"], row[name]) for row in rows if name in row]
        label = "training" if name == "loss" else f"validation, k = {name[4:].replace('inf', '∞')}"
        axes.plot(*zip(*points, strict=True), label=label, linewidth=1, marker="" if name == "loss" else ".")
    if names:
        axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(picture, dpi=150)
    return True
