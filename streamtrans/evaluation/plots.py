"""Drawing curves: SVG, PNG and HTML files, and characters for the terminal. The same curves give the same bytes."""

import html
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from streamtrans.errors import UsageError
from streamtrans.evaluation.curves import Curve, Point
from streamtrans.files import write_atomically

_MARKS = "ox+*#@%&"
_MARKERS = "osD^vPX*"
_SIZE = (7.0, 4.5)  # inches
_LONGEST_LABEL = 12  # characters


def plot(curves: Sequence[Curve], path: Path, title: str = "") -> None:
    """Draw the curves into a file; its suffix (.svg, .png, .html) says what kind.

    Raises `UsageError` for another suffix, no curves or when matplotlib is not installed, `StreamtransError` when the
    file cannot be written.
    """
    kinds: dict[str, Callable[[Sequence[Curve], str], str | bytes]] = {".svg": curves_svg, ".png": png, ".html": page}
    if path.suffix not in kinds:
        raise UsageError(f"{path}: a plot is .svg, .png or .html")
    write_atomically(path, kinds[path.suffix](curves, title))


def curves_svg(curves: Sequence[Curve], title: str = "") -> str:
    """The curves as an SVG document."""
    return _render(curves, title, "svg").decode()


def png(curves: Sequence[Curve], title: str = "") -> bytes:
    """The curves as a PNG image."""
    return _render(curves, title, "png")


def page(curves: Sequence[Curve], title: str = "") -> str:
    """A page that needs nothing else: the plot and the numbers behind it."""
    image = curves_svg(curves, title)
    first = curves[0]
    head = "".join(f"<th>{name}" for name in ("system", "run", first.latency_name, "95 %", first.quality_name, "95 %"))
    rows = "".join(_row(curve.name, point) for curve in curves for point in _all(curve))
    heading = html.escape(title or f"{first.quality_name} against {first.latency_name}")
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{heading}</title>\n'
        "<style>body{font:16px/1.5 system-ui,sans-serif;margin:2em auto;max-width:52em;padding:0 1em}"
        "svg{width:100%;height:auto}table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:right;"
        "border-bottom:1px solid #ddd}td:nth-child(-n+2),th:nth-child(-n+2){text-align:left}</style>\n"
        f"<h1>{heading}</h1>\n{image[image.index('<svg') :]}\n<table><tr>{head}\n{rows}</table></html>\n"
    )


def _all(curve: Curve) -> list[Point]:
    return [*curve.points, *([curve.offline] if curve.offline else [])]


def _row(system: str, point: Point) -> str:
    def band(of: tuple[float, float] | None) -> str:
        return f"{of[0]:.2f}–{of[1]:.2f}" if of else ""

    cells = (
        html.escape(system),
        html.escape(point.name),
        f"{point.latency:.2f}",
        band(point.latency_band),
        f"{point.quality:.2f}",
        band(point.quality_band),
    )
    return "<tr>" + "".join(f"<td>{cell}" for cell in cells) + "\n"


def _render(curves: Sequence[Curve], title: str, kind: str) -> bytes:
    if not any(map(_all, curves)):
        raise UsageError("no runs to plot")
    try:
        import matplotlib
    except ImportError:
        raise UsageError("plots need matplotlib: pip install matplotlib") from None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # rc_context and a Figure of its own: no global state, no display, identifiers and dates that never change
    style: Any = {"svg.hashsalt": "streamtrans", "svg.fonttype": "none", "font.family": "sans-serif"}
    with matplotlib.rc_context(style | {"text.parse_math": False}):  # a name with two dollars is no formula
        figure = Figure(figsize=_SIZE, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for position, curve in enumerate(curves):
            _draw(axes, curve, f"C{position % 10}", _MARKERS[position % len(_MARKERS)])
        axes.set(xlabel=f"{curves[0].latency_name} (source units)", ylabel=curves[0].quality_name, title=title)
        axes.grid(alpha=0.3)
        axes.legend()
        output = io.BytesIO()
        metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        figure.savefig(output, format=kind, dpi=150, metadata=metadata)
    return output.getvalue()


def _draw(axes: Any, curve: Curve, colour: str, marker: str) -> None:
    x, y = [p.latency for p in curve.points], [p.quality for p in curve.points]
    if curve.points:
        axes.plot(x, y, color=colour, marker=marker, label=curve.name)
    banded = [p for p in curve.points if p.quality_band]
    if banded:
        low, high = zip(*(p.quality_band for p in banded if p.quality_band), strict=True)
        axes.fill_between([p.latency for p in banded], low, high, color=colour, alpha=0.15, linewidth=0)
    for point, label in zip(curve.points, _labels(curve.points), strict=True):
        axes.annotate(label, (point.latency, point.quality), (4, -10), textcoords="offset points", fontsize=7)
        if point.latency_band:
            axes.hlines(point.quality, *point.latency_band, color=colour, alpha=0.5)
    if curve.offline:
        label = f"{curve.system or curve.name}, offline"
        axes.axhline(curve.offline.quality, color=colour, linestyle="--", alpha=0.7, label=label)


def _labels(points: Sequence[Point]) -> list[str]:
    """The part of each point's name that the others do not share; empty where it is too long to be drawn."""
    parts = [point.name.split("-") for point in points]
    shared = next((i for i, column in enumerate(zip(*parts, strict=False)) if len(set(column)) > 1), 0)
    labels = ["-".join(name[shared:]) for name in parts]
    return labels if all(len(label) <= _LONGEST_LABEL for label in labels) else [""] * len(labels)


def text(curves: Sequence[Curve], width: int = 72, height: int = 18) -> str:
    """The curves in characters, at most `width` wide: a mark per run, dots between, dashes for offline."""
    points = [point for curve in curves for point in curve.points]
    qualities = [point.quality for curve in curves for point in _all(curve)]
    if not qualities:
        raise UsageError("no runs to plot")
    left, right = _range([point.latency for point in points] or [0.0])
    low, high = _range(qualities)
    columns, rows = width - 9, height
    canvas = [[" "] * columns for _ in range(rows)]

    def put(latency: float, quality: float, mark: str, over: bool = True) -> None:
        column = round((latency - left) / (right - left) * (columns - 1))
        row = round((high - quality) / (high - low) * (rows - 1))
        if over or canvas[row][column] == " ":
            canvas[row][column] = mark

    for position, curve in enumerate(curves):
        for column in range(columns):
            latency = left + (right - left) * column / (columns - 1)
            between = curve.at(latency)
            if between is not None:
                put(latency, between, "·", over=False)
            if curve.offline and column % 2 == 0:
                put(latency, curve.offline.quality, "-", over=False)
        for point in curve.points:
            put(point.latency, point.quality, _MARKS[position % len(_MARKS)])
    lines = [
        f"{high - (high - low) * row / (rows - 1):7.2f} │{''.join(cells)}".rstrip()
        if row % 4 == 0 or row == rows - 1
        else f"{'':7} │{''.join(cells)}".rstrip()
        for row, cells in enumerate(canvas)
    ]
    lines.append(f"{curves[0].quality_name:>7} └" + "─" * columns)
    ends = f"{left:.2f}", curves[0].latency_name, f"{right:.2f}"
    lines.append(" " * 9 + ends[0] + ends[1].center(columns - len(ends[0]) - len(ends[2])) + ends[2])
    for position, curve in enumerate(curves):
        offline = f"   - - offline {curve.offline.quality:.2f}" if curve.offline else ""
        lines.append(f"{'':9}{_MARKS[position % len(_MARKS)]} {curve.name}{offline}")
    return "\n".join(lines) + "\n"


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = (high - low) * 0.05 or max(1.0, abs(low) * 0.05)
    return math.floor((low - margin) * 100) / 100, math.ceil((high + margin) * 100) / 100
