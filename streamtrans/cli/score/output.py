"""The runs of `streamtrans score` for people or machines: metrics, or curves in figures; plots."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streamtrans.cli.score.curves import show_tradeoff
from streamtrans.cli.score.plot import SAMPLES, check_plot, draw, draws_on_terminal, read_overlays, warn_of_other_tests
from streamtrans.evaluation.curves import Curve, curves_of
from streamtrans.evaluation.report import show, tsv
from streamtrans.evaluation.runs import Run
from streamtrans.evaluation.scores import Scores
from streamtrans.evaluation.tradeoff import Tradeoff


@dataclass(frozen=True)
class Output:
    """How to show the runs of the system called `title`; with lags, as curves that are compared there."""

    title: str
    as_json: bool
    plain: bool
    lags: Sequence[float]
    plot: Path | None
    overlays: list[Curve]

    @classmethod
    def of(
        cls,
        title: str,
        overlay: list[Path],
        language: str | None,
        *,
        as_json: bool,
        plain: bool,
        lags: Sequence[float],
        plot: Path | None,
    ) -> "Output":
        """With the curves of the folders in `overlay`. Raises UsageError for what cannot be shown, DataError for a
        folder that cannot be read: before the work is done, not after it."""
        check_plot(plot, overlay, lags)
        overlays = read_overlays(overlay, title, language, SAMPLES if plot else 0)
        return cls(title, as_json, plain, lags, plot, overlays)

    def show(self, runs: Sequence[Run], scores: Sequence[Scores]) -> None:
        """Print the runs, and draw them where asked for or where somebody looks."""
        warn_of_other_tests(self.overlays, len(runs[0].instances))
        on_terminal = draws_on_terminal(runs, shown=not (self.as_json or self.plain))
        curves: list[Curve] = []
        if self.plot or self.lags or on_terminal:
            curves = [*curves_of(self.title, runs, samples=SAMPLES if self.plot else 0), *self.overlays]
        self._print(scores, Tradeoff.of(runs, curves, self.lags) if self.lags else None)
        draw(curves, self.plot, on_terminal)

    def _print(self, scores: Sequence[Scores], tradeoff: Tradeoff | None) -> None:
        if self.as_json:
            answer = {"runs": [run.as_dict() for run in scores]} | ({"curves": tradeoff.as_list()} if tradeoff else {})
            print(json.dumps(answer, ensure_ascii=False, indent=2))
        elif tradeoff:
            show_tradeoff(tradeoff, scores, self.plain)
        elif self.plain:
            print(tsv(scores), end="")
        else:
            show(scores)
