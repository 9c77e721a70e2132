"""`streamtrans translate`: a file with a sentence per line, or a file of captions."""

import sys
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamtrans.captions.writing import caption_kind, require_kind
from streamtrans.cli.shared.model_choice import ModelChoice, takes_model_of_lines
from streamtrans.cli.shared.options import (
    BatchSizeOption,
    JsonOption,
    LimitOption,
    PlainOption,
    PolicyChoice,
    ResumeOption,
    SaveLogOption,
    takes_policy,
)
from streamtrans.cli.shared.subtitles import Subtitles, SubtitlesOption
from streamtrans.cli.translate.output import opened
from streamtrans.cli.translate.pace import SteadyPace
from streamtrans.cli.translate.sources import CaptionFile, Source, TextFile
from streamtrans.errors import UsageError
from streamtrans.files import refuse_input

if TYPE_CHECKING:
    from streamtrans.cli.shared.line_run import LineRun


@takes_policy
@takes_model_of_lines
def translate(
    *,
    choice: PolicyChoice,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Sentences, one a line, or .srt, .vtt; - is standard input."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Write here, not to standard output.")
    ] = None,
    model: ModelChoice,
    save_log: SaveLogOption = None,
    resume: ResumeOption = False,
    limit: LimitOption = None,
    subtitles: SubtitlesOption = None,
    batch_size: BatchSizeOption = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Translate a file, a sentence per line, as if each sentence were heard word by word.

    The output has as many lines; empty ones stay empty. It is written as it goes: an interrupted run keeps what it has.
    Lines are read in blocks, from standard input too: use `streamtrans live` for text that is still coming. Several
    machines share the work under mlx.launch. Captions are translated as sentences and cut again; OUT is .srt or .vtt.

    \b
    Examples:
      streamtrans translate talk.en -o talk.pt
      streamtrans translate talk.en -o talk.pt --wait-k 5 --save-log runs/talk
      streamtrans translate - < talk.en > talk.pt
      streamtrans translate talk.srt -o talk.pt.srt
      streamtrans translate talk.es --from es --to ru -o talk.ru
      mlx.launch -n 2 -- streamtrans translate talk.en -o talk.pt
    """
    from streamtrans.cli.shared.line_run import LineRun, Pacing
    from streamtrans.evaluation.run_folder import RunFolder
    from streamtrans.ranks import Ranks

    ranks = Ranks.launched()
    ranks.stop_together()
    _check(file, output, resume, as_json, ranks.size)
    _check_captions(file, output, subtitles, resume, as_json)
    source: Source = CaptionFile(file, output, limit) if caption_kind(file) else TextFile(file, limit, as_json)
    translator = model.load()
    policy = choice.policy(translator.default_policy)
    shown = not plain and (output is not None or not sys.stdout.isatty())
    folder, name = (RunFolder(save_log), save_log.resolve().name) if save_log else (None, "translating")
    run = LineRun(translator, policy, ranks, name, Pacing(batch_size), folder, shown)
    configuration = model.record() | {"source": str(file)} if folder else {}
    done = ranks.from_leader(lambda: _begin(run, configuration, output if resume else None))
    _translate(run, source, output, subtitles, done)
    if folder and ranks.leads:
        run.finish()
    if source.error:
        raise source.error


def _translate(run: "LineRun", source: Source, output: Path | None, subtitles: Path | None, done: int) -> None:
    """Translates what is not `done`, and writes it as it goes; rank 0 writes."""
    leads, settings, pace = run.ranks.leads, run.translator.settings, SteadyPace()
    lines, count = source.lines(settings)
    with (
        Subtitles(subtitles, settings.target_language or "") if subtitles and leads else nullcontext() as captions,
        opened(output if leads else None, append=done > 0) as write,
    ):
        try:
            for number, events in run.translate(islice(lines, done, None), done, count):
                write(source.rendered(number, events))
                if captions:
                    captions.take(pace.timed(number, events))
        finally:
            write(source.rest() if leads else "")


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


def _check_captions(file: Path, output: Path | None, subtitles: Path | None, resume: bool, as_json: bool) -> None:
    """The same, for captions that go in or out."""
    if caption_kind(file):
        for option, given in {"--resume": resume, "--json": as_json, "--subtitles": subtitles}.items():
            if given:
                raise UsageError(f"{option} does not go with a file of captions; name its translation with -o OUT")
        if output:
            require_kind(output, f"the captions of {file.name} are written as")
    elif output and caption_kind(output):
        raise UsageError(f"{file} is no file of captions; to write some, use --subtitles {output}")
    if subtitles and resume:
        raise UsageError("--subtitles writes a file anew; it does not go with --resume")
    if subtitles:
        refuse_input(subtitles, file)


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
