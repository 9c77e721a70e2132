"""Is one run, or one curve, better than another, or was it luck? Paired bootstrap over the sentences of both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamtrans.errors import DataError
from streamtrans.evaluation.curves import Curve, Point, is_offline
from streamtrans.evaluation.instances import Instance
from streamtrans.evaluation.latency import LATENCY
from streamtrans.evaluation.quality import metric
from streamtrans.evaluation.runs import Run
from streamtrans.evaluation.scores import references_of

if TYPE_CHECKING:
    import numpy as np

SAMPLES = 1000
SEED = 12345
LEVEL = 0.05
QUALITIES = ("BLEU", "chrF")
LATENCIES = ("AL", "LAAL", "AP", "DAL", "YAAL", "ATD")


@dataclass(frozen=True)
class Comparison:
    """One metric of runs or curves A and B; p: how often chance alone gives at least this difference.

    p of a latency is two-sided, and so is that of curves. That of BLEU and chrF of runs is sacrebleu's own, which
    equals a one-sided one: of pairs of equally good systems it calls about one in ten different at 0.05
    (docs/scoring.md).
    """

    metric: str
    a: float
    b: float
    p: float
    sentences: int
    higher_is_better: bool
    unit: str = ""

    @property
    def significant(self) -> bool:
        """Whether p is below 0.05."""
        return self.p < LEVEL

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "metric": self.metric,
            "a": self.a,
            "b": self.b,
            "difference": self.a - self.b,
            "p": self.p,
            "significant": self.significant,
            "sentences": self.sentences,
        }

    def sentence(self, a: str = "A", b: str = "B") -> str:
        """The result in words: "A is 1.20 BLEU better than B, p = 0.003: significant at 0.05"."""
        verdict = f"p = {self.p:.3f}: {'' if self.significant else 'not '}significant at {LEVEL:g}"
        size = abs(self.a - self.b)
        if self.a == self.b:
            return f"{a} and {b} have the same {self.metric}, {verdict}"
        if self.higher_is_better:
            return f"{a} is {size:.2f} {self.metric} {'better' if self.a > self.b else 'worse'} than {b}, {verdict}"
        amount = f"{size:.2f} {self.unit}".rstrip()
        return f"{a} is {amount} {'later' if self.a > self.b else 'earlier'} than {b} by {self.metric}, {verdict}"


def compare_runs(
    a: Sequence[Instance],
    b: Sequence[Instance],
    *,
    tokenizer: str | None = "13a",
    samples: int = SAMPLES,
    seed: int = SEED,
) -> list[Comparison]:
    """BLEU and chrF by sacrebleu's own paired bootstrap, latency means by ours, computation-aware where both have it.

    seed: of the latency resamples; sacrebleu's is in SACREBLEU_SEED (12345 by default). Raises `DataError` where the
    two are not runs over the same sentences with the same references.
    """
    _check(a, b)
    result = _qualities(a, b, tokenizer, samples) if a[0].references else []
    aware = all(i.elapsed is not None for i in (*a, *b) if i.delays)
    for name in LATENCIES:
        result += _latency(name, list(map(LATENCY[name], a)), list(map(LATENCY[name], b)), samples, seed)
    for name in LATENCIES if aware else ():
        timed = LATENCY[name].computation_aware
        result += _latency(f"{name}_CA", list(map(timed, a)), list(map(timed, b)), samples, seed)
    return result


def _check(a: Sequence[Instance], b: Sequence[Instance]) -> None:
    if not a or len(a) != len(b):
        raise DataError(f"{len(a)} sentences against {len(b)}: compare runs over the same sentences")
    for one, other in zip(a, b, strict=True):
        same_source = one.source == other.source or None in (one.source, other.source)
        if one.index != other.index or not same_source or one.source_length != other.source_length:
            raise DataError(f"the sources differ at index {one.index}: compare runs over the same sentences")
        if one.references != other.references:
            raise DataError(f"the references differ at index {one.index}: compare runs with the same references")
    references_of(a)


def _qualities(a: Sequence[Instance], b: Sequence[Instance], tokenizer: str | None, samples: int) -> list[Comparison]:
    from sacrebleu.significance import PairedTest

    # the first system is the baseline
    systems: list[tuple[str, Sequence[str]]] = [("B", [i.prediction for i in b]), ("A", [i.prediction for i in a])]
    metrics = {name: metric(name, tokenizer) for name in QUALITIES}
    test = PairedTest(systems, metrics, references_of(a), test_type="bs", n_samples=samples)
    _, scores = test()
    columns: list[Any] = [column for name, column in scores.items() if name != "System"]
    result = []
    for name, (of_b, of_a) in zip(QUALITIES, columns, strict=True):
        p = 1.0 if of_a.score == of_b.score else float(of_a.p_value)  # sacrebleu has its smallest p for equal systems
        result.append(Comparison(name, float(of_a.score), float(of_b.score), p, len(a), higher_is_better=True))
    return result


def _latency(
    name: str, a: Sequence[float | None], b: Sequence[float | None], samples: int, seed: int
) -> list[Comparison]:
    """The paired test over the sentences that have a value in both; [] where none has."""
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    if not pairs:
        return []
    of_a, of_b = (sum(values) / len(pairs) for values in zip(*pairs, strict=True))
    p = paired_bootstrap([x - y for x, y in pairs], samples, seed)
    unit = LATENCY[name.removesuffix("_CA")].unit
    return [Comparison(name, of_a, of_b, p, len(pairs), higher_is_better=False, unit=unit)]


def paired_bootstrap(differences: Sequence[float], samples: int = SAMPLES, seed: int = SEED) -> float:
    """Two-sided p of the mean difference: the share of resampled means that stray from it at least as far as it is
    from 0, counted as sacrebleu does, (c + 1)/(samples + 1). Koehn 2004; Efron and Tibshirani 1993."""
    import numpy as np

    array = np.asarray(differences, dtype=float)
    chosen = np.random.default_rng(seed).integers(len(array), size=(samples, len(array)))
    strays = np.abs(array[chosen].mean(axis=1) - array.mean())
    return float((np.count_nonzero(strays >= abs(array.mean()) - 1e-12) + 1) / (samples + 1))


def compare_curves(
    runs: Mapping[str, Sequence[Run]],
    baseline: str,
    lags: Sequence[float],
    *,
    samples: int = SAMPLES,
    seed: int = SEED,
) -> dict[str, list[Comparison | None]]:
    """BLEU at each of the LAALs, read off each policy's curve and off the baseline's; None where one does not reach.

    runs: those of each policy, all over the same sentences, the baseline's among them. The sentences are resampled, and
    all curves measured and drawn again. p is two-sided, 2·(c + 1)/(samples + 1), c the resamples in which the policy
    that is ahead is not, or in which one of the curves does not reach the lag. Koehn 2004; Efron and Tibshirani 1993.
    Raises `DataError` where the runs are not over the same sentences with the same references.
    """
    import numpy as np

    first, *others = (run for of in runs.values() for run in of)
    for other in others:
        try:
            _check(first.instances, other.instances)
        except DataError as error:
            raise DataError(f"{first.about.name} and {other.about.name}: {error}") from None
    count = len(first.instances)
    resamples = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=samples)
    counts = np.vstack([np.ones(count, int), resamples])  # the first is the test set itself
    curves = {policy: resampled(of, counts) for policy, of in runs.items()}
    values = {policy: [[curve.at(lag) for curve in of] for lag in lags] for policy, of in curves.items()}
    return {
        policy: [_at_a_lag(*pair, count) for pair in zip(at, values[baseline], strict=True)]
        for policy, at in values.items()
        if policy != baseline
    }


def resampled(runs: Sequence[Run], counts: "np.ndarray") -> list[Curve]:
    """BLEU against LAAL of a policy on each resample of its sentences, offline runs left out.

    counts: (resamples, sentences), how often each sentence is in each. The n-gram counts of sentences, as sacrebleu
    takes them, add up to those of a corpus: a resample costs a sum, and no sentence is looked at twice.
    """
    points = [_resampled_points(run, counts) for run in runs if not is_offline(run)]
    by_latency = (sorted(sample, key=lambda point: point.latency) for sample in zip(*points, strict=True))
    return [Curve("", tuple(sample)) for sample in by_latency] or [Curve("", ())] * len(counts)


def _resampled_points(run: Run, counts: "np.ndarray") -> list[Point]:
    import numpy as np

    scorer = metric("BLEU", run.about.tokenizer)
    references = references_of(run.instances)
    statistics = np.array(scorer._extract_corpus_statistics([i.prediction for i in run.instances], references))
    lags = [LATENCY["LAAL"](instance) for instance in run.instances]
    known = counts @ np.array([lag is not None for lag in lags], int)
    means = counts @ np.array([lag or 0.0 for lag in lags]) / np.maximum(known, 1)  # no known one: nothing was written
    scores = map(scorer._compute_score_from_stats, (counts @ statistics).tolist())
    return [Point(run.about.name, mean, score.score) for mean, score in zip(means.tolist(), scores, strict=True)]


def _at_a_lag(a: Sequence[float | None], b: Sequence[float | None], sentences: int) -> Comparison | None:
    """Compares A with B; their first values are measured, the others come from the resamples."""
    (of_a, *_), (of_b, *_) = a, b
    if of_a is None or of_b is None:
        return None
    differences = [0.0 if x is None or y is None else x - y for x, y in zip(a[1:], b[1:], strict=True)]
    ahead = sum(difference * (of_a - of_b) > 0 for difference in differences)
    p = min(1.0, 2 * (len(differences) - ahead + 1) / (len(differences) + 1))
    return Comparison("BLEU", of_a, of_b, p, sentences, higher_is_better=True)
