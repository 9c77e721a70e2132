"""Typing into `streamtrans live`: the terminal is read key by key, and given back as it was whatever happens."""

import contextlib
import os
import signal
import sys
import termios
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from streamtrans.cli.live.display import Display, choose_display, knows_sequences
from streamtrans.cli.live.keys import Key, KeyDecoder, Stroke
from streamtrans.cli.live.signals import SignalInbox, have_usual_effect
from streamtrans.cli.live.worker import Message, Opened, Task, Warned, Worker
from streamtrans.cli.shared.subtitles import Subtitles
from streamtrans.engine.events import Done, End, Write
from streamtrans.text.words import is_unspaced

if TYPE_CHECKING:
    from streamtrans.engine.session import Session


_ESCAPE_SECONDS = 0.05
_RESIZE_SECONDS = 0.3  # longer than tmux takes to tell of a new size
_BEGIN, _END = b"\x1b[?2004h", b"\x1b[?2004l"  # bracketed paste: arrow keys and pasted text can be told apart
_LEAVE_IN_A_HURRY = b"\x1b[?7h\x1b[?25h\r\n\x1b[J"
_LOCAL_FLAGS, _CONTROL_CHARACTERS = 3, 6


class RawTerminal:
    """Standard input without line editing and echo; Ctrl-C and Ctrl-Z remain signals."""

    def __init__(self, marks: bool):
        self._output = 1 if marks else None
        self._usual = termios.tcgetattr(0)

    def __enter__(self) -> "RawTerminal":
        raw = termios.tcgetattr(0)
        raw[_LOCAL_FLAGS] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
        raw[_CONTROL_CHARACTERS][termios.VMIN], raw[_CONTROL_CHARACTERS][termios.VTIME] = 1, 0
        termios.tcsetattr(0, termios.TCSADRAIN, raw)
        self._write(_BEGIN)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        at: TracebackType | None = None,
    ) -> None:
        with contextlib.suppress(OSError, termios.error):  # the terminal may be gone
            self._write(_END)
            termios.tcsetattr(0, termios.TCSANOW, self._usual)

    def leave_in_a_hurry(self) -> None:
        """Gives the terminal back from inside a signal handler, however much is drawn."""
        self.__exit__()
        with contextlib.suppress(OSError):
            self._write(_LEAVE_IN_A_HURRY)

    def _write(self, marks: bytes) -> None:
        if self._output is not None:
            os.write(self._output, marks)


class Typing:
    """The loop between keyboard, worker and display.

    Typed text is sent to the worker once a word is complete; until then, and while the model loads, it is ours and can
    be taken back.
    """

    def __init__(
        self,
        terminal: RawTerminal,
        inbox: SignalInbox,
        display: Display,
        worker: Worker,
        pause: float | None,
        captions: Subtitles | None = None,
    ):
        self._terminal, self._inbox, self._display, self._worker = terminal, inbox, display, worker
        self._keys = KeyDecoder()
        self._unsent = ""
        self._opened = self._unspaced = False
        self._finishing = self._done = False
        self._pause, self._last_key, self._sentence_open = pause, 0.0, False
        self._resized = -_RESIZE_SECONDS
        self._interrupted = False
        self._captions = captions

    def run(self) -> int:
        """Until Ctrl-D, or Ctrl-C; gives the exit code."""
        try:
            while not self._done:
                if not self._being_resized():
                    self._display.refresh()
                self._read()
                self._obey_signals()
                for message in self._worker.take():
                    self._hear(message)
        finally:
            self._display.clear()
        return 130 if self._interrupted else 0

    def _read(self) -> None:
        """Waits until something happens, and takes keys."""
        waits = [wait for wait in (self._patience(), self._being_resized()) if wait is not None]
        if self._inbox.wait(None if self._finishing else 0, min(waits, default=None)):
            self._last_key = time.monotonic()
            data = b""
            with contextlib.suppress(OSError):  # the terminal is gone: as if Ctrl-D
                data = os.read(0, 4096)
            for stroke in self._keys.feed(data) if data else [Key.FINISH]:
                self._take(stroke)
                self._send()
        elif time.monotonic() >= self._last_key + _ESCAPE_SECONDS:
            self._keys.give_up()
            self._end_after_pause()

    def _being_resized(self) -> float | None:
        """Seconds until the size of the terminal counts as settled, if it does not yet.

        So long nothing is drawn: the terminal shows what stands on it, and may have another size than it told us.
        """
        left = self._resized + _RESIZE_SECONDS - time.monotonic()
        return left if left > 0 else None

    def _patience(self) -> float | None:
        if self._keys.waiting:
            return _ESCAPE_SECONDS
        if self._pause and self._sentence_open and self._opened and not self._finishing:
            return max(0.0, self._last_key + self._pause - time.monotonic())
        return None

    def _end_after_pause(self) -> None:
        if self._patience() == 0:
            self._send(everything=True)
            self._worker.send(Task.END_SENTENCE)
            self._sentence_open = False

    def _take(self, stroke: Stroke) -> None:
        if stroke is Key.FINISH:
            self._finish()
        elif stroke is Key.REDRAW:
            self._display.redraw()
        elif stroke is Key.BACKSPACE:
            self._erase(self._unsent[-1:])
        elif stroke is Key.ERASE_WORD:
            self._erase(self._unsent[len(" ".join(self._unsent.split(" ")[:-1])) :])
        else:
            text = "\n" if stroke is Key.ENTER else str(stroke)
            self._unsent += text
            self._sentence_open = True
            self._display.typed(text)

    def _erase(self, text: str) -> None:
        if text:
            self._unsent = self._unsent[: -len(text)]
            self._display.erased(text)

    def _send(self, everything: bool = False) -> None:
        """Complete words go to the worker; before the model is there, nothing does, unless `everything` must."""
        if complete := len(self._unsent) if everything else self._complete():
            self._worker.send(self._unsent[:complete])
            self._unsent = self._unsent[complete:]

    def _complete(self) -> int:
        """How much of the typed text no key can take back any more."""
        if not self._opened or self._unspaced:
            return len(self._unsent) if self._opened else 0
        return next((i for i in range(len(self._unsent), 0, -1) if self._unsent[i - 1].isspace()), 0)

    def _finish(self) -> None:
        self._send(everything=True)
        self._worker.send(Task.FINISH)
        self._finishing = True

    def _obey_signals(self) -> None:
        if self._inbox.take(signal.SIGINT):
            if self._finishing:
                raise KeyboardInterrupt
            self._interrupted = True
            self._finish()
        if self._inbox.take(signal.SIGTSTP):
            self._display.clear()
            self._terminal.__exit__()
            have_usual_effect(signal.SIGTSTP)  # returns once we are continued
            self._inbox.caught.add(signal.SIGCONT)
        if self._inbox.take(signal.SIGCONT):
            self._terminal.__enter__()
            self._display.restart()
        if self._inbox.take(signal.SIGWINCH):
            self._resized = time.monotonic()
            self._display.redraw()

    def _hear(self, message: Message) -> None:
        if isinstance(message, BaseException):
            raise message
        if isinstance(message, Opened):
            self._opened, self._unspaced = True, is_unspaced(message.source_language)
            self._display.opened(message)
            self._send()
        elif isinstance(message, Warned):
            self._display.warn(message.message)
        else:
            open_before = self._sentence_open or isinstance(message, Write)  # a sentence may begin before the next key
            self._sentence_open = open_before and not isinstance(message, End)
            self._done = isinstance(message, Done)
            self._display.event(message, self._unsent)
            if self._captions:
                self._captions(message)


def translate_typing(
    open_session: "Callable[[], Session]",
    model: str,
    pause: float | None,
    as_json: bool,
    plain: bool,
    captions: Subtitles | None = None,
) -> int:
    """Translates typed text until Ctrl-D or Ctrl-C; gives the exit code."""
    display = choose_display(model, as_json, plain)
    if captions:
        captions.warn = display.warn
    terminal = RawTerminal(marks=knows_sequences(plain))
    signals = (signal.SIGINT, signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)
    try:
        with terminal, SignalInbox(*signals, fatal=lambda _: terminal.leave_in_a_hurry()) as inbox:
            worker = Worker(open_session, inbox.notify)
            try:
                return Typing(terminal, inbox, display, worker, pause, captions).run()
            finally:
                worker.stop()
    except KeyboardInterrupt:
        sys.stdout.flush()
        os._exit(130)  # the second Ctrl-C: the worker computes and cannot be asked to stop
