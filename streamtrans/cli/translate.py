"""`streamtrans translate`: a file with a sentence per line, translated line by line."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamtrans.cli.shared.event_text import json_line
from streamtrans.cli.shared.options import (
    AdapterOption,
    BatchSizeOption,
    CarryOption,
    FromOption,
    JsonOption,
    LimitOption,
    ModelChoiceOption,
    PlainOption,
    PolicyChoice,
    ResumeOption,
    SaveLogOption,
    ToOption,
    takes_policy,
)
from streamtrans.engine.events import End, Event
from streamtrans.errors import UsageError
from streamtrans.files import Lines, count_lines, refuse_input
from streamtrans.models.routes import find_route

if TYPE_CHECKING:
    from streamtrans.cli.shared.line_run import LineRun


@takes_policy
def translate(
    choice: PolicyChoice,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Sentences, one a line; - is standard input.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Write here, not to standard output.")
    ] = None,
    model: ModelChoiceOption = None,
    source_language: FromOption = None,
    target_language: ToOption = None,
    adapter: AdapterOption = None,
    save_log: SaveLogOption = None,
    resume: ResumeOption = False,
    limit: LimitOption = None,
    carry: CarryOption = True,
    batch_size: BatchSizeOption = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Translate a file, a sentence per line, as if each sentence were heard word by word.

    The output has as many lines; empty ones stay empty. It is written as it goes: an interrupted run keeps what it has.
    Lines are read in blocks, from standard input too: use `streamtrans live` for text that is still coming. Several
    machines share the work under mlx.launch.

    \b
    Examples:
      streamtrans translate talk.en -o talk.pt
      streamtrans translate talk.en -o talk.pt --wait-k 5 --save-log runs/talk
      streamtrans translate - < talk.en > talk.pt
      streamtrans translate talk.es --from es --to ru -o talk.ru
      mlx.launch -n 2 -- streamtrans translate talk.en -o talk.pt
    """
    from streamtrans.cli.shared.line_run import LineRun, Pacing
    from streamtrans.cli.shared.recording import model_record
    from streamtrans.engine.chain import load_route
    from streamtrans.evaluation.run_folder import RunFolder
    from streamtrans.ranks import Ranks

    ranks = Ranks.launched()
    ranks.stop_together()
    _check(file, output, resume, as_json, ranks.size)
    lines = Lines(file, limit)
    route = find_route(model, adapter, source_language, target_language)
    translator = load_route(route, adapter, carry)
    policy = choice.policy(translator.default_policy)
    shown = not plain and (output is not None or not sys.stdout.isatty())
    folder = RunFolder(save_log) if save_log else None
    name = save_log.resolve().name if save_log else "translating"
    run = LineRun(translator, policy, ranks, name, Pacing(batch_size), folder, shown)
    configuration = model_record(route, adapter) | {"source": str(file), "carry": carry} if folder else {}
    done = ranks.from_leader(lambda: _begin(run, configuration, output if resume else None))
    with _opened(output if ranks.leads else None, resume) as write:
        for number, events in run.translate(islice(iter(lines), done, None), done, count_lines(file, limit)):
            write(_json_lines(number, events) if as_json else _text(events) + "\n")
    if folder and ranks.leads:
        run.finish()
    if lines.error:
        raise lines.error


def _check(file: Path, output: Path | None, resume: bool, as_json: bool, ranks: int) -> None:
    """Complains about what cannot go together, before anything is opened."""
    if resume and (output is None or as_json):
        raise UsageError("--resume goes on with the lines of a file: it needs -o OUT, and does not go with --json")
    if resume and output and output.exists() and not output.is_file():
        raise UsageError(f"{output} is not a file; --resume goes on with the lines of one")
    if str(file) == "-" and ranks > 1:
        raise UsageError("standard input cannot be split over several ranks; give a file that all of them can read")
    if output:
        refuse_input(output, file)


def _begin(run: "LineRun", configuration: dict[str, Any], resumed: Path | None) -> int:
    """Starts the run, or resumes it; gives the number of lines that are done in the output and in the log.

    resumed: the output to go on with. Whatever it or the log has beyond those lines is cut off, and its last line too:
    the input may have held only half of that one then. Raises UsageError where that would be all of the output, since
    the log has nothing of it.
    """
    if resumed is None:
        return run.begin(configuration, resume=False)
    with resumed.open("a+b") as file:  # an output that is gone has no lines
        file.seek(0)
        whole = [line for line in file if line.endswith(b"\n")]
        if whole and run.folder and not run.folder.log.exists():
            raise UsageError(
                f"{run.folder.path} has no log of the lines in {resumed}: resume without --save-log, or run without "
                "--resume to write both anew"
            )
        most = max(0, len(whole) - 1)
        done = run.begin(configuration, resume=True, most=most) if run.folder else most
        file.truncate(sum(map(len, whole[:done])))
    return done


@contextmanager
def _opened(output: Path | None, append: bool) -> Iterator[Callable[[str], None]]:
    """Yields the function that writes to the output file, or to standard output; an OSError of it names the file."""
    if output is None:
        yield _write_to_standard_output
        return
    file = output.open("a" if append else "w", encoding="utf-8", newline="\n")

    def write(text: str) -> None:
        with _named(output):
            file.write(text)
            file.flush()

    try:
        yield write
    finally:
        with _named(output):  # what could not be written is tried again
            file.close()


@contextmanager
def _named(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        error.filename = str(file)
        raise


def _write_to_standard_output(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _text(events: list[Event]) -> str:
    return events[-1].text if events else ""


def _json_lines(number: int, events: list[Event]) -> str:
    """The events of a line with its number in the file as their sentence; an empty line has its end alone."""
    events = [replace(event, sentence=number) for event in events] or [End(number, 0, "", 0, None)]
    return "".join(map(json_line, events))
