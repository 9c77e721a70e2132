"""`streamtrans score`: translates a test set with one or many policies, or takes logs, and measures."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamtrans.cli.options import (
    BatchSizeOption,
    JsonOption,
    LimitOption,
    ModelOption,
    PlainOption,
    PolicyChoice,
    takes_policies,
)
from streamtrans.cli.score_logs import read_logs
from streamtrans.errors import UsageError
from streamtrans.evaluation.clock import WORD_MS
from streamtrans.evaluation.quality import QUALITY, tokenizer_of
from streamtrans.evaluation.report import Scores, show, tsv
from streamtrans.evaluation.report import score as score_of
from streamtrans.evaluation.runs import Run, read_runs

if TYPE_CHECKING:
    from streamtrans.cli.test_set import TestSet


@takes_policies
def score(
    choice: PolicyChoice,
    source: Annotated[Path | None, typer.Argument(metavar="SOURCE", help="Sentences to translate, one a line.")] = None,
    references: Annotated[Path | None, typer.Argument(metavar="REFERENCE", help="Their translations.")] = None,
    model: ModelOption = "en-pt",
    limit: LimitOption = None,
    batch_size: BatchSizeOption = None,
    sequential: Annotated[
        bool, typer.Option("--sequential", help="One sentence at a time, timed: gives computation-aware latency.")
    ] = False,
    word_ms: Annotated[
        float | None,
        typer.Option("--word-ms", metavar="W", help=f"A source word every W ms, for --sequential ({WORD_MS:g})."),
    ] = None,
    save_log: Annotated[
        Path | None, typer.Option("--save-log", metavar="DIR", help="Write a folder for each run into DIR.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the runs that DIR has.")] = False,
    from_log: Annotated[
        list[Path] | None,
        typer.Option("--from-log", metavar="FILE", help="Score a log, a run's folder, or a folder of runs."),
    ] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", metavar="FILE", help="References for --from-log, not the log's own.")
    ] = None,
    comet: Annotated[bool, typer.Option("--comet", help="Also COMET; needs the package unbabel-comet.")] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw quality against latency: .svg, .png or .html.")
    ] = None,
    overlay: Annotated[
        list[Path] | None, typer.Option("--overlay", metavar="DIR", help="A folder of other runs, for the plot.")
    ] = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Translate a test set and measure quality and latency, one run for each value of --wait-k; or measure logs.

    \b
    Examples:
      streamtrans score test.en test.pt --wait-k 1,3,5,7,9,inf --plot curve.svg
      streamtrans score --from-log runs --reference other.pt
      streamtrans score test.en test.pt --wait-k 3 --sequential --json
      mlx.launch -n 2 -- streamtrans score test.en test.pt --wait-k 3,5
    """
    _check(source, references, from_log, reference, resume, save_log)
    _check_plot(plot, overlay)
    word_ms = _clock(word_ms, sequential)
    quality = (*QUALITY, "COMET") if comet else QUALITY
    if from_log:
        runs, title = read_logs(from_log, reference), from_log[0].name
        scores = [_scores(run, quality) for run in runs]
    else:
        from streamtrans.cli.test_set import TestSet

        test_set = TestSet.of(source, references, limit, model)
        options = {"batch_size": batch_size, "word_ms": word_ms, "sequential": sequential, "shown": not plain}
        runs, scores = _run(test_set, choice, save_log, resume, quality, options)
        title = test_set.name
    if runs:  # else another rank has it all
        _report(scores, as_json, plain)
        _curves(title, runs, overlay or [], plot, shown=not (as_json or plain))


def _check(
    source: Path | None,
    references: Path | None,
    from_log: list[Path] | None,
    reference: Path | None,
    resume: bool,
    save_log: Path | None,
) -> None:
    """Complains about what cannot go together, before anything is opened."""
    if from_log and (source or references or save_log):
        raise UsageError("--from-log scores what is translated already: no SOURCE, REFERENCE or --save-log with it")
    if reference and not from_log:
        raise UsageError("--reference goes with --from-log; give the references of SOURCE after it")
    if resume and not save_log:
        raise UsageError("--resume needs --save-log DIR, the folder of the interrupted run")


def _clock(word_ms: float | None, sequential: bool) -> float:
    """Milliseconds a source word; only one sentence at a time has times."""
    if word_ms is not None and not sequential:
        raise UsageError("--word-ms is the clock of --sequential; batches have no times")
    return WORD_MS if word_ms is None else word_ms


def _check_plot(plot: Path | None, overlay: list[Path] | None) -> None:
    """Complains before the work is done, not after it."""
    if overlay and not plot:
        raise UsageError("--overlay goes with --plot FILE")
    if plot and plot.suffix not in (".svg", ".png", ".html"):
        raise UsageError(f"{plot}: a plot is .svg, .png or .html")
    if plot and find_spec("matplotlib") is None:
        raise UsageError("plots need matplotlib: pip install 'streamtrans[plot]'")


def _scores(run: Run, quality: tuple[str, ...]) -> Scores:
    return score_of(
        run.instances, quality=quality, tokenizer=run.tokenizer, policy=run.policy or run.name, wait_k=run.wait_k
    )


def _run(
    test_set: "TestSet",
    choice: PolicyChoice,
    save_log: Path | None,
    resume: bool,
    quality: tuple[str, ...],
    options: dict[str, Any],
) -> tuple[list[Run], list[Scores]]:
    """A run for each policy; none on a rank that does not lead."""
    from streamtrans.cli.recording import RunFolder, policy_options, run_name, wait_k_of

    runs, scores = [], []
    for policy in choice.policies(test_set.translator.default_policy):
        name = run_name(policy)
        folder = None
        if save_log:  # what the results depend on
            clock = {"word_ms": options["word_ms"], "sequential": options["sequential"]}
            folder = RunFolder(save_log / name, test_set.configuration() | policy_options(policy) | clock)
        instances = test_set.translate(policy, folder, resume, **options)
        if instances is None:
            continue
        tokenizer = tokenizer_of(test_set.translator.settings.target_language or "")
        run = Run(name, instances, policy.name, wait_k_of(policy), tokenizer)
        runs.append(run)
        scores.append(_scores(run, quality))
        if folder:
            folder.finish(instances, scores[-1])
    return runs, scores


def _report(scores: list[Scores], as_json: bool, plain: bool) -> None:
    if as_json:
        print(json.dumps({"runs": [run.as_dict() for run in scores]}, ensure_ascii=False, indent=2))
    elif plain:
        print(tsv(scores), end="")
    else:
        show(scores)


def _curves(title: str, runs: list[Run], overlay: list[Path], plot: Path | None, shown: bool) -> None:
    """The curve of the runs: as a file where asked for, in characters on a terminal; both need references."""
    on_terminal = shown and sys.stdout.isatty() and len(runs) > 1
    has_references = all(i.reference is not None for run in runs for i in run.instances)
    if not (plot or (on_terminal and has_references)):
        return
    from streamtrans.evaluation import curves, plots

    systems = {title: runs} | {path.resolve().name: read_runs(path) for path in overlay}
    samples = 1000 if plot else 0
    drawn = [curves.curve(name, of, samples=samples) for name, of in systems.items()]
    if plot:
        plots.plot(drawn, plot)
    if on_terminal:
        print(plots.text(drawn), end="")
