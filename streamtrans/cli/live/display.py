"""Ways to show a live session on a terminal: redrawn in place, or as text that only grows."""

import os
import sys
from collections.abc import Callable
from typing import TextIO

from rich.cells import cell_len
from rich.text import Text
from typing_extensions import override

from streamtrans.cli.live.screen import ERASE_LINE_END, Screen
from streamtrans.cli.live.view import LiveState, finished_lines, frame, warning_lines
from streamtrans.cli.live.worker import Opened
from streamtrans.cli.shared.event_text import Words, Writer, between, json_line
from streamtrans.engine.events import Event
from streamtrans.policies import Policy, revises
from streamtrans.policies.registry import kept_back, settings_of


class Display:
    """Is told what happens, and shows it at the latest when `refresh` is called; this one shows nothing."""

    def opened(self, session: Opened) -> None:
        """The model is ready."""

    def typed(self, text: str) -> None:
        """Text was typed."""

    def erased(self, text: str) -> None:
        """This end of the typed text was taken back."""

    def event(self, event: Event, pending: str) -> None:
        """Something happened, while `pending` was typed and not yet read."""

    def warn(self, message: str) -> None:
        """Something to tell, once."""

    def refresh(self) -> None:
        """All that came together has been told."""

    def redraw(self) -> None:
        """The terminal has another size, or is to be drawn again."""

    def restart(self) -> None:
        """The terminal shows something else now."""

    def clear(self) -> None:
        """Leaves the terminal to others, for a while or for good."""


class LiveDisplay(Display):
    """The live view, redrawn in place."""

    def __init__(self, screen: Screen, model: str):
        self._screen = screen
        self._state = LiveState(f"loading {model} …")
        self._above: list[Text] = []

    @override
    def opened(self, session: Opened) -> None:
        self._state.loading, self._state.status = False, _label(session.policy)
        self._state.kept_back = kept_back(session.policy)
        self._state.source_language, self._state.target_language = session.source_language, session.target_language

    @override
    def typed(self, text: str) -> None:
        self._state.type(text)

    @override
    def erased(self, text: str) -> None:
        self._state.erase(len(text))

    @override
    def event(self, event: Event, pending: str) -> None:
        if sentence := self._state.apply(event):
            self._above += finished_lines(sentence, self._screen.size[0])

    @override
    def warn(self, message: str) -> None:
        self._above += warning_lines(message, self._screen.size[0])

    @override
    def refresh(self) -> None:
        self._screen.draw(frame(self._state, self._screen.size[0], self._screen.block_height), self._above)
        self._above = []

    @override
    def redraw(self) -> None:
        self._screen.redraw()

    @override
    def restart(self) -> None:
        self._screen.forget()

    @override
    def clear(self) -> None:
        self.refresh()
        self._screen.erase()


class EchoDisplay(Display):
    """Shows text as it is typed on one stream, and the translation on another.

    If both are the same terminal (`together`), the letters that are not read yet step aside for what is written.
    """

    def __init__(self, echo: TextIO, out: TextIO, writer: Callable[[Opened], Writer], together: bool):
        self._echo, self._out, self._writer = echo, out, writer
        self._together = together
        self._in_line = False

    @override
    def opened(self, session: Opened) -> None:
        self._write = self._writer(session)

    @override
    def typed(self, text: str) -> None:
        self._in_line = not text.endswith("\n") or self._together  # what is written ends the line by itself
        self._echo.write(text if not self._together else text.strip("\n"))

    @override
    def erased(self, text: str) -> None:
        self._echo.write("\b \b" * cell_len(text))

    @override
    def event(self, event: Event, pending: str) -> None:
        if not (text := self._write(event)):
            return
        if self._together:
            self.erased(pending)
            text += pending
            self._in_line = not text.endswith("\n")
        self._echo.flush()
        self._out.write(text)
        self._out.flush()

    @override
    def warn(self, message: str) -> None:
        self._echo.write(f"\nstreamtrans: warning: {message}\n")

    @override
    def refresh(self) -> None:
        self._echo.flush()

    @override
    def clear(self) -> None:
        self._echo.write("\n" if self._in_line else "")
        self._echo.flush()


def knows_sequences(plain: bool) -> bool:
    """Whether standard output is a terminal that may be sent control sequences."""
    return sys.stdout.isatty() and not plain and os.environ.get("TERM", "") not in ("", "dumb")


def choose_display(model: str, as_json: bool, plain: bool) -> Display:
    """The display that suits the options, the terminal, and where standard output goes."""
    if not sys.stdout.isatty():
        echo = sys.stderr if sys.stderr.isatty() else open(os.devnull, "w")  # noqa: SIM115
        return EchoDisplay(echo, sys.stdout, lambda s: json_line if as_json else _words(s), together=False)
    if as_json:
        before = f"\r{ERASE_LINE_END}" if knows_sequences(plain) else "\n"
        return EchoDisplay(sys.stdout, sys.stdout, lambda _: lambda e: before + json_line(e), together=True)
    if not knows_sequences(plain):
        return EchoDisplay(sys.stdout, sys.stdout, lambda _: between, together=True)
    return LiveDisplay(Screen(sys.stdout), model)


def _words(session: Opened) -> Words:
    return Words(session.target_language, revises(session.policy))


def _label(policy: Policy) -> str:
    """A policy in a few letters: "wait-k 3"."""
    k = settings_of(policy).get("k")
    return policy.name if k is None else f"{policy.name} {k:g}"
