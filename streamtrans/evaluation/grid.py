"""One sentence seen closely: the source read before each target unit was written, as text and as SVG."""

import math
import unicodedata
from html import escape

from streamtrans.evaluation.instances import Instance
from streamtrans.evaluation.latency import LATENCY

_CELL = 22  # pixels
_LETTER = 8.5


def _heading(instance: Instance) -> str:
    """The numbers of the sentence in one line."""
    values = ((name, metric(instance)) for name, metric in LATENCY.items() if name in ("AL", "LAAL", "DAL", "YAAL"))
    shown = "  ".join(f"{name} {'–' if value is None else f'{value:.2f}'}" for name, value in values)
    return (
        f"sentence {instance.index}: {instance.source_length:g} read, {len(instance.delays)} written, "
        f"{instance.reference_length} in the reference   {shown}"
    )


def grid(instance: Instance, width: int = 100) -> str:
    """The path as text: a line per target unit, with the source read (■) and not read (·), the words read just before
    it, and the time when it was ready, if known.

    Where the source is longer than half of `width`, a cell stands for several units.
    """
    target = instance.units
    names = max((_width(word) for word in target), default=0)
    total = round(instance.source_length)
    scale = max(1, math.ceil(total / max(1, width // 2 - names)))
    lines = [_heading(instance) + (f"   (a cell is {scale} {instance.source_unit}s)" if scale > 1 else "")]
    before = 0
    for position, (word, delay) in enumerate(zip(target, map(round, instance.delays), strict=True)):
        when = f"  {instance.elapsed_ms[position]:6.0f} ms" if instance.elapsed_ms else ""
        news = _read(instance, before, delay)
        lines.append(f"{' ' * (names - _width(word))}{word}  {_cells(delay, total, scale)}{when}  {news}".rstrip())
        before = delay
    unread = _read(instance, before, total)
    if unread:
        lines.append(f"{' ' * names}  {_cells(total, total, scale)}  {unread}")
    return "\n".join(lines) + "\n"


def _cells(read: int, total: int, scale: int) -> str:
    filled, cells = math.ceil(read / scale), math.ceil(total / scale)
    return "■" * filled + "·" * (cells - filled)


def _read(instance: Instance, start: int, stop: int) -> str:
    """The source read between two target words; numbers (from 1) stand for words that the log does not have."""
    if instance.source is None:
        return " ".join(str(number + 1) for number in range(start, stop))
    return (" " if instance.source_unit == "word" else "").join(instance.source[start:stop])


def _width(text: str) -> int:
    """Terminal columns: East Asian wide characters take two, combining marks none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def grid_svg(instance: Instance) -> str:
    """The path as an SVG document: source across, target down, read cells filled, the staircase of the policy."""
    total, target = round(instance.source_length), instance.units
    source = instance.source or tuple(str(number + 1) for number in range(total))
    left = 20 + _LETTER * max((_width(word) for word in target), default=0)
    top = 40 + _LETTER * max((_width(word) for word in source), default=0)
    right = left + total * _CELL + (90 if instance.elapsed_ms else 20)
    size = f"{max(right, 560):.0f}", f"{top + len(target) * _CELL + 20:.0f}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" '
        f'viewBox="0 0 {size[0]} {size[1]}" font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="20" font-size="12" fill="#555">{escape(_heading(instance))}</text>',
    ]
    for column, word in enumerate(source):
        x = left + (column + 0.7) * _CELL
        parts.append(f'<text transform="translate({x:.1f},{top - 6:.1f}) rotate(-90)">{escape(word)}</text>')
    for row, word in enumerate(target):
        parts += _row(instance, row, word, left, top + row * _CELL, total)
    parts.append(_staircase(instance, left, top))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(instance: Instance, row: int, word: str, left: float, y: float, total: int) -> list[str]:
    read = round(instance.delays[row])
    base = y + 0.7 * _CELL
    parts = [f'<text x="{left - 8:.1f}" y="{base:.1f}" text-anchor="end">{escape(word)}</text>']
    for column in range(total):
        fill = "#9ecae1" if column < read else "#f2f2f2"
        at = f'x="{left + column * _CELL:.1f}" y="{y:.1f}" width="{_CELL - 1}" height="{_CELL - 1}"'
        parts.append(f'<rect {at} fill="{fill}"/>')
    if instance.elapsed_ms:
        time = f"{instance.elapsed_ms[row]:.0f} ms"
        parts.append(f'<text x="{left + total * _CELL + 8:.1f}" y="{base:.1f}" fill="#555">{time}</text>')
    return parts


def _staircase(instance: Instance, left: float, top: float) -> str:
    """READ goes right, WRITE goes down."""
    points = [(left, top)]
    for row, delay in enumerate(instance.delays):
        x = left + delay * _CELL
        points += [(x, top + row * _CELL), (x, top + (row + 1) * _CELL)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="#08519c" stroke-width="2"/>'
