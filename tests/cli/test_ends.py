"""Ends of every command that are closed, full, or gone, and signals: the code, one line at most, and nothing lost."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import COMMAND
from toy_pairs import toy_config, toy_pairs, write_tsv

PATIENCE = 120  # seconds, for machines that are busy
FULL = "streamtrans: output: no space left on the device; what was written is kept\n"
SENTENCES = 600
QUICK = {  # each command, with something to print
    "help": ["--help"],
    "version": ["--version"],
    "live": ["live"],
    "live --json": ["live", "--json"],
    "translate": ["translate", "s.en"],
    "translate --json": ["translate", "s.en", "--json"],
    "score": ["score", "s.en", "r.pt"],
    "compare": ["compare", "run/wait-1", "run/wait-2", "--json"],
    "inspect": ["inspect", "run/wait-1"],
    "policies": ["policies"],
    "models": ["models"],
    "doctor": ["doctor"],
}
SLOW = {  # each command that works for a while, and the file that shows that it does; None: its libraries do
    "live": (["live"], None),
    "translate": (["translate", "long.en", "-o", "out.pt", "--batch-size", "2"], "out.pt"),
    "score": (["score", "long.en", "long.en", "--save-log", "log", "--wait-k", "2", "--batch-size", "2"], "log/wait-2"),
    "train": (["train", "-c", "config.yaml", "run=trained", "optimiser.steps=100000"], "trained/log.jsonl"),
    "distill": (["distill", "long.en", "--teacher", "command:sh slow.sh", "-o", "kd.tsv"], "distilling"),
    "calibrate": (["models", "calibrate", "en-pt", "--data", "many.tsv", "-o", "calibrated"], None),
    "bench": (["bench", "--quick"], None),
    "doctor": (["doctor"], None),
}
INTERRUPTED = {signal.SIGINT: 130, signal.SIGTERM: -signal.SIGTERM, signal.SIGHUP: -signal.SIGHUP}


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ends")
    (folder / "s.en").write_text("Good morning, my friend.\n")
    (folder / "r.pt").write_text("Bom dia, meu amigo.\n")
    (folder / "long.en").write_text("I would like to book a table for two people tomorrow evening.\n" * SENTENCES)
    toy_config(folder, report={"validate_every": 100_000, "save_every": 100_000})
    (folder / "slow.sh").write_text("echo > distilling; sleep 2; cat\n")
    write_tsv(folder / "many.tsv", [(f"{source} {i}", target) for i in range(20) for source, target in toy_pairs(200)])
    done = finished(["score", "s.en", "r.pt", "--wait-k", "1,2", "--save-log", "run"], folder)
    assert done.returncode == 0, done.stderr
    return folder


def finished(arguments: list[str], folder: Path, **options) -> subprocess.CompletedProcess:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, input=b"Good morning.\n", timeout=PATIENCE, env=quiet(), **pipes
    )


def quiet() -> dict[str, str]:
    return {**os.environ, "OPENBLAS_NUM_THREADS": "1"}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("name", QUICK)
def test_a_full_output_is_told(here, name):
    with open("/dev/full", "w") as full:
        done = finished(QUICK[name], here, stdout=full)
    assert (done.returncode, done.stderr.decode()) == (1, FULL)


@pytest.mark.parametrize("name", QUICK)
def test_a_reader_that_is_gone_is_no_fault(here, name):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody:
        done = finished(QUICK[name], here, stdout=nobody)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["nosuch"], 2), (["translate", "missing"], 1), (["translate", "warns.en"], 0), (["live"], 0)],
    ids=["usage", "error", "warning", "nothing to tell"],
)
def test_full_errors_stop_nothing(here, arguments, code):
    (here / "warns.en").write_text("word " * 200 + "\nGood morning.\n")
    usual = finished(arguments, here)
    with open("/dev/full", "w") as full:
        done = finished(arguments, here, stderr=full)
    assert (done.returncode, done.stdout) == (code, usual.stdout)
    assert usual.returncode == code


def started(name: str, folder: Path, **options) -> subprocess.Popen:
    """A command that is at work; its files from an earlier time are gone."""
    arguments, shows = SLOW[name]
    for old in ("out.pt", "trained", "log", "distilling", "calibrated"):
        subprocess.run(["rm", "-rf", str(folder / old)], check=True)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    process = subprocess.Popen([*COMMAND, *arguments], cwd=folder, env=quiet(), **pipes)
    deadline = time.monotonic() + PATIENCE
    while not (at_work(folder / shows) if shows else computes(process.pid)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def at_work(file: Path) -> bool:
    """Whether something has been written to it, or to the log in it."""
    file = file / "instances.log" if file.is_dir() else file
    return file.exists() and file.stat().st_size > 0


def computes(pid: int) -> bool:
    """Whether a process has loaded the BLAS; mlx, whose import a signal would abort, is there before it."""
    with contextlib.suppress(OSError):
        return "scipy_openblas32" in Path(f"/proc/{pid}/maps").read_text()
    return False


def ended(process: subprocess.Popen, number: signal.Signals) -> str:
    """What it says on standard error; Python may lose a signal while it imports a library, so that one is repeated."""
    for _ in range(PATIENCE // 5):
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=5)[1].decode()
    raise AssertionError(f"{process.args} does not end")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", INTERRUPTED, ids=lambda number: number.name)
@pytest.mark.parametrize("name", SLOW)
def test_a_signal_ends_a_command_that_works(here, name, number):
    process = started(name, here)
    err = ended(process, number)
    finished_before = process.returncode == 0 and name == "doctor"
    assert finished_before or process.returncode in (INTERRUPTED[number], -number), err
    assert "Traceback" not in err
    if name == "translate":
        lines = (here / "out.pt").read_bytes()
        assert lines.endswith(b"\n")
        assert 0 < lines.count(b"\n") < SENTENCES


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_control_c_again_and_again_shows_no_traceback(here):
    process = started("translate", here)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.002)
    assert (process.returncode, process.communicate()[1]) == (130, b"")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_stopped_and_continued_it_goes_on(here):
    # a group of its own, whose parent is in another one of the session: the kernel stops no orphaned group
    process = started("translate", here, stdin=subprocess.DEVNULL, process_group=0)
    process.send_signal(signal.SIGTSTP)
    assert os.waitpid(process.pid, os.WUNTRACED)[1] >> 8 == signal.SIGTSTP
    lines = (here / "out.pt").read_bytes()
    process.send_signal(signal.SIGCONT)
    assert (ended(process, signal.SIGINT), process.returncode) == ("", 130)
    assert (here / "out.pt").read_bytes().startswith(lines)


def test_a_terminal_that_disappears_does_not_stop_a_command_that_ignores_it(here):
    """As under nohup: the bar has nowhere to go, the lines have."""
    ours, terminal = os.openpty()
    process = subprocess.Popen(
        [*COMMAND, "translate", "long.en", "-o", "out.pt", "--limit", "40", "--batch-size", "4"],
        cwd=here,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        env={**quiet(), "TERM": "xterm"},
    )
    os.close(terminal)
    shown = b""
    while b"translating" not in shown:
        shown += os.read(ours, 4096)
    os.close(ours)
    assert process.wait(PATIENCE) == 0
    assert (here / "out.pt").read_text().count("\n") == 40


def test_an_output_terminal_that_disappears_is_told(here):
    ours, terminal = os.openpty()
    process = subprocess.Popen(
        [*COMMAND, "live"],
        cwd=here,
        stdin=subprocess.PIPE,
        stdout=terminal,
        stderr=subprocess.PIPE,
        env=quiet(),
    )
    os.close(terminal)
    assert process.stdin
    process.stdin.write(b"Good morning, my friend. And good")
    process.stdin.flush()
    os.read(ours, 1)
    os.close(ours)
    _, err = process.communicate(b" evening, my friends.\n", timeout=PATIENCE)
    assert process.returncode == 1
    assert err.decode() == "streamtrans: output: the device or terminal is gone; what was written is kept\n"


def test_the_documented_codes():
    told = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text(encoding="utf-8")
    for code in (0, 1, 2, 129, 130, 141, 143):
        assert re.search(rf"^\| {code} \|", told, re.MULTILINE), code
