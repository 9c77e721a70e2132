"""The root of the command line: which commands there are, and the one place where errors become a line and a code."""

import os
import signal
import sys
import warnings
from errno import EDQUOT, EFBIG, EIO, ENOSPC
from importlib import import_module
from typing import Annotated, Any, NoReturn, cast

import typer
import typer.core
import typer.main

from streamtrans import __version__
from streamtrans.cli.shared.stderr import say, warn
from streamtrans.cli.shared.streams import guard_streams
from streamtrans.errors import StreamtransError, StreamtransWarning

# Each command with the module of its function and its help line. A command is one file, or a folder with `command.py`,
# imported only when it is called: `streamtrans --help` must not wait for anything.
COMMANDS = {
    "live": ("live.command", "Translate what is typed or piped in, while it comes."),
    "listen": ("listen", "Translate speech: a sound file or the microphone."),
    "translate": ("translate.command", "Translate a file: a sentence per line, or captions."),
    "score": ("score.command", "Translate a test set and measure quality and latency."),
    "compare": ("compare", "Compare scored runs, with significance."),
    "inspect": ("inspect", "Show when each word was read and written."),
    "train": ("train.command", "Train a model on your own sentence pairs."),
    "distill": ("distill", "Write training pairs with a teacher's translations."),
    "serve": ("serve", "Serve live translation: a page, captions for a room, an interface."),
    "policies": ("policies", "List the policies: when to read, when to write."),
    "models": ("models.command", "List models, get Firefox's, name yours, calibrate, merge."),
    "bench": ("bench", "Measure how fast it is here, and against whom."),
    "doctor": ("doctor", "Tell what this machine computes with, and what makes it slow."),
}

# Commands that have commands of their own, each the function of its name in the module of its name.
SUBCOMMANDS = {"models": ["get", "add", "remove", "fuse", "calibrate"]}

_OUTPUT_FAILS = {
    ENOSPC: "no space left on the device",
    EDQUOT: "no space left on the device",
    EFBIG: "no file may be as large",
    EIO: "the device or terminal is gone",
}

_SETTINGS = {"help_option_names": ["-h", "--help"]}
_EXAMPLES = """\b
Examples:
  streamtrans live                        type and watch; Ctrl-D ends
  echo "How are you?" | streamtrans live  the same in a pipe
  streamtrans live --wait-k 5             stay five words behind
  streamtrans COMMAND --help              more examples
"""


class LazyCommands(typer.core.TyperGroup):
    """The commands of `COMMANDS`, each made from its module when it is asked for."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.commands: Any = dict.fromkeys(COMMANDS)  # names alone, for "did you mean"

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of help."""
        return list(self.commands)

    def get_command(self, ctx: Any, name: str) -> Any:
        """The command, imported now; None for another name."""
        if name not in COMMANDS:
            return None
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        module = import_module(f"streamtrans.cli.{COMMANDS[name][0]}")
        if name in SUBCOMMANDS:
            alone.callback(context_settings=_SETTINGS, invoke_without_command=True)(getattr(module, name))
        else:
            alone.command(name, context_settings=_SETTINGS)(getattr(module, name))
        for inner in SUBCOMMANDS.get(name, []):
            function = getattr(import_module(f"streamtrans.cli.{name}.{inner}"), inner)
            alone.command(inner, context_settings=_SETTINGS)(function)
        return typer.main.get_command(alone)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Names and help lines, without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Examples as they are written."""
        formatter.write("\n" + _EXAMPLES.removeprefix("\b\n"))


app = typer.Typer(cls=LazyCommands, rich_markup_mode=None, context_settings=_SETTINGS)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"streamtrans {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def streamtrans(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Simultaneous translation: text goes in while it comes, the translation follows a few words behind."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def main() -> NoReturn:
    """The console script `streamtrans`."""
    guard_streams()
    try:
        code = run(sys.argv[1:])
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # threads are about to end; Ctrl-C has nothing more to interrupt
    except KeyboardInterrupt:  # a second one, while the first was taken care of
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        code = 130
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Runs one command line and gives its exit code; every error meant for people is one line on standard error."""
    with warnings.catch_warnings():
        warnings.showwarning = cast(Any, _show_warning)
        return _run(arguments)


def _run(arguments: list[str]) -> int:
    try:
        command = typer.main.get_command(app)
        if "_STREAMTRANS_COMPLETE" in os.environ:
            command.main(prog_name="streamtrans")  # answers the shell and exits
        for stream in (sys.stdout, sys.stderr):
            # as the input is, whatever the locale says; a name of a file may be no UTF-8
            cast(Any, stream).reconfigure(encoding="utf-8", errors="backslashreplace")
        with command.make_context("streamtrans", arguments) as context:
            command.invoke(context)
        sys.stdout.flush()
        return 0
    except typer.Exit as end:
        return end.exit_code
    except KeyboardInterrupt:
        return 130
    except StreamtransError as error:
        return _complain(str(error), error.exit_code)
    except BrokenPipeError:
        _drop_output()
        return 141  # as if SIGPIPE had ended us, which is what a shell expects of a pipe's left side
    except OSError as error:
        if error.errno in _OUTPUT_FAILS:
            _drop_output()
            reason = _OUTPUT_FAILS[error.errno]
            return _complain(f"{error.filename or 'output'}: {reason}; what was written is kept", 1)
        if error.filename is None:
            raise
        return _complain(f"{error.filename}: {error.strerror}", 1)
    except Exception as error:
        if not hasattr(error, "format_message"):  # which errors of Click have, whether Typer carries it or imports it
            raise
        return _complain_of_usage(error)


def _show_warning(message: Warning | str, category: type[Warning], filename: str, line: int, *_: Any) -> None:
    ours = issubclass(category, StreamtransWarning)
    warn(str(message)) if ours else say(warnings.formatwarning(message, category, filename, line).rstrip())


def _complain(message: str, exit_code: int, whose: str = "streamtrans") -> int:
    say(f"{whose}: {' '.join(message.split())}")
    return exit_code


def _complain_of_usage(error: Any) -> int:
    context = getattr(error, "ctx", None)
    whose = context.command_path if context else "streamtrans"
    message = error.format_message().rstrip(".")
    return _complain(f"{message[:1].lower()}{message[1:]} (see {whose} --help)", error.exit_code, whose)


def _drop_output() -> None:
    """Standard output goes nowhere from here on, so that Python's last flush of it does not complain again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
