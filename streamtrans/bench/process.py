"""A whole process: the time until it translates, and the memory that it takes."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SENTENCES = b"How are you today , my friend ?\nI hope that you are well .\n"


@dataclass(frozen=True)
class ColdStart:
    """Seconds from exec to the first event (the model is ready) and to the first written word; most MiB held."""

    ready_s: float | None
    first_word_s: float | None
    peak_mb: float | None


def cold_start(options: Sequence[str]) -> ColdStart:
    """Starts `streamtrans live` with these options on two sentences in a pipe, as a process of its own."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "streamtrans", "live", *options, "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(_SENTENCES)
    process.stdin.flush()
    ready = first_word = None
    for line in process.stdout:
        now, event = time.perf_counter() - start, json.loads(line)
        ready = ready or now
        if event["type"] == "write":
            first_word = first_word or now
        if event["type"] == "end" and event["sentence"] == _SENTENCES.count(b"\n") - 1:
            break
    peak = _peak_mb(process.pid)
    process.stdin.close()
    process.stdout.close()
    process.wait()
    return ColdStart(ready, first_word, peak)


def _peak_mb(pid: int) -> float | None:
    """The most memory that a running process has held, where the system tells.

    Not by the resource usage of a finished child: on Linux that starts with what its parent held.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    kibibytes = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), None)
    return None if kibibytes is None else int(kibibytes) / 1024


def help_time() -> float:
    """Seconds that `streamtrans --help` takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "streamtrans", "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start
