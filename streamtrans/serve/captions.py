"""The lines of each session for those who watch it, and those who come late or were away."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from streamtrans.engine.events import Done, End, Event, Notice, Read, Revise, Write
from streamtrans.text.words import join, stream_units

KEPT_LINES = 200
"""Lines that a show keeps."""

KEPT_SHOWS = 100
"""Shows without anybody on stage that are kept, those of late."""

WAITING = 64
"""Changes that wait for a viewer; one that is slower gets all lines anew instead."""


@dataclass
class Line:
    """A sentence: source words read and target words written; done when it will not change any more."""

    sentence: int
    source: list[str] = field(default_factory=list)
    target: list[str] = field(default_factory=list)
    done: bool = False
    start_ms: float | None = None
    end_ms: float | None = None
    time_ms: float = 0.0


class Show:
    """The lines of one session, in order, and its viewers."""

    def __init__(self, name: str):
        self.name = name
        self.lines: deque[Line] = deque(maxlen=KEPT_LINES)
        self.languages = ("", "")
        self.live = False
        self._viewers: set[Viewer] = set()
        self._began = time.monotonic()

    @property
    def sentences(self) -> int:
        """The number that the next sentence gets."""
        return self.lines[-1].sentence + 1 if self.lines else 0

    def note(self, events: Iterable[Event]) -> None:
        """Changes lines as events say, and tells viewers of the lines that have changed."""
        changed: dict[int, Line] = {}
        for event in events:
            if not isinstance(event, Done | Notice):
                line = self._line(event.sentence)
                self._apply(event, line)
                changed[line.sentence] = line
        if changed:
            self._tell({"type": "lines", "lines": [self._stated(line) for line in changed.values()]})

    def begin(self, languages: tuple[str, str]) -> None:
        """Somebody is on stage."""
        self.live, self.languages = True, languages
        self._tell(self._about())

    def pause(self) -> None:
        """Nobody is on stage: what stands of an open line is all of it."""
        self.live = False
        for line in self.lines:
            line.done = True
        self._tell(self.snapshot())

    def snapshot(self, last: int = KEPT_LINES) -> dict[str, Any]:
        """The last lines, which replace whatever a viewer has of the same numbers."""
        lines = list(self.lines)[-last:] if last else []
        return self._about() | {"lines": [self._stated(line) for line in lines]}

    @contextmanager
    def watched(self) -> "Iterator[Viewer]":
        """A viewer while it watches."""
        viewer = Viewer()
        self._viewers.add(viewer)
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)

    @property
    def viewers(self) -> int:
        """The number of those who watch."""
        return len(self._viewers)

    def _about(self) -> dict[str, Any]:
        source, target = self.languages
        return {"type": "show", "session": self.name, "from": source, "to": target, "live": self.live, "lines": []}

    def _line(self, sentence: int) -> Line:
        for line in reversed(self.lines):
            if line.sentence == sentence:
                return line
        self.lines.append(Line(sentence, time_ms=self._now()))
        return self.lines[-1]

    def _now(self) -> float:
        return (time.monotonic() - self._began) * 1000

    def _apply(self, event: Event, line: Line) -> None:
        line.end_ms = event.end_ms if event.end_ms is not None else line.end_ms
        if line.start_ms is None:
            line.start_ms = event.start_ms
        if isinstance(event, Read):
            line.source.append(event.text)
        elif isinstance(event, Write):
            line.target.append(event.text)
        elif isinstance(event, Revise):
            line.target[event.index :] = stream_units(event.text, self.languages[1])
        elif isinstance(event, End):
            line.target, line.done = [event.text] if event.text else [], True
            beyond, line.source = line.source[event.delay :], line.source[: event.delay]
            if beyond:  # read already, they belong to the next sentence
                self._line(event.sentence + 1).source[:0] = beyond

    def _stated(self, line: Line) -> dict[str, Any]:
        source, target = self.languages
        spoken = {} if line.start_ms is None else {"start_ms": line.start_ms, "end_ms": line.end_ms}
        return {
            "sentence": line.sentence,
            "source": join(line.source, source),
            "text": join(line.target, target),
            "done": line.done,
            "time_ms": round(line.time_ms),
            **spoken,
        }

    def _tell(self, change: dict[str, Any]) -> None:
        for viewer in self._viewers:
            viewer.tell(change)


class Viewer:
    """One who watches, as fast as it can."""

    def __init__(self) -> None:
        self._changes: asyncio.Queue[dict[str, Any]] = asyncio.Queue(WAITING)
        self._behind = False

    def tell(self, change: dict[str, Any]) -> None:
        """Hands over a change; one that finds no room is lost, and `next` says so."""
        try:
            self._changes.put_nowait(change)
        except asyncio.QueueFull:
            self._behind = True

    async def next(self, show: Show) -> dict[str, Any]:
        """The next change; all lines, if changes were lost."""
        change = await self._changes.get()
        if self._behind:
            self._behind = False
            while not self._changes.empty():
                self._changes.get_nowait()
            return show.snapshot()
        return change


class Stage:
    """The shows by the names of their sessions."""

    def __init__(self) -> None:
        self._shows: OrderedDict[str, Show] = OrderedDict()

    def show(self, name: str) -> Show:
        """The show of a session, new if there was none; the oldest without anybody on stage or watching goes."""
        if name not in self._shows:
            self._shows[name] = Show(name)
            over = [key for key, show in self._shows.items() if not (show.live or show.viewers) and key != name]
            for key in over[: max(0, len(over) - KEPT_SHOWS)]:
                del self._shows[key]
        return self._shows[name]

    @property
    def latest(self) -> Show | None:
        """The show that began last, of those with somebody on stage if there are any."""
        shows = list(self._shows.values())
        return next((show for show in reversed(shows) if show.live), shows[-1] if shows else None)

    def begun(self, show: Show) -> None:
        """A show begins, or goes on: it is the latest."""
        self._shows.move_to_end(show.name)
