"""`streamtrans translate` as a program: lines, errors, interruption, several ranks."""

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

from streamtrans.engine.translator import load
from streamtrans.errors import StreamtransError
from streamtrans.policies import WaitK
from streamtrans.ranks import Ranks
from streamtrans.runtime import mx

COMMAND = [sys.executable, "-m", "streamtrans", "translate"]
LAUNCHER = shutil.which("mlx.launch", path=sysconfig.get_path("scripts")) or shutil.which("mlx.launch")
needs_launcher = pytest.mark.skipif(LAUNCHER is None, reason="mlx.launch is not installed")
TEXT = "Good morning.\n\nI would like to book a table for two people tomorrow evening.\n   \nYes\n"


def translate(*arguments, stdin=None, command=COMMAND, **settings):
    data = stdin if stdin is None or isinstance(stdin, bytes) else stdin.encode()
    return subprocess.run(
        [*command, *map(str, arguments)], input=data, capture_output=True, timeout=120, **settings
    )  # fmt: skip


def error_of(result):
    """The one line of complaint."""
    lines = result.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.fixture(scope="module")
def en_pt():
    return load("en-pt")


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "source.en"
    file.write_text(TEXT)
    return file


def test_a_line_in_a_line_out(source, tmp_path, en_pt):
    out = tmp_path / "out.pt"
    result = translate(source, "-o", out, "--wait-k", 3)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    assert out.read_text().split("\n") == [en_pt.translate(line, WaitK(3)) for line in TEXT.split("\n")]
    assert translate("-", "--wait-k", 3, "--batch-size", 1, stdin=TEXT).stdout.decode() == out.read_text()
    assert translate(source, "--limit", 3).stdout.decode().count("\n") == 3


def test_json_events(source):
    lines = translate(source, "--json").stdout.decode().splitlines()
    events = [json.loads(line) for line in lines]
    assert [e["sentence"] for e in events if e["type"] == "end"] == [0, 1, 2, 3, 4]
    assert {e["type"] for e in events} == {"read", "write", "end"}
    assert all(e["time_ms"] is None for e in events)


def test_log_of_a_run(source, tmp_path):
    result = translate(source, "--save-log", tmp_path / "run", "--wait-k", 2)
    instances = [json.loads(line) for line in (tmp_path / "run" / "instances.log").read_text().splitlines()]
    assert [i["prediction"] for i in instances] == result.stdout.decode().splitlines()
    assert (tmp_path / "run" / "scores.json").exists()
    assert json.loads((tmp_path / "run" / "configuration.json").read_text())["configuration"]["k"] == 2


def test_bytes_that_are_not_utf8_end_the_output_not_before(tmp_path):
    result = translate("-", stdin=b"Good morning.\nbad \xff byte\nYes\n")
    assert result.returncode == 1
    assert result.stdout.count(b"\n") == 1
    assert error_of(result) == (
        "streamtrans: standard input:2: not UTF-8 (byte 0xff at column 5); convert the file to UTF-8"
    )


def test_a_byte_order_mark_and_windows_lines(tmp_path):
    plain, windows = (translate("-", stdin=data) for data in (b"Yes\nNo\n", b"\xef\xbb\xbfYes\r\nNo\r\n"))
    assert plain.stdout == windows.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["missing.en"], 1, "missing.en: No such file or directory"),
        (["empty.en"], 1, "empty.en is empty"),
        (["source.en", "--wait-k", "0"], 2, "--wait-k is '0'"),
        (["source.en", "--wait-k", "three"], 2, "--wait-k is 'three'"),
        (["source.en", "--wait-k", "1,3"], 2, "takes one"),
        (["source.en", "--max-wait", "3"], 2, "--max-wait needs --policy"),
        (["source.en", "--model", "en-p"], 1, "did you mean en-pt?"),
        (["source.en", "-o", "source.en"], 2, "is the input"),
        (["source.en", "--save-log", "source.en"], 2, "source.en is a file; give a folder"),
        (["source.en", "-o", "no/such/folder"], 1, "No such file or directory"),
        (["source.en", "--resume"], 2, "needs -o OUT"),
        (["source.en", "--batch-size", "0"], 2, "batch-size"),
    ],
)
def test_errors_are_one_line(source, tmp_path, arguments, code, complaint):
    (tmp_path / "empty.en").touch()
    result = translate(*arguments, cwd=tmp_path)
    assert result.returncode == code
    assert result.stdout == b""
    assert complaint in error_of(result)
    assert source.read_text() == TEXT


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_no_space_left(source):
    result = translate(source, "-o", "/dev/full")
    assert result.returncode == 1
    assert "no space left" in error_of(result)


def test_long_lines_warn_once():
    long = " ".join(["word"] * 150)
    result = translate("-", "--batch-size", 2, stdin=f"{long}\n{long}\nYes\n")
    assert result.stdout.count(b"\n") == 3
    assert error_of(result) == "streamtrans: warning: a sentence was too long for the model; it is translated in parts"


def test_interruption_keeps_what_is_finished(tmp_path, source):
    out = tmp_path / "out.pt"
    source.write_text(TEXT * 400)
    process = subprocess.Popen(
        [*COMMAND, str(source), "-o", str(out), "--batch-size", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not (out.exists() and out.read_bytes().count(b"\n") > 5):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 130
    assert 5 < out.read_bytes().count(b"\n") < 2000


def test_resuming_gives_what_one_run_gives(tmp_path, source):
    whole, out, log = tmp_path / "whole.pt", tmp_path / "out.pt", tmp_path / "run"
    translate(source, "-o", whole)
    out.write_bytes(b"".join(whole.read_bytes().splitlines(True)[:3]) + b"half a l")
    translate(source, "-o", out, "--resume")
    assert out.read_bytes() == whole.read_bytes()
    translate(source, "-o", out, "--save-log", log)
    expected = (log / "instances.log").read_bytes()
    out.write_bytes(b"".join(whole.read_bytes().splitlines(True)[:2]))
    translate(source, "-o", out, "--save-log", log, "--resume")
    assert out.read_bytes() == whole.read_bytes()
    assert (log / "instances.log").read_bytes() == expected
    assert "was started with policy 'learned', not 'wait-k'" in error_of(
        translate(source, "-o", out, "--save-log", log, "--resume", "--wait-k", 5)
    )


def test_an_input_that_grew_inside_a_line_is_resumed_as_a_whole(source, tmp_path):
    whole, out, log = tmp_path / "whole.pt", tmp_path / "out.pt", tmp_path / "run"
    arguments = source, "-o", out, "--save-log", log
    source.write_text("Good morning.\nI would like")
    assert translate(*arguments).returncode == 0
    grown = "Good morning.\nI would like to go home.\nYes\n"
    source.write_text(grown)
    assert translate(*arguments, "--resume").returncode == 0
    translate(source, "-o", whole)
    assert out.read_bytes() == whole.read_bytes()
    sources = [json.loads(line)["source"] for line in (log / "instances.log").read_text().splitlines()]
    assert sources == grown.splitlines()


@pytest.mark.parametrize("output", ["pipe", "/dev/full"])
def test_only_a_file_is_resumed(source, tmp_path, output):
    """A pipe cannot be cut, and a device may be read for ever."""
    os.mkfifo(tmp_path / "pipe")
    result = translate(source, "-o", output, "--resume", cwd=tmp_path)
    assert result.returncode == 2
    assert f"{output} is not a file; --resume goes on with the lines of one" in error_of(result)


@pytest.mark.skipif(sys.platform == "darwin", reason="names of files are UTF-8 there")
def test_a_name_of_a_file_that_is_no_utf8(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    assert error_of(translate(name, cwd=tmp_path)) == "streamtrans: caf\\udce9: No such file or directory"
    (tmp_path / name).write_text("Good morning.\nYes\n")
    arguments = name, "-o", name + ".pt", "--save-log", name + "-run"
    assert translate(*arguments, cwd=tmp_path).returncode == 0
    assert translate(*arguments, "--resume", cwd=tmp_path).returncode == 0
    assert (tmp_path / (name + ".pt")).read_text().count("\n") == 2


def test_resuming_with_a_log_that_is_not_there_keeps_the_output(tmp_path, source):
    out, log = tmp_path / "out.pt", tmp_path / "run"
    out.write_text("Bom dia.\n\n")
    result = translate(source, "-o", out, "--save-log", log, "--resume")
    assert result.returncode == 2
    assert f"{log} has no log of the lines in {out}: resume without --save-log" in error_of(result)
    assert (out.read_text(), log.exists()) == ("Bom dia.\n\n", False)


def test_resuming_without_the_output_starts_the_log_again_too(tmp_path, source):
    out, log = tmp_path / "out.pt", tmp_path / "run"
    arguments = source, "-o", out, "--save-log", log
    assert translate(*arguments).returncode == 0
    expected = out.read_bytes(), (log / "instances.log").read_bytes()
    out.unlink()
    assert translate(*arguments, "--resume").returncode == 0
    assert (out.read_bytes(), (log / "instances.log").read_bytes()) == expected


def test_a_program_may_close_the_pipe(source):
    source.write_text(TEXT * 50)
    script = f"{sys.executable} -m streamtrans translate {source} --batch-size 2 | head -n 1"
    result = subprocess.run(script, shell=True, capture_output=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, b"")


@needs_launcher
def test_two_ranks_write_what_one_process_writes(source, tmp_path):
    source.write_text(TEXT * 3)
    one, two = tmp_path / "one.pt", tmp_path / "two.pt"
    translate(source, "-o", one, "--save-log", tmp_path / "one")
    launch = [LAUNCHER, "-n", "2", "--backend", "ring", "--", *COMMAND]
    result = translate(source, "-o", two, "--save-log", tmp_path / "two", "--batch-size", "2", command=launch)
    assert two.read_text() == one.read_text(), result.stderr.decode()
    logs = [(tmp_path / name / "instances.log").read_bytes() for name in ("one", "two")]
    assert logs[0] == logs[1]


@needs_launcher
def test_only_the_leader_complains_of_what_it_cannot_resume(source, tmp_path):
    arguments = source, "-o", tmp_path / "out.pt", "--save-log", tmp_path / "run", "--resume"
    translate(*arguments[:-1])
    launch = [LAUNCHER, "-n", "2", "--backend", "ring", "--", *COMMAND]
    result = translate(*arguments, "--wait-k", 5, command=launch)
    assert "was started with policy 'learned', not 'wait-k'" in result.stderr.decode()
    assert "another rank" not in result.stderr.decode()


@needs_launcher
def test_a_rank_that_dies_fails_the_run_and_it_can_be_resumed(source, tmp_path):
    source.write_text(TEXT * 100)
    whole, out = tmp_path / "whole.pt", tmp_path / "out.pt"
    translate(source, "-o", whole)
    command = [LAUNCHER, "-n", "2", "--backend", "ring", "--", *COMMAND, source, "-o", out, "--batch-size", "1"]
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    while not (out.exists() and out.read_bytes().count(b"\n") > 5):
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(rank_process(process.pid, 1), signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    # the launcher stops passing messages on once it has told of the dead rank itself: one of the two gets through
    assert "another rank has died" in errors.decode() or "rank 1 was killed" in errors.decode()
    written = out.read_bytes()
    assert written == whole.read_bytes()[: len(written)]
    assert 5 < written.count(b"\n") < 500
    translate(source, "-o", out, "--resume")
    assert out.read_bytes() == whole.read_bytes()


def test_zeros_in_place_of_an_answer_are_a_rank_that_is_gone(monkeypatch):
    ranks = Ranks(0, 2)
    half = mx.distributed, "all_gather", lambda data, group: mx.concatenate([data, mx.zeros_like(data)])
    monkeypatch.setattr(*half)
    with pytest.raises(StreamtransError, match="another rank has died"):
        ranks.gather("mine")


WAITS_FOR_EVER = """
import sys, time
from streamtrans import ranks
from streamtrans.errors import StreamtransError
from streamtrans.runtime import mx
mx.distributed.all_gather = lambda data, group: time.sleep(1000)
ranks.PATIENCE = float(sys.argv[1])
both = ranks.Ranks(0, 2)
both.stop_together()
try:
    print("waiting", flush=True)
    both.gather("mine")
except StreamtransError as error:
    print(error)
"""


@pytest.mark.parametrize("stopped", [False, True], ids=["patience ends", "the launcher stops it"])
def test_a_rank_does_not_wait_for_ever(stopped):
    command = [sys.executable, "-c", WAITS_FOR_EVER, "1000" if stopped else "0.2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "waiting\n"
    if stopped:
        process.terminate()
    said, _ = process.communicate(timeout=30)
    assert "another rank has died or was stopped" in said


def rank_process(launcher, rank):
    """The process of a rank, among the children of the launcher's children."""
    for entry in Path("/proc").iterdir():
        try:
            environment = (entry / "environ").read_bytes().split(b"\0") if entry.name.isdigit() else []
            parents = _ancestors(int(entry.name)) if f"MLX_RANK={rank}".encode() in environment else []
        except OSError:
            continue
        if launcher in parents and b"streamtrans" in (entry / "cmdline").read_bytes():
            return int(entry.name)
    pytest.skip("processes cannot be listed here")


def _ancestors(process):
    found = []
    while process > 1:
        process = int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])
        found.append(process)
    return found
