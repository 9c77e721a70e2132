"""`streamtrans translate`: a file of sentences, a line each, to as many lines of translation."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from streamtrans.cli.shared.event_text import SegmentedWarning, json_line
from streamtrans.cli.shared.lines import Lines, count_lines, skip
from streamtrans.cli.shared.options import (
    AdapterOption,
    BatchSizeOption,
    JsonOption,
    LimitOption,
    ModelOption,
    PlainOption,
    PolicyChoice,
    ResumeOption,
    SaveLogOption,
    takes_policy,
)
from streamtrans.cli.shared.progress import progress
from streamtrans.cli.shared.recording import RunFolder, as_instance, described, model_record, policy_options
from streamtrans.engine.events import End, Event
from streamtrans.errors import UsageError
from streamtrans.evaluation.instances import Instance, write_log
from streamtrans.evaluation.report import score
from streamtrans.policies import Policy


@takes_policy
def translate(
    choice: PolicyChoice,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Sentences, one a line; - is standard input.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Write here, not to standard output.")
    ] = None,
    model: ModelOption = "en-pt",
    adapter: AdapterOption = None,
    save_log: SaveLogOption = None,
    resume: ResumeOption = False,
    limit: LimitOption = None,
    batch_size: BatchSizeOption = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Translate a file, a sentence a line, as if each sentence were heard word by word.

    The output has as many lines; empty ones stay empty. It is written as it goes: an interrupted run keeps what it has.
    Lines are read in blocks, from standard input too: use `streamtrans live` for text that is still coming. Several
    machines share the work under mlx.launch.

    \b
    Examples:
      streamtrans translate talk.en -o talk.pt
      streamtrans translate talk.en -o talk.pt --wait-k 5 --save-log runs/talk
      streamtrans translate - < talk.en > talk.pt
      mlx.launch -n 2 -- streamtrans translate talk.en -o talk.pt
    """
    from streamtrans.cli.shared.launch import Ranks
    from streamtrans.engine.batch import WINDOW, BatchEngine
    from streamtrans.engine.translator import load

    ranks = Ranks()
    _check(file, output, resume, as_json, ranks.size)
    lines = Lines(file, limit)
    translator = load(model, adapter)
    batches = BatchEngine(translator, choice.policy(translator.default_policy), batch_size)
    log = _Log(save_log, model_record(model, adapter) | {"source": str(file)}, batches.policy) if save_log else None
    done = ranks.from_leader(lambda: _resume(output, log, resume))
    engine = ranks.share(batches, WINDOW * batches.batch_size)
    shown = ranks.leads and not plain and (output is not None or not sys.stdout.isatty())
    with (
        _opened(output if ranks.leads else None, resume) as out,
        progress("translating", count_lines(file, limit), done, shown) as advance,
    ):
        warn = SegmentedWarning()
        for number, events in engine.translate(skip(lines, done)):
            warn(engine.cuts)
            out.write(_json_lines(done + number, events) if as_json else _text(events) + "\n")
            out.flush()
            if log:
                log.add(as_instance(done + number, events, translator.settings))
            advance()
    if log and ranks.leads:
        log.finish()
    if lines.error:
        raise lines.error


def _check(file: Path, output: Path | None, resume: bool, as_json: bool, ranks: int) -> None:
    """Complains about what cannot go together, before anything is opened."""
    if resume and (output is None or as_json):
        raise UsageError("--resume goes on with the lines of a file: it needs -o OUT, and does not go with --json")
    if str(file) == "-" and ranks > 1:
        raise UsageError("standard input cannot be split over several ranks; give a file that all of them can read")
    if output and output.exists() and file.exists() and output.samefile(file):
        raise UsageError(f"{output} is the input; write to another file")


def _resume(output: Path | None, log: "_Log | None", resume: bool) -> int:
    """How many lines are done, in the output and in the log; what either has beyond that is cut off."""
    logged = log.begin(resume) if log else None
    if not resume or output is None:
        return 0
    with output.open("a+b") as file:  # an output that is gone has no lines
        file.seek(0)
        whole = [line for line in file if line.endswith(b"\n")]
        done = len(whole) if logged is None else min(len(whole), logged)
        file.truncate(sum(map(len, whole[:done])))
    if log:
        log.cut(done)
    return done


@contextmanager
def _opened(output: Path | None, append: bool) -> Iterator[IO[str]]:
    """The output file, or standard output; a rank that does not lead writes nothing there."""
    if output is None:
        yield sys.stdout
        return
    with output.open("a" if append else "w", encoding="utf-8", newline="\n") as file:
        yield file


def _text(events: list[Event]) -> str:
    return events[-1].text if events else ""


def _json_lines(number: int, events: list[Event]) -> str:
    """The events of a line, its number in the file as their sentence; an empty line has its end alone."""
    events = [replace(event, sentence=number) for event in events] or [End(number, 0, "", 0, None)]
    return "".join(map(json_line, events))


class _Log:
    """The folder of a run without references."""

    def __init__(self, directory: Path, configuration: dict[str, Any], policy: Policy):
        self._folder = RunFolder(directory, configuration | policy_options(policy))
        self._policy = policy
        self._instances: list[Instance] = []

    def begin(self, resume: bool) -> int:
        """How many instances are there already."""
        self._instances = self._folder.begin(resume)
        return len(self._instances)

    def cut(self, count: int) -> None:
        """Forgets what is beyond the first instances: logged, but lost from the output, so that it comes again."""
        if count < len(self._instances):
            del self._instances[count:]
            write_log(self._folder.log, self._instances)

    def add(self, instance: Instance) -> None:
        self._instances.append(instance)
        self._folder.add(instance)

    def finish(self) -> None:
        name = self._folder.log.resolve().parent.name
        scores = score(self._instances, name=name, **described(self._policy))
        self._folder.finish(self._instances, scores)
