"""`streamtrans score`: translates a test set with one or many policies, or takes logs, and measures."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from streamtrans.cli.score.curves import AtOption, parse_lags
from streamtrans.cli.score.logs import FromLogOption, ReferenceOption, read_logs, refuse_other_options
from streamtrans.cli.score.output import Output
from streamtrans.cli.score.plot import OverlayOption, PlotOption
from streamtrans.cli.score.sweep import SweepOption, swept
from streamtrans.cli.shared.model_choice import ModelChoice, takes_model_of_lines
from streamtrans.cli.shared.options import (
    BatchSizeOption,
    JsonOption,
    LanguageOption,
    LimitOption,
    PlainOption,
    PolicyChoice,
    ResumeOption,
    SaveLogOption,
    takes_policies,
)
from streamtrans.errors import UsageError
from streamtrans.evaluation.clock import WORD_MS
from streamtrans.evaluation.quality import QUALITY
from streamtrans.evaluation.scores import Scores
from streamtrans.evaluation.tradeoff import LAGS
from streamtrans.policies import Policy, WaitK

ReferencesArgument = Annotated[
    list[Path] | None, typer.Argument(metavar="REFERENCE", help="Their translations, a file per reference.")
]
SequentialOption = Annotated[
    bool, typer.Option("--sequential", help="One sentence at a time, timed: gives computation-aware latency.")
]
WordMsOption = Annotated[
    float | None,
    typer.Option("--word-ms", metavar="W", help=f"A source word every W ms, for --sequential ({WORD_MS:g})."),
]


@takes_policies
@takes_model_of_lines
def score(
    context: typer.Context,
    *,
    choice: PolicyChoice,
    source: Annotated[Path | None, typer.Argument(metavar="SOURCE", help="Sentences to translate, one a line.")] = None,
    references: ReferencesArgument = None,
    sweep: SweepOption = False,
    model: ModelChoice,
    limit: LimitOption = None,
    batch_size: BatchSizeOption = None,
    sequential: SequentialOption = False,
    word_ms: WordMsOption = None,
    save_log: SaveLogOption = None,
    resume: ResumeOption = False,
    from_log: FromLogOption = None,
    reference: ReferenceOption = None,
    language: LanguageOption = None,
    comet: Annotated[bool, typer.Option("--comet", help="Also COMET; needs the package unbabel-comet.")] = False,
    at: AtOption = None,
    plot: PlotOption = None,
    overlay: OverlayOption = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Translate a test set and measure quality and latency, one run per value of --wait-k; or measure logs.

    \b
    Examples:
      streamtrans score test.en test.pt --wait-k 1,3,5,7,9,inf --plot curve.svg
      streamtrans score test.en test.pt --policy confident,wait-k --sweep --save-log runs
      streamtrans score --from-log runs --at 2,3 --overlay others
      streamtrans score --from-log runs --reference one.pt --reference other.pt
      streamtrans score test.en test.pt --wait-k 3 --sequential --json
      mlx.launch -n 2 -- streamtrans score test.en test.pt --wait-k 3,5
    """
    if from_log:
        refuse_other_options(context)
    else:
        _policies(choice, sweep, WaitK(1))  # before a model is loaded: is it possible at all?
    _check(bool(from_log), bool(reference), language, overlay, resume, save_log, comet)
    lags: Sequence[float] = parse_lags(at) if at else LAGS if sweep else ()
    title = from_log[0].resolve().name if from_log else model.title
    output = Output.of(title, overlay or [], language, as_json=as_json, plain=plain, lags=lags, plot=plot)
    quality = (*QUALITY, "COMET") if comet else QUALITY
    if from_log:
        scored = [(run, Scores.of(run, quality)) for run in read_logs(from_log, reference or [], language)]
    else:
        from streamtrans.cli.score.trial import Trial
        from streamtrans.cli.shared.line_run import Pacing

        files = [source, *(references or [])] if source else []
        pacing = Pacing(batch_size, sequential, _clock(word_ms, batch_size, sequential))
        trial = Trial(files, limit, model, pacing)
        policies = _policies(choice, sweep, trial.translator.default_policy)
        scored = trial.runs(policies, save_log, resume, quality, shown=not plain)
    if scored:  # else another rank has it all
        output.show(*zip(*scored, strict=True))


def _policies(choice: PolicyChoice, sweep: bool, default: Policy) -> list[Policy]:
    return swept(choice) if sweep else choice.policies(default)


def _check(
    from_log: bool,
    reference: bool,
    language: str | None,
    overlay: list[Path] | None,
    resume: bool,
    save_log: Path | None,
    comet: bool,
) -> None:
    """Complains about what cannot go together or is not there, before anything is opened."""
    if reference and not from_log:
        raise UsageError("--reference goes with --from-log; give the references of SOURCE after it")
    if language and not (from_log or overlay):
        raise UsageError("--language goes with --from-log and --overlay; a model knows its own")
    if resume and not save_log:
        raise UsageError("--resume needs --save-log DIR, the folder of the interrupted run")
    if comet and find_spec("comet") is None:
        raise UsageError("COMET is not installed: pip install unbabel-comet, or score without it")


def _clock(word_ms: float | None, batch_size: int | None, sequential: bool) -> float:
    """Milliseconds per source word; only one sentence at a time has times."""
    if word_ms is not None and not sequential:
        raise UsageError("--word-ms is the clock of --sequential; batches have no times")
    if batch_size is not None and sequential:
        raise UsageError("--batch-size is for batches; --sequential scores one sentence at a time")
    return WORD_MS if word_ms is None else word_ms
