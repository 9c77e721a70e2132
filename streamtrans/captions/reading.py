"""Files of captions, SRT and VTT, as they are found: blank lines and numbers missing, marks, tags and positions."""

import codecs
import html
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise, takewhile
from pathlib import Path

from streamtrans.captions.cues import Cue
from streamtrans.captions.writing import require_kind
from streamtrans.errors import DataError
from streamtrans.files import decoded
from streamtrans.text.encoding import not_utf8, utf16_order

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?", re.ASCII)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<(?:\d+:)?\d+:\d+\.\d+>|\{\\[^{}]*\}", re.ASCII)
_NUMBER = re.compile(r"\s*\d+\s*", re.ASCII)
_VTT_BLOCKS = (["NOTE"], ["STYLE"], ["REGION"])
_BREAK = re.compile(rb"\r+\n?")


def read_cues(path: Path) -> list[Cue]:
    """The cues of a file with text, by their start; tags, styles and positions are left out.

    Raises DataError, with the number of the line, for times that are none; and for a file that cannot be read, is
    neither UTF-8 nor marked UTF-16, or has no cue. Raises UsageError for the name of another kind of file.
    """
    kind = require_kind(path, "captions are read from")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = data.decode("utf-16", errors="replace").encode(errors="replace")
    elif order := utf16_order(data[:64]):
        raise not_utf8(str(path), order)
    lines = list(decoded(_BREAK.sub(b"\n", data).splitlines(keepends=True), str(path)))
    return parse(lines, kind, str(path))


def parse(lines: Sequence[str], kind: str, name: str) -> list[Cue]:
    """The cues of these lines, of kind "srt" or "vtt"; name: of their file, for complaints, as `read_cues` has them."""
    if not any(line.strip() for line in lines):
        raise DataError(f"{name} is empty")
    cues: list[tuple[float, float, tuple[str, ...]]] = []
    for start, end, text in _blocks(lines, kind, name):
        if shown := tuple(clean for line in text if (clean := _plain(line, kind))):
            cues.append((start, max(start, end), shown))
    if not cues:
        raise DataError(f"{name} has no captions: no line of times, 00:00:01,000 --> 00:00:02,000, with text below it")
    return [Cue(number, *cue) for number, cue in enumerate(sorted(cues, key=lambda cue: cue[:2]), 1)]


def _blocks(lines: Sequence[str], kind: str, name: str) -> Iterator[tuple[float, float, list[str]]]:
    """Start, end and the lines of text below of each line of times."""
    timed = _lines_of_times(lines, kind)
    for at, following in pairwise([*timed, len(lines)]):
        if not (times := _TIMES.fullmatch(lines[at])):
            raise DataError(f"{name}:{at + 1}: no times; write them as 00:00:01,000 --> 00:00:02,000")
        text = list(lines[at + 1 : following])
        if following < len(lines):
            text = _without_number(text)
        if kind == "vtt":
            text = list(takewhile(str.strip, text))  # SRT with blank lines inside a cue is found in the wild
        yield _milliseconds(times.groups()[:4]), _milliseconds(times.groups()[4:]), text


def _without_number(lines: list[str]) -> list[str]:
    """The lines before a line of times, without the cue's number: right above it, or between blank lines."""
    text = lines[: next((i for i in range(len(lines), 0, -1) if lines[i - 1].strip()), 0)]
    numbered = text and _NUMBER.fullmatch(text[-1]) and (text == lines or text[-2:-1] == [""])
    return text[:-1] if numbered else text


def _lines_of_times(lines: Sequence[str], kind: str) -> list[int]:
    """The lines with an arrow, but not in a block of VTT that is no cue."""
    found, before, in_note = [], "", False
    for number, line in enumerate(lines):
        if not before.strip():
            in_note = kind == "vtt" and line.split(maxsplit=1)[:1] in _VTT_BLOCKS
        if "-->" in line and not in_note:
            found.append(number)
        before = line
    return found


def _milliseconds(parts: Sequence[str | None]) -> float:
    hours, minutes, seconds = (int(part or 0) for part in parts[:3])
    return 1000.0 * (3600 * hours + 60 * minutes + seconds) + int((parts[3] or "").ljust(3, "0"))


def _plain(line: str, kind: str) -> str:
    line = _TAG.sub("", line)
    return " ".join((html.unescape(line) if kind == "vtt" else line).split())
