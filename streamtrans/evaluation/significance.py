"""Is one run better than another, or was it luck? Paired bootstrap over the sentences that both translated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streamtrans.errors import DataError
from streamtrans.evaluation.instances import Instance
from streamtrans.evaluation.latency import LATENCY
from streamtrans.evaluation.quality import metric

SAMPLES = 1000
SEED = 12345
QUALITIES = ("BLEU", "chrF")
LATENCIES = ("AL", "LAAL", "AP", "DAL", "YAAL", "ATD")


@dataclass(frozen=True)
class Comparison:
    """One metric of runs A and B; p: how often chance alone gives at least this difference.

    p of a latency is two-sided. That of BLEU and chrF is sacrebleu's own, which equals a one-sided one: of pairs of
    equally good systems it calls about one in ten different at 0.05 (docs/scoring.md).
    """

    metric: str
    a: float
    b: float
    p: float
    sentences: int
    higher_is_better: bool
    unit: str = ""
    level: float = 0.05

    @property
    def significant(self) -> bool:
        """Whether p is below the level."""
        return self.p < self.level

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
        verdict = f"p = {self.p:.3f}: {'' if self.significant else 'not '}significant at {self.level:g}"
        size = abs(self.a - self.b)
        if self.a == self.b:
            return f"{a} and {b} have the same {self.metric}, {verdict}"
        if self.higher_is_better:
            return f"{a} is {size:.2f} {self.metric} {'better' if self.a > self.b else 'worse'} than {b}, {verdict}"
        amount = f"{size:.2f} {self.unit}".rstrip()
        return f"{a} is {amount} {'later' if self.a > self.b else 'earlier'} than {b} by {self.metric}, {verdict}"


def compare(
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
    result = _qualities(a, b, tokenizer, samples) if a[0].reference is not None else []
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
        if one.reference != other.reference:
            raise DataError(f"the references differ at index {one.index}: compare runs with the same references")
    if any((i.reference is None) != (a[0].reference is None) for i in a):
        raise DataError("only some sentences have a reference: give references for all of them")


def _qualities(a: Sequence[Instance], b: Sequence[Instance], tokenizer: str | None, samples: int) -> list[Comparison]:
    from sacrebleu.significance import PairedTest

    # the first system is the baseline
    systems: list[tuple[str, Sequence[str]]] = [("B", [i.prediction for i in b]), ("A", [i.prediction for i in a])]
    metrics = {name: metric(name, tokenizer) for name in QUALITIES}
    test = PairedTest(systems, metrics, [[i.reference or "" for i in a]], test_type="bs", n_samples=samples)
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
    """The paired test over the sentences that have a value in both; nothing where none has."""
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
