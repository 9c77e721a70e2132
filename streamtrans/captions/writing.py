"""Cues as SRT and VTT write them."""

from pathlib import Path

from streamtrans.captions.cues import Cue
from streamtrans.errors import UsageError

KINDS = ("srt", "vtt")


def caption_kind(path: Path) -> str | None:
    """The kind of captions that a file's name tells, "srt" or "vtt"; None for other names."""
    kind = path.suffix.lower().removeprefix(".")
    return kind if kind in KINDS else None


def require_kind(path: Path, why: str) -> str:
    """The same. Raises UsageError for another name; why: the option or the use that wants it."""
    if kind := caption_kind(path):
        return kind
    raise UsageError(f"{path}: {why} .srt or .vtt, by the name of the file")


def header(kind: str) -> str:
    """The text before the first cue."""
    return "WEBVTT\n\n" if kind == "vtt" else ""


def block(cue: Cue, kind: str) -> str:
    """A cue with its number and the blank line after it."""
    start, end = stamp(cue.start_ms, kind), stamp(cue.end_ms, kind)
    lines = (_escaped(line) if kind == "vtt" else line.replace("-->", "->") for line in cue.lines)
    return "\n".join([str(cue.number), f"{start} --> {end}", *lines, "", ""])


def stamp(ms: float, kind: str) -> str:
    """A time as hours, minutes, seconds and milliseconds."""
    seconds, thousandths = divmod(round(ms), 1000)
    mark = "." if kind == "vtt" else ","
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{mark}{thousandths:03}"


def _escaped(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
