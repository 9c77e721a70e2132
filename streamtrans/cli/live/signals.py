"""Signals as something to wait for, next to input: nothing happens in the middle of a computation or a drawing."""

import contextlib
import os
import select
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class SignalInbox:
    """Within its `with`, the given signals are collected and wake `wait` up.

    A second Ctrl-C before the first was taken care of raises KeyboardInterrupt at once. SIGTERM and SIGHUP, with
    `fatal`, end the process as ever, but call it first. `notify` wakes `wait` up from another thread.
    """

    def __init__(self, *signals: signal.Signals, fatal: Callable[[int], None] | None = None):
        self.caught: set[int] = set()
        self._collected = signals
        self._fatal = fatal
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "SignalInbox":
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in self._collected:
            self._before[number] = signal.signal(number, self._collect)
        if self._fatal:
            for number in (signal.SIGTERM, signal.SIGHUP):
                self._before[number] = signal.signal(number, self._die)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._reader)
        os.close(self._writer)
        self._writer = -1

    def notify(self) -> None:
        """Wakes `wait` up; may be called from any thread."""
        with contextlib.suppress(OSError):  # full: it will wake up anyway; closed: nobody waits any more
            os.write(self._writer, b"\0")

    def wait(self, descriptor: int | None, timeout: float | None) -> bool:
        """Until there is input, a signal, a notification, or `timeout` seconds have passed; true if there is input."""
        if self.caught:
            return False
        watched = [self._reader] if descriptor is None else [self._reader, descriptor]
        ready, _, _ = select.select(watched, [], [], timeout)
        if self._reader in ready:
            os.read(self._reader, 4096)
        return descriptor in ready

    def take(self, number: int) -> bool:
        """Whether this signal came since it was last asked for."""
        came = number in self.caught
        self.caught.discard(number)
        return came

    def _collect(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and number in self.caught:
            raise KeyboardInterrupt
        self.caught.add(number)

    def _die(self, number: int, _frame: FrameType | None) -> None:
        assert self._fatal
        self._fatal(number)
        have_usual_effect(number)


def have_usual_effect(number: int) -> None:
    """Sends this process a signal that nobody catches: it ends so that its parent sees why, or stops for a while."""
    handler = signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    signal.signal(number, handler)
