"""`streamtrans score --plot`: quality against latency of the runs, beside other systems."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from streamtrans.errors import UsageError
from streamtrans.evaluation.curves import Curve, curves_of
from streamtrans.evaluation.runs import Run, read_runs

PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw quality against latency: .svg, .png or .html.")
]
OverlayOption = Annotated[
    list[Path] | None, typer.Option("--overlay", metavar="DIR", help="A folder of other runs, for the plot.")
]

_SAMPLES = 1000  # of the bootstrap, for the bands


def check_plot(plot: Path | None, overlay: list[Path]) -> None:
    """Complains before the work is done, not after it."""
    if overlay and not plot:
        raise UsageError("--overlay goes with --plot FILE")
    if plot and plot.suffix not in (".svg", ".png", ".html"):
        raise UsageError(f"{plot}: a plot is .svg, .png or .html")
    if plot and find_spec("matplotlib") is None:
        raise UsageError("plots need matplotlib: pip install 'streamtrans[plot]'")


def read_overlays(paths: list[Path], title: str, language: str | None) -> list[Curve]:
    """The curves of other systems, each called as its folder; by the whole path where several have that name."""
    names = [title, *(path.resolve().name for path in paths)]
    curves: list[Curve] = []
    for path in map(Path.resolve, paths):
        name = path.name if names.count(path.name) == 1 else str(path)
        curves += curves_of(name, read_runs(path, language), samples=_SAMPLES)
    return curves


def draw(title: str, runs: list[Run], overlays: list[Curve], plot: Path | None, shown: bool) -> None:
    """The curve of the runs: as a file where asked for, in characters on a terminal; both need references."""
    on_terminal = shown and sys.stdout.isatty() and len(runs) > 1
    has_references = all(i.reference is not None for run in runs for i in run.instances)
    if not (plot or (on_terminal and has_references)):
        return
    from streamtrans.evaluation import plots

    drawn = [*curves_of(title, runs, samples=_SAMPLES if plot else 0), *overlays]
    if plot:
        plots.plot(drawn, plot)
    if on_terminal:
        print(plots.text(drawn), end="")
