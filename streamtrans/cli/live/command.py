"""`streamtrans live`: translates standard input while it arrives."""

import os
import signal
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from streamtrans.cli.live.signals import SignalInbox
from streamtrans.cli.shared.event_text import Words, Writer, json_line
from streamtrans.cli.shared.options import (
    AdapterOption,
    CarryOption,
    FromOption,
    JsonOption,
    ModelChoiceOption,
    PlainOption,
    PolicyChoice,
    ToOption,
    takes_policy,
)
from streamtrans.cli.shared.stderr import InputWarnings
from streamtrans.cli.shared.subtitles import Subtitles, SubtitlesOption
from streamtrans.errors import DataError, UsageError
from streamtrans.models.routes import find_route
from streamtrans.policies import revises

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamtrans.engine.events import Event
    from streamtrans.engine.session import Session

LONGEST_PAUSE = 3600.0
"""Seconds."""


@takes_policy
def live(
    choice: PolicyChoice,
    model: ModelChoiceOption = None,
    source_language: FromOption = None,
    target_language: ToOption = None,
    adapter: AdapterOption = None,
    pause: Annotated[
        float | None, typer.Option("--pause", metavar="SECONDS", help="End the sentence after this much silence.")
    ] = None,
    carry: CarryOption = True,
    subtitles: SubtitlesOption = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Translate typed or piped text while it comes.

    On a terminal, words are translated as you type them. Backspace works in the word that has not been read yet, Enter
    ends the sentence, Ctrl-D ends. In a pipe, each word is written as soon as it is known, a line per sentence.

    \b
    Examples:
      streamtrans live
      streamtrans live --wait-k 5
      streamtrans live --from English --to German
      echo "How are you?" | streamtrans live
      recogniser | streamtrans live --pause 1.5 --json
      recogniser | streamtrans live --subtitles talk.srt
    """
    if pause is not None and not pause > 0:
        raise UsageError(f"--pause is {pause:g}; it must be more than 0 seconds")
    if pause is not None and pause > LONGEST_PAUSE:
        raise UsageError(f"--pause is {pause:g}; it must be an hour at most, or left out for none")
    if sys.stdin is None:
        raise UsageError("standard input is closed; type into live, or pipe text into it")

    route = find_route(model, adapter, source_language, target_language)

    def open_session() -> "Session":
        from streamtrans.engine.chain import load_route

        translator = load_route(route, adapter, carry)
        if captions:
            captions.language = translator.settings.target_language or ""
        return translator.session(choice.policy(translator.default_policy))

    with Subtitles(subtitles) if subtitles else nullcontext() as captions:
        if sys.stdin.isatty():
            from streamtrans.cli.live.terminal import translate_typing

            code = translate_typing(open_session, route.title, pause, as_json, plain, captions)
        else:
            code = translate_pipe(open_session(), pause, as_json, captions)
    if code:
        raise typer.Exit(code)


def translate_pipe(session: "Session", pause: float | None, as_json: bool, captions: Subtitles | None = None) -> int:
    """Feeds standard input to the session as it arrives and prints what happens; gives the exit code."""
    pipe = _Pipe(session, json_line if as_json else words_of(session), captions)
    with SignalInbox(signal.SIGINT) as inbox:
        while not inbox.caught:
            if inbox.wait(0, pause if pipe.open else None):
                data = os.read(0, 65536)
                if not data:
                    break
                pipe.feed(data, inbox)
            elif not inbox.caught:
                pipe.end_sentence()
        pipe.end_sentence()
        pipe.print(session.finish())
        return 130 if inbox.caught else 0


def words_of(session: "Session") -> Words:
    """The writer of plain words that suits a session."""
    return Words(session.settings.target_language or "", revises(session.policy))


class _Pipe:
    """A session whose events go to standard output; `open` while a sentence is."""

    def __init__(self, session: "Session", write: Writer, captions: Subtitles | None):
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
        self.print(self._session.end_sentence())
        self.open = False

    def print(self, events: "Iterable[Event]") -> None:
        for event in events:
            if text := self._write(event):
                print(text, end="", flush=True)
            if self._captions:
                self._captions(event)
        self._warn(self._session)
