"""Every command with standard streams that are closed: no traceback, and an exit code that tells whether it worked."""

import subprocess

import pytest
from processes import COMMAND, TIMEOUT, run

CLOSED = "streamtrans: standard output is closed; nothing can be written to it\n"


def with_closed(stream: str, *arguments: str, cwd, text: str = "") -> subprocess.CompletedProcess:
    """The finished process, one of whose streams was closed: ">&-", "2>&-" or "<&-"."""
    shell = ["sh", "-c", f'exec "$@" {stream}', "sh", *COMMAND, *arguments]
    return subprocess.run(shell, cwd=cwd, input=text, capture_output=True, text=True, timeout=TIMEOUT)


@pytest.fixture
def here(tmp_path):
    for name, line in (("s.en", "Good morning, my friend."), ("r.pt", "Bom dia, meu amigo.")):
        (tmp_path / name).write_text(line + "\n")
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["policies"],
        ["models"],
        ["doctor"],
        ["translate", "s.en"],
        ["score", "s.en", "r.pt"],
        ["live"],
        ["live", "--json"],
    ],
    ids=" ".join,
)
def test_output_that_goes_nowhere_is_an_error(here, arguments):
    done = with_closed(">&-", *arguments, cwd=here, text="Good morning.\n")
    assert (done.returncode, done.stderr) == (1, CLOSED)


def test_a_file_needs_no_standard_output(here):
    done = with_closed(">&-", "translate", "s.en", "-o", "out.pt", cwd=here)
    assert (done.returncode, done.stderr) == (0, "")
    assert (here / "out.pt").read_text() == run("translate", "s.en", cwd=here).stdout


def test_closed_errors_stop_nothing(here):
    for arguments in (["translate", "s.en"], ["score", "s.en", "r.pt", "--json"]):
        done = with_closed("2>&-", *arguments, cwd=here)
        assert (done.returncode, done.stdout) == (0, run(*arguments, cwd=here).stdout)
    done = with_closed("2>&-", "translate", "missing.en", cwd=here)
    assert (done.returncode, done.stdout) == (1, "")


def test_closed_input_is_told_where_it_is_needed(here):
    done = with_closed("<&-", "translate", "-", cwd=here)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "streamtrans: standard input is closed; name a file, or pipe text in\n"
    for arguments in (["translate", "s.en"], ["score", "s.en", "r.pt"], ["doctor"], ["models"]):
        done = with_closed("<&-", *arguments, cwd=here)
        assert (done.returncode, done.stderr) == (0, "")


def test_an_output_that_refuses_is_named(here):
    done = run("translate", "s.en", "-o", "/proc/version", cwd=here)
    assert done.returncode == 1
    assert done.stderr.startswith("streamtrans: /proc/version: ")
    assert done.stderr.count("\n") == 1
