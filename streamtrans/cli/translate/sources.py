"""The files that `translate` takes: sentences to translate, and how their translations are written."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from streamtrans.captions.cues import Cue, TimedWord
from streamtrans.captions.joining import CueSentence, join_cues
from streamtrans.captions.layout import DASH
from streamtrans.captions.reading import read_cues
from streamtrans.captions.timeline import Timeline, spread
from streamtrans.captions.writing import block, caption_kind, header
from streamtrans.cli.shared.event_text import json_line
from streamtrans.cli.shared.stderr import say
from streamtrans.cli.shared.subtitles import report
from streamtrans.engine.events import End
from streamtrans.files import Lines, count_lines
from streamtrans.text.words import stream_units

if TYPE_CHECKING:
    from streamtrans.engine.events import Event
    from streamtrans.models.settings import TranslationSettings


class Source(Protocol):
    """A file to translate: `lines` is called first, and `rendered` with the events of each line in order."""

    @property
    def error(self) -> Exception | None:
        """The fault that ended the lines, to be raised when all before it is written."""

    def lines(self, settings: "TranslationSettings") -> tuple[Iterator[str], int | None]:
        """The sentences in the languages of these settings, and their number if it is known."""

    def rendered(self, number: int, events: "list[Event]") -> str:
        """The text to write for a line."""

    def rest(self) -> str:
        """The text to write after all lines."""


class TextFile(Lines):
    """A sentence per line; a line of output for each, or its events as JSON."""

    def __init__(self, path: Path, limit: int | None, as_json: bool):
        super().__init__(path, limit)
        self._count, self._as_json = count_lines(path, limit), as_json

    def lines(self, settings: "TranslationSettings") -> tuple[Iterator[str], int | None]:
        """The lines of the file."""
        return iter(self), self._count

    def rendered(self, number: int, events: "list[Event]") -> str:
        """A line, or lines of JSON with the number in the file as their sentence; an empty line has its end alone."""
        if not self._as_json:
            return (events[-1].text if events else "") + "\n"
        events = [replace(event, sentence=number) for event in events] or [End(number, 0, "", 0, None)]
        return "".join(map(json_line, events))

    def rest(self) -> str:
        """Nothing."""
        return ""


class CaptionFile:
    """Captions: sentences are joined across cues, and their translations cut again over the time of these cues.

    Sentences of one cue are cut together; the dash of a speaker goes around the model. Raises as `read_cues`.
    """

    error: Exception | None = None

    def __init__(self, path: Path, output: Path | None, limit: int | None):
        """output: its name tells the kind of captions to write, else the input's does."""
        self._cues, self._limit = read_cues(path), limit
        self._name = output or path
        self._kind = caption_kind(self._name) or "srt"
        self._timeline = Timeline()
        self._words: list[TimedWord] = []  # of sentences whose cue has more to come
        self._held: list[Cue] = []  # the last cue, whose end the next one may move
        self._head = header(self._kind)
        self._speeds: list[float] = []

    def lines(self, settings: "TranslationSettings") -> tuple[Iterator[str], int | None]:
        """The sentences of the cues."""
        joined = join_cues(self._cues, settings.source_language or "")
        self._sentences: list[CueSentence] = list(islice(joined, self._limit))
        self._language = settings.target_language or ""
        return (sentence.text for sentence in self._sentences), len(self._sentences)

    def rendered(self, number: int, events: "list[Event]") -> str:
        """The cues that are certain now."""
        sentence = self._sentences[number]
        words = stream_units(events[-1].text, self._language) if events else []
        if words and sentence.dash:
            words[0] = f"{DASH} {words[0]}"
        self._words += spread(sentence.spans, words)
        if [other.cues for other in self._sentences[number + 1 : number + 2]] == [sentence.cues]:
            return ""
        return self._blocks(keep=1)

    def rest(self) -> str:
        """The last cue; number of cues and reading speed are told on standard error."""
        text = self._blocks(keep=0)
        say(report(self._name, self._speeds))
        return text

    def _blocks(self, keep: int) -> str:
        """The new cues, but the last ones to `keep`."""
        changed = self._timeline.add(self._words, self._language)
        self._words = []
        cues = list({cue.number: cue for cue in [*self._held, *changed]}.values())
        certain, self._held = cues[: len(cues) - keep], cues[len(cues) - keep :]
        self._speeds += [cue.speed for cue in certain]
        text, self._head = self._head + "".join(block(cue, self._kind) for cue in certain), ""
        return text
