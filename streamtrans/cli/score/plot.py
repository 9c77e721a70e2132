"""`streamtrans score --plot`: quality against latency of the runs, beside other systems."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from streamtrans.cli.shared.stderr import warn
from streamtrans.errors import UsageError
from streamtrans.evaluation.curves import Curve, curves_of
from streamtrans.evaluation.run_folder import run_folders
from streamtrans.evaluation.runs import Run

PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw quality against latency: .svg, .png or .html.")
]
OverlayOption = Annotated[
    list[Path] | None, typer.Option("--overlay", metavar="DIR", help="A folder of other runs, for curves beside ours.")
]

SAMPLES = 1000  # of the bootstrap, for the bands of a plot


def check_plot(plot: Path | None, overlay: list[Path], lags: Sequence[float]) -> None:
    """Complains before the work is done, not after it."""
    if overlay and not (plot or lags):
        raise UsageError("--overlay goes with --plot FILE, --at LAGS or --sweep")
    if plot and plot.suffix not in (".svg", ".png", ".html"):
        raise UsageError(f"{plot}: a plot is .svg, .png or .html")
    if plot and find_spec("matplotlib") is None:
        raise UsageError("plots need matplotlib: pip install matplotlib")


def read_overlays(paths: list[Path], title: str, language: str | None, samples: int) -> list[Curve]:
    """The curves of other systems, each called as its folder; by the whole path where several have that name."""
    names = [title, *(path.resolve().name for path in paths)]
    curves: list[Curve] = []
    for path in map(Path.resolve, paths):
        name = path.name if names.count(path.name) == 1 else str(path)
        curves += curves_of(name, [folder.read(language) for folder in run_folders(path)], samples=samples)
    return curves


def warn_of_other_tests(overlays: Sequence[Curve], sentences: int) -> None:
    """Tells of systems that translated something else, as far as its length shows that."""
    for system in dict.fromkeys(curve.system for curve in overlays):
        points = [point for curve in overlays if curve.system == system for point in curve.points]
        others = [point.sentences for point in points if point.sentences != sentences]
        if others:
            warn(f"{system} has {others[0]} sentences, not {sentences}: curves of different tests do not compare")


def draws_on_terminal(runs: Sequence[Run], shown: bool) -> bool:
    """Whether a curve in characters is worth it: there must be several runs, with references, and somebody to look."""
    has_references = all(i.reference is not None for run in runs for i in run.instances)
    return shown and sys.stdout.isatty() and len(runs) > 1 and has_references


def draw(curves: Sequence[Curve], plot: Path | None, on_terminal: bool) -> None:
    """The curves, as a file and in characters, where asked for."""
    from streamtrans.evaluation import plots

    if plot:
        plots.plot(curves, plot)
    if on_terminal:
        print(plots.text(curves), end="")
