"""Quality against latency: a curve per policy, a point per run, with confidence bands from the bootstrap."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from streamtrans.errors import DataError, UsageError
from streamtrans.evaluation.latency import LATENCY, LatencyMetric
from streamtrans.evaluation.quality import corpus_quality, metric
from streamtrans.evaluation.runs import Run
from streamtrans.evaluation.scores import references_of

Band = tuple[float, float]


@dataclass(frozen=True)
class Point:
    """One run: its latency (source units), its quality, and their 95 % bands (None where not asked for).

    sentences: how many it was measured on, 0 where nobody says.
    """

    name: str
    latency: float
    quality: float
    latency_band: Band | None = None
    quality_band: Band | None = None
    sentences: int = 0


@dataclass(frozen=True)
class Curve:
    """A system under one policy: its simultaneous runs by rising latency.

    offline: the run that reads everything first; None where not known, or said by another curve of the system.
    name: what to call the curve.
    """

    name: str
    points: tuple[Point, ...]
    offline: Point | None = None
    quality_name: str = "BLEU"
    latency_name: str = "LAAL"
    system: str = ""
    policy: str = ""

    def at(self, latency: float) -> float | None:
        """Quality at a latency, on straight lines between the points; None outside of the measured range."""
        if not self.points or not self.points[0].latency <= latency <= self.points[-1].latency:
            return None
        for left, right in zip(self.points, self.points[1:], strict=False):
            if left.latency <= latency <= right.latency and left.latency < right.latency:
                share = (latency - left.latency) / (right.latency - left.latency)
                return left.quality + share * (right.quality - left.quality)
        return max(point.quality for point in self.points)  # all points at one latency, which is this one


def curve(
    name: str,
    runs: Sequence[Run],
    *,
    quality: str = "BLEU",
    latency: str = "LAAL",
    samples: int = 0,
    seed: int = 12345,
) -> Curve:
    """The curve of a system from its runs.

    quality: BLEU, chrF or TER; latency: a name of `LATENCY`. samples: bootstrap resamples for the bands, 0 for none;
    seed is that of the latency bands (sacrebleu takes its own from SACREBLEU_SEED, 12345 by default). A run in which
    every sentence waits for its whole source is the offline one. Raises `DataError` for a run without references or
    output, `UsageError` for an unknown latency.
    """
    if latency not in LATENCY:
        raise UsageError(f"no latency metric named {latency!r}: choose from {', '.join(LATENCY)}")
    points, offline = [], None
    for run in runs:
        point = _point(run, quality, LATENCY[latency], samples, seed)
        if is_offline(run):
            offline = point
        else:
            points.append(point)
    points.sort(key=lambda point: (point.latency, point.quality))
    return Curve(name, tuple(points), offline, quality, latency, system=name)


def curves_of(system: str, runs: Sequence[Run], **options: Any) -> list[Curve]:
    """A curve for each policy of a system, with the options of `curve`: no line joins different policies.

    They are called "system, policy" where there are several. The first has the offline run for all.
    """
    measured = [replace(curve(system, of, **options), policy=policy) for policy, of in by_policy(runs).items()]
    offline = next((curve.offline for curve in measured if curve.offline), None)
    curves = [replace(curve, offline=None) for curve in measured if curve.points] or measured[:1]
    if len(curves) > 1:
        curves = [replace(curve, name=f"{system}, {curve.policy}") for curve in curves]
    return [replace(curve, offline=offline) for curve in curves[:1]] + curves[1:]


def by_policy(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs grouped by policy; the same policy with and without --max-lag makes two groups."""
    policies: dict[str, list[Run]] = {}
    for run in runs:
        policies.setdefault(run.about.family, []).append(run)
    return policies


def is_offline(run: Run) -> bool:
    """Whether no word of it came before the end of the source."""
    return all(LATENCY["YAAL"](instance) is None for instance in run.instances)


def _point(run: Run, quality: str, latency: LatencyMetric, samples: int, seed: int) -> Point:
    lags = [lag for lag in map(latency, run.instances) if lag is not None]
    references = references_of(run.instances)
    if not lags or not references:
        raise DataError(f"{run.about.name}: needs references and at least one translation to be a point of a curve")
    predictions = [i.prediction for i in run.instances]
    tokenizer = run.about.tokenizer
    return Point(
        run.about.name,
        sum(lags) / len(lags),
        corpus_quality(quality, predictions, references, tokenizer).value,
        bootstrap_band(lags, samples, seed) if samples else None,
        _quality_band(quality, predictions, references, tokenizer, samples) if samples else None,
        len(run.instances),
    )


def bootstrap_band(values: Sequence[float], samples: int, seed: int) -> Band:
    """The middle 95 % of the means of resamples of the values."""
    import numpy as np

    array = np.asarray(values)
    chosen = np.random.default_rng(seed).integers(len(array), size=(samples, len(array)))
    low, high = np.quantile(array[chosen].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _quality_band(
    name: str, predictions: Sequence[str], references: Sequence[Sequence[str]], tokenizer: str | None, samples: int
) -> Band | None:
    scorer = metric(name, tokenizer)
    score = scorer.corpus_score(predictions, references, n_bootstrap=samples)
    # its JSON is the public way to the interval; it leaves it out for a score of 0
    fields = json.loads(score.format(is_json=True, width=6, signature=str(scorer.get_signature())))
    if "confidence_mean" not in fields:
        return None
    return fields["confidence_mean"] - fields["confidence_var"], fields["confidence_mean"] + fields["confidence_var"]
