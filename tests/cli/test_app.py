import subprocess
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
from processes import COMMAND, TIMEOUT, run

from streamtrans import __version__
from streamtrans.cli import app
from streamtrans.errors import DataError, UsageError


def test_help_lists_every_command_with_its_line(capsys):
    assert app.run(["--help"]) == 0
    out = capsys.readouterr().out
    for command in ("live", "policies", "models", "doctor"):
        assert f"\n  {command} " in out
        assert app.COMMANDS[command][1] in out
    assert "Examples:" in out


def test_help_imports_nothing_heavy():
    help_of = [sys.executable, "-X", "importtime", *COMMAND[1:], "--help"]
    done = subprocess.run(help_of, capture_output=True, text=True, timeout=TIMEOUT)
    imported = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert done.returncode == 0
    assert "typer" in imported
    assert not imported & {"mlx", "numpy", "rich", "sacrebleu", "transformers", "torch", "mlx_lm", "sentencepiece"}


@pytest.mark.parametrize("command", list(app.COMMANDS))
def test_every_command_has_help_with_an_example(command, capsys):
    assert app.run([command, "--help"]) == 0
    assert f"streamtrans {command}" in capsys.readouterr().out


def test_the_version(capsys):
    assert app.run(["--version"]) == 0
    assert capsys.readouterr().out == f"streamtrans {__version__}\n"


def test_no_command_shows_help_and_is_a_usage_error(capsys):
    assert app.run([]) == 2
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["doctr"], "streamtrans: no such command 'doctr'. Did you mean 'doctor'? (see streamtrans --help)\n"),
        (["live", "--qqq"], "streamtrans live: no such option: --qqq (see streamtrans live --help)\n"),
    ],
)
def test_a_usage_error_is_one_line(arguments, said, capsys):
    assert app.run(arguments) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", said)


@pytest.fixture
def command(monkeypatch):
    """Registers a command `fake` that raises what it is given."""

    def register(error: BaseException) -> None:
        def fake() -> None:
            raise error

        module = ModuleType("streamtrans.cli.fake")
        module.fake, module.__spec__ = fake, ModuleSpec("streamtrans.cli.fake", None)
        monkeypatch.setitem(sys.modules, "streamtrans.cli.fake", module)
        monkeypatch.setitem(app.COMMANDS, "fake", ("fake", "Fails."))

    return register


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("k is 0"), 2, "streamtrans: k is 0\n"),
        (DataError("line 3:\n not UTF-8"), 1, "streamtrans: line 3: not UTF-8\n"),
        (
            FileNotFoundError(2, "No such file or directory", "a.txt"),
            1,
            "streamtrans: a.txt: No such file or directory\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_for_people_are_one_line_and_a_code(command, error, code, said, capsys):
    command(error)
    assert app.run(["fake"]) == code
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError(9, "Bad file descriptor")])
def test_bugs_keep_their_traceback(command, error):
    command(error)
    with pytest.raises(type(error)):
        app.run(["fake"])


def test_a_full_disk_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COMMAND, "policies"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
    assert done.returncode == 1
    assert done.stderr == "streamtrans: output: no space left on the device; what was written is kept\n"


@pytest.mark.parametrize("arguments", [["--help"], ["policies"]])
def test_a_closed_pipe_ends_silently(arguments):
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    _, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, err) == (141, b"")


def test_completion_knows_commands_and_policies():
    def complete(*words: str) -> list[str]:
        environment = {
            "_STREAMTRANS_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
        }
        return run(env=environment).stdout.split()

    assert "live" in complete("streamtrans", "li")
    assert {"wait-k", "boundary"} <= set(complete("streamtrans", "live", "--policy", ""))
    assert "en-pt" in complete("streamtrans", "live", "--model", "")
