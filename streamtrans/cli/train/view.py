"""The view of a training run on standard error: a line per report, on a terminal a bar with speed and time left."""

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LABELS = {"loss": "loss", "tokens_per_s": "tokens/s", "rate": "rate"}


class TrainView:
    """Shows the rows of a run; a context manager, since the bar must be taken away at the end."""

    def __init__(self, steps: int | None, plain: bool = False, quiet: bool = False):
        """steps: of the whole run, None if the clock ends it. plain: no colour, no bar. quiet: nothing at all."""
        self.steps, self.quiet = steps, quiet
        self.console = Console(stderr=True, highlight=False, no_color=plain or None, soft_wrap=True)
        self._bar: Progress | None = None
        if self.console.is_terminal and not plain:
            columns = (TextColumn("step"), MofNCompleteColumn(), BarColumn(), TextColumn("{task.fields[speed]}"))
            self._bar = Progress(*columns, TimeRemainingColumn(), TextColumn("left"), console=self.console)
        self._talks = False

    def __enter__(self) -> "TrainView":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def start(self, facts: dict[str, Any]) -> None:
        """Says what was found, and shows the bar; only the first of several processes gets here, and only it talks."""
        self._talks = True
        text = f"{facts['pairs']:,} pairs to train on, {facts['validation']:,} to validate; dropped: {facts['dropped']}"
        self.say(f"{text}\n{facts['parameters']:,} parameters to train, {facts['processes']} process(es)")
        if facts["step"]:
            self.say(f"going on after step {facts['step']}" + (f" of {facts['steps']}" if facts["steps"] else ""))
        if self._bar is not None:
            self._bar.add_task("", total=self.steps, completed=facts["step"], speed="")
            self._bar.start()

    def row(self, row: dict[str, Any]) -> None:
        """Shows one row of the log."""
        parts = [f"{label} {_short(row[name])}" for name, label in LABELS.items() if name in row]
        parts += [f"nll k={name[4:]} {_short(value)}" for name, value in row.items() if name.startswith("nll_")]
        self.say(f"step {row['step']}: {', '.join(parts)}")
        if self._bar is not None and self._bar.task_ids:
            task = self._bar.tasks[0]
            speed = f"{row['tokens_per_s']:,} tokens/s" if "tokens_per_s" in row else task.fields["speed"]
            self._bar.update(task.id, completed=row["step"], speed=speed)

    def say(self, text: str) -> None:
        """One message, above the bar."""
        if self._talks and not self.quiet:
            self.console.print(text, markup=False)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3f}"
