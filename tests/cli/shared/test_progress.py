"""The progress bar: drawn on a terminal, and nowhere else."""

import io
import os
import re
from contextlib import redirect_stderr

import pexpect
import pytest
from processes import COMMAND, TIMEOUT

from streamtrans.cli.shared.progress import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def drawn(text):
    """What a terminal shows, without its control sequences."""
    return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", text)


@pytest.fixture(autouse=True)
def _terminal_of_100_columns(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")


def test_a_bar_from_where_a_run_goes_on():
    with redirect_stderr(Terminal()) as errors, progress("wait-3", 5, done=2) as advance:
        for _ in range(3):
            advance(1)
    shown = drawn(errors.getvalue())
    assert "wait-3" in shown
    assert "5/5" in shown
    assert re.search(r"\d/s", shown)
    assert errors.getvalue().endswith("\x1b[2K")  # it leaves nothing behind


def test_a_total_that_is_not_known():
    with redirect_stderr(Terminal()) as errors, progress("translating", None) as advance:
        advance(1)
    assert "1/?" in drawn(errors.getvalue())


@pytest.mark.parametrize(("stream", "shown"), [(Terminal(), False), (io.StringIO(), True)])
def test_nothing_where_nobody_looks(stream, shown):
    with redirect_stderr(stream), progress("wait-3", 5, shown=shown) as advance:
        advance(1)
    assert stream.getvalue() == ""


def test_on_a_real_terminal(tmp_path):
    (tmp_path / "s.en").write_text("Good morning.\n" * 3)
    arguments = [*COMMAND, "translate", "s.en", "-o", "out.pt"]
    child = pexpect.spawn(
        arguments[0], arguments[1:], cwd=str(tmp_path), encoding="utf-8", timeout=TIMEOUT, dimensions=(24, 100),
        env={**os.environ, "TERM": "xterm-256color"},
    )  # fmt: skip
    child.expect("translating")
    child.expect("3/3")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert (tmp_path / "out.pt").read_text().count("\n") == 3
