"""A progress bar on standard error, where somebody looks at it and nothing else is written."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streamtrans.cli.shared.stderr import say

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

Advance = Callable[[int], None]


@contextmanager
def progress(what: str, total: int | None, done: int = 0, shown: bool = True) -> Iterator[Advance]:
    """A bar with rate and time left, and the function that moves it on by a number of sentences.

    total: None where it is not known. Nothing is drawn unless `shown` and standard error is a terminal.
    """
    if not (shown and sys.stderr and sys.stderr.isatty()):
        yield lambda number: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(file=sys.stderr)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total, completed=done)
        yield lambda number: bar.advance(task, number)


def _rate() -> "ProgressColumn":
    """The column that rich has not: sentences a second."""
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "–/s")

    return Rate()


class Pace:
    """Moves a bar on, and tells the rate and the time left now and then where no bar is drawn."""

    def __init__(self, total: int, done: int, advance: Advance):
        self.total, self.first, self.done, self._advance = total, done, done, advance
        self.began = self.told = time.monotonic()

    @property
    def rate(self) -> float:
        """Sentences a second."""
        return (self.done - self.first) / max(1e-9, time.monotonic() - self.began)

    def more(self, number: int, every: float = 10.0) -> None:
        """Counts `number` more sentences, and tells the pace if the last time was `every` seconds ago."""
        self.done += number
        self._advance(number)
        if not sys.stderr.isatty() and time.monotonic() - self.told > every and self.done < self.total:
            self.told = time.monotonic()
            left = (self.total - self.done) / self.rate / 60
            say(f"{self.done:,} of {self.total:,}, {self.rate:.0f} sentences/s, {left:.0f} min left")
