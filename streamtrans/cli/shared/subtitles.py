"""`--subtitles FILE`: the cues of a stream, written while it goes on."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamtrans.captions.cues import Cue
from streamtrans.captions.writing import block, header, require_kind
from streamtrans.cli.shared.stderr import say, warn
from streamtrans.errors import UsageError
from streamtrans.files import refuse_input

if TYPE_CHECKING:
    from streamtrans.engine.events import Event


def _checked(path: Path | None) -> Path | None:
    if path:
        require_kind(path, "--subtitles writes")
    return path


SubtitlesOption = Annotated[
    Path | None,
    typer.Option("--subtitles", metavar="FILE", help="Captions too, into FILE.srt or FILE.vtt.", callback=_checked),
]


class Subtitles:
    """A file of captions, complete after each sentence: call it with each event of a stream, and `close` it.

    language: of the translation; it may be set until the first sentence ends. Cues that cannot be written are tried
    again with the next one; `warn` tells it in a line. Raises OSError where the file cannot be opened, UsageError for a
    pipe.
    """

    def __init__(self, path: Path, language: str = ""):
        from streamtrans.captions.collector import CueCollector

        self._path, self._kind = path, require_kind(path, "--subtitles writes")
        self.warn = warn
        self._collector = CueCollector(language)
        if path.is_fifo():
            raise UsageError(f"{path} is a pipe; --subtitles needs a file, since the end of a cue may still move")
        self._file = path.open("wb", buffering=0)
        self._offset = 0  # of the cues below
        self._open: dict[int, Cue] = {}  # the last cue, and those that could not be written yet
        self._speeds: dict[int, float] = {}
        self._failed = False
        self._write(header(self._kind).encode())
        self._offset = self._file.tell()

    @property
    def language(self) -> str:
        """The language of the translation."""
        return self._collector.language

    @language.setter
    def language(self, language: str) -> None:
        self._collector.language = language

    def __call__(self, event: "Event") -> None:
        """Takes an event; where it ends a sentence, its cues are written."""
        self._add(self._collector.feed(event))

    def take(self, events: "Iterable[Event]") -> None:
        """Takes several events."""
        for event in events:
            self(event)

    def __enter__(self) -> "Subtitles":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Writes what is left and tells the number of cues and the reading speed on standard error.

        Raises OSError, with the file's name, where cues could not be written.
        """
        self._failed = False
        with self._file:
            self._add(self._collector.finish(), last=True)
        say(report(self._path, list(self._speeds.values())))

    def _add(self, cues: list[Cue], last: bool = False) -> None:
        self._open |= {cue.number: cue for cue in cues}
        self._speeds |= {cue.number: cue.speed for cue in cues}
        if not cues and not last:
            return
        blocks = [block(cue, self._kind).encode(errors="backslashreplace") for cue in self._open.values()]
        try:
            self._write(b"".join(blocks))
        except OSError as error:
            if last:
                raise
            if not self._failed:
                self.warn(f"{self._path}: {error.strerror}; its captions wait until they can be written")
            self._failed = True
            return
        self._failed = False
        self._offset += len(b"".join(blocks[:-1]))
        self._open = dict(list(self._open.items())[-1:])

    def _write(self, data: bytes) -> None:
        """Puts the data at the offset, and nothing behind it."""
        try:
            self._file.seek(self._offset)
            while data:
                data = data[self._file.write(data) :]
            if self._path.is_file():
                self._file.truncate()
        except OSError as error:
            error.filename = str(self._path)
            raise


def report(path: Path | str, speeds: Iterable[float]) -> str:
    """One line: the number of cues and how fast they must be read."""
    from statistics import median

    if not (found := sorted(speeds)):
        return f"{path}: no cues"
    return (
        f"{path}: {len(found):,} cue{'s' * (len(found) > 1)}; reading speed {median(found):.1f} characters per second "
        f"in the median, {found[-1]:.1f} in the fastest"
    )


def subtitles_into(path: Path | None, source: Path | None) -> "AbstractContextManager[Subtitles | None]":
    """The captions of a command, None without a path; UsageError where that is `source`, which the command reads."""
    if path and source:
        refuse_input(path, source)
    return Subtitles(path) if path else nullcontext()
