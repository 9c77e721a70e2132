"""The door to fxtranslate, which finds, downloads and verifies Firefox's models; nothing else of ours imports it.

Functions that use the network run in a process of their own: they can be interrupted at any time, and what fxtranslate
says of retries goes nowhere.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

from streamtrans.errors import StreamtransError, UsageError

_CALL = """
import sys
from fxtranslate import discovery
try:
    print(getattr(discovery, sys.argv[1])(*sys.argv[2:]))
except ValueError as error:
    print(error)
    sys.exit(3)
"""
_TICK = 0.1
"""Seconds between two looks at how far a download is."""
_REASONS = {
    r"No space left|os error 28\b|os error 122\b|quota": "the disk is full",
    r"hash mismatch|zstd": "what came is damaged; try again",
    r"Dns Failed|[Cc]onnect|timed? ?out|Network|[Ii]o error|os error 1\d\d\b": "no answer; is there a network?",
}
"""Patterns in fxtranslate's messages, and the line that says the same to people."""


def call(function: str, *arguments: str, look: Callable[[], None] = lambda: None, lock: int | None = None) -> str:
    """Call a function of fxtranslate in a process that ends with us, and give what it prints of the result.

    look: called now and then. lock: descriptor that the process keeps open. Raises StreamtransError with what to do.
    """
    discovery()
    command = [sys.executable, "-P", "-X", "utf8", "-c", _CALL, function, *arguments]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes, pass_fds=[] if lock is None else [lock], encoding="utf-8") as process:  # type: ignore[call-overload]
        try:
            while True:
                try:
                    said, _ = process.communicate(timeout=_TICK)
                    break
                except subprocess.TimeoutExpired:
                    look()
        finally:
            process.kill()
    look()
    if process.returncode:
        raise StreamtransError(_explained(said.strip() or f"it ended with {process.returncode}", arguments))
    return str(said)


def _explained(message: str, arguments: tuple[str, ...]) -> str:
    what = "-".join(arguments[:2]) if arguments else "the list of models"
    reason = next((line for pattern, line in _REASONS.items() if re.search(pattern, message)), None)
    host = re.search(r"https?://([^/:\s]+)", message)
    detail = ": ".join([*([host[1]] if host else []), message.splitlines()[0].rsplit(": ", 1)[-1]])
    kept = "; nothing of it was kept" if arguments else "; models that are here work without"
    return f"{what} could not be fetched: {f'{reason} ({detail})' if reason else message.splitlines()[0]}{kept}"


def discovery() -> ModuleType:
    """Import fxtranslate's functions on records; UsageError with the command that installs it."""
    try:
        from fxtranslate import discovery as found
    except ImportError:
        raise UsageError("getting models needs fxtranslate: pip install 'streamtrans[firefox]'") from None
    return found
