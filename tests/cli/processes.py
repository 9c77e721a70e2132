"""Running the command line as a user does: as a process of its own."""

import os
import subprocess
import sys

COMMAND = [sys.executable, "-m", "streamtrans"]
TIMEOUT = 12  # seconds; generous, for machines that are busy


def run(*arguments: str, text: str | bytes = "", **options) -> subprocess.CompletedProcess:
    """The finished process; output as text."""
    data = text.encode() if isinstance(text, str) else text
    done = subprocess.run([*COMMAND, *arguments], input=data, capture_output=True, timeout=TIMEOUT, **options)
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    return done


def start(*arguments: str, **options) -> subprocess.Popen:
    """A process whose standard input, output and errors are pipes, unbuffered."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*COMMAND, *arguments], bufsize=0, env=dict(os.environ), **(pipes | options))
