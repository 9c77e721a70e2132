"""A session whose events go to standard output: what is heard or piped in comes out translated."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from streamtrans.cli.live.signals import SignalInbox
from streamtrans.cli.shared.event_text import Words, Writer
from streamtrans.cli.shared.stderr import InputWarnings
from streamtrans.cli.shared.subtitles import Subtitles
from streamtrans.engine.events import End, Event, Notice, Write
from streamtrans.errors import DataError, UsageError
from streamtrans.policies import revises
from streamtrans.speech.agreement import UNSTABLE_WORDS, Step

if TYPE_CHECKING:
    from streamtrans.engine.session import Session
    from streamtrans.speech.hypotheses import Heard

LONGEST_PAUSE = 3600.0
"""Seconds."""


def _checked(pause: float | None) -> float | None:
    if pause is not None and not pause > 0:
        raise UsageError(f"--pause is {pause:g}; it must be more than 0 seconds")
    if pause is not None and pause > LONGEST_PAUSE:
        raise UsageError(f"--pause is {pause:g}; it must be an hour at most, or left out for none")
    return pause


PauseOption = Annotated[
    float | None,
    typer.Option("--pause", metavar="SECONDS", help="End the sentence after this much silence.", callback=_checked),
]
StableWordsOption = Annotated[
    int | None,
    typer.Option(
        "--stable-words",
        metavar="N",
        min=0,
        max=100,
        help=f"Last words of an unfinished hypothesis that are held back; {UNSTABLE_WORDS} if left out.",
    ),
]


def words_of(session: "Session") -> Words:
    """The writer of plain words that suits a session."""
    return Words(session.settings.target_language or "", revises(session.policy))


class Pipe:
    """A session whose events go to standard output; `open` while a sentence is."""

    def __init__(self, session: "Session", write: Writer, captions: Subtitles | None = None):
        self._session, self._write, self._captions = session, write, captions
        self._warn = InputWarnings()
        self.open = False

    def feed(self, data: bytes, inbox: SignalInbox) -> None:
        """Translates a piece, or as much of it as is done when a signal comes."""
        self.open = self.open or not data.isspace()
        try:
            for event in self._session.events(data):
                self.print([event])
                if inbox.caught:
                    break
        except DataError:
            self.end_sentence()
            raise

    def end_sentence(self) -> None:
        """Writes everything owed."""
        self.print(self._session.end_sentence())
        self.open = False

    def fall_silent(self) -> None:
        """Ends the sentence, for nothing came for long."""
        self.end_sentence()

    def finish(self) -> None:
        """Ends the stream."""
        self.end_sentence()
        self.print(self._session.finish())

    def print(self, events: Iterable[Event]) -> None:
        """Prints events as they come."""
        for event in events:
            if text := self._write(event):
                print(text, end="", flush=True)
            if self._captions:
                self._captions(event)
        self._warn(self._session)


class HearingPipe(Pipe):
    """A pipe that takes words as a recogniser heard them.

    pause: seconds between two words, by their times, that end the sentence; None for none.
    """

    def __init__(
        self, session: "Session", write: Writer, captions: Subtitles | None = None, pause: float | None = None
    ):
        super().__init__(session, write, captions)
        self._pause, self._began = pause, time.perf_counter()
        self._last_end: float | None = None
        self._place = (0, 0, 0)  # sentence, target words, source words

    def hear(self, step: Step, inbox: SignalInbox | None = None) -> None:
        """Translates the words of a step, or as many as are done when a signal comes; a revision becomes a notice."""
        if step.revised:
            self.print([Notice(*self._place[:2], step.revised, self._place[2], self._now())])
        for word in step.words:
            if inbox and inbox.caught:
                return
            self._hear_word(word)

    def _hear_word(self, word: "Heard") -> None:
        before, self._last_end = self._last_end, word.end
        if self._pause and before is not None and word.start is not None and word.start - before >= self._pause:
            self.end_sentence()
        self.open = True
        if word.start is None or word.end is None:
            self.print(self._session.events(f"{word.text} "))
        else:
            self.print(self._session.hear(word.text, word.start * 1000, word.end * 1000))

    def print(self, events: Iterable[Event]) -> None:
        """Prints events as they come, and keeps the place where they are."""
        for event in events:
            super().print([event])
            written = event.index + 1 if isinstance(event, Write) else self._place[1]
            ended = isinstance(event, End)
            self._place = (event.sentence + 1, 0, 0) if ended else (event.sentence, written, event.delay)

    def _now(self) -> float:
        return (time.perf_counter() - self._began) * 1000
