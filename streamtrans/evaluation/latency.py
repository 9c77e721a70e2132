"""How late a translation comes: one pure function per metric.

Common to all: delays[i - 1] = d_i, the source units read when target unit i was written (i = 1..n), never falling;
X = source_length and Y = reference_length in units (words, or characters for zh, ja, th). A function gives None where
its sentence has no value: nothing was written, or the source is empty. Called with elapsed times in place of the
delays (see clock.py), a metric is computation-aware. `LATENCY` lists all of them; `corpus` takes their means.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from streamtrans.evaluation.instances import Instance

Metric = Callable[[Sequence[float], float, int], float | None]


def _lagging(delays: Sequence[float], source_length: float, target_length: int) -> float | None:
    if not delays or source_length <= 0:
        return None
    if delays[0] > source_length:
        return delays[0]
    tau = next((i for i, delay in enumerate(delays, 1) if delay >= source_length), len(delays))
    rate = source_length / target_length
    return sum(delay - i * rate for i, delay in enumerate(delays[:tau])) / tau


def average_lagging(delays: Sequence[float], source_length: float, reference_length: int) -> float | None:
    """AL, in source units: (1/τ) Σ_{i≤τ} (d_i − (i − 1)/γ), γ = Y/X, τ the first i with d_i ≥ X, else n.

    d_1 where d_1 > X (possible for elapsed times only). Ma et al. 2019, "STACL", with the reference's length in γ as
    SimulEval has it. A hypothesis longer than its reference lowers it; bursts hide in it: see LAAL and DAL.
    """
    return _lagging(delays, source_length, reference_length)


def length_adaptive_average_lagging(
    delays: Sequence[float], source_length: float, reference_length: int
) -> float | None:
    """LAAL, in source units: AL with γ = max(n, Y)/X, so that over-generation is not rewarded.

    Papi et al. 2022, "Over-Generation Cannot Be Rewarded"; Polák et al. 2022.
    """
    return _lagging(delays, source_length, max(len(delays), reference_length))


def average_proportion(delays: Sequence[float], source_length: float, reference_length: int) -> float | None:
    """AP, no unit: Σ d_i / (X·Y). With the reference's length it can exceed 1. Cho and Esipova 2016."""
    if not delays or source_length <= 0:
        return None
    return sum(delays) / (source_length * reference_length)


def differentiable_average_lagging(
    delays: Sequence[float], source_length: float, reference_length: int
) -> float | None:
    """DAL, in source units: (1/n) Σ (g_i − (i − 1)/γ), γ = n/X, g_1 = d_1, g_i = max(d_i, g_{i−1} + 1/γ).

    Every unit takes its share of time to be said, so a burst delays what follows it. The reference plays no part.
    Cherry and Foster 2019, "Thinking Slow about Latency Evaluation"; Arivazhagan et al. 2019.
    """
    if not delays or source_length <= 0:
        return None
    rate = source_length / len(delays)
    total, spoken = 0.0, -math.inf
    for i, delay in enumerate(delays):
        spoken = max(delay, spoken + rate)
        total += spoken - i * rate
    return total / len(delays)


def yet_another_average_lagging(delays: Sequence[float], source_length: float, reference_length: int) -> float | None:
    """YAAL, in source units: mean of d_i − (i − 1)/γ over the units with d_i < X, γ = max(n, Y)/X.

    None where no unit came before the end of the source: such a sentence tells nothing of a simultaneous policy.
    Polák et al. 2025, "Better Late Than Never" (OmniSTEval).
    """
    if source_length <= 0:
        return None
    rate = source_length / max(len(delays), reference_length, 1)
    terms = [delay - i * rate for i, delay in enumerate(delays) if delay < source_length]
    return sum(terms) / len(terms) if terms else None


def average_token_delay(
    delays: Sequence[float],
    source_length: float,
    reference_length: int,
    elapsed: Sequence[float] | None = None,
) -> float | None:
    """ATD, in source units, for text (every token lasts one unit): mean of T(y_t) − T(x_s).

    T(x_s) = s; T(y_t) = max(d_t, T(y_{t−1})) + 1, with the elapsed time in place of d_t when it is given. Chunks are
    runs of equal delay; s = min(t − max(0, AccY − AccX), tokens read), AccY and AccX the target and source tokens of
    the chunks before this one. Kano et al. 2023, "Average Token Delay". Neither reference nor X play a part.
    """
    if not delays:
        return None
    total, said, chunk_start, read_before = 0.0, 0.0, 0, 0.0
    for t, delay in enumerate(delays):
        if t and delay != delays[t - 1]:
            chunk_start, read_before = t, delays[t - 1]
        said = max(delay if elapsed is None else elapsed[t], said) + 1
        total += said - min(t + 1 - max(0, chunk_start - read_before), delay)
    return total / len(delays)


def _waits(delays: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise([0, *delays]) if later > earlier]


def consecutive_wait(delays: Sequence[float], source_length: float, reference_length: int) -> float | None:
    """CW, in source units: mean length of the runs of READs before a WRITE, runs of zero left out. Gu et al. 2017."""
    waits = _waits(delays)
    return sum(waits) / len(waits) if waits else None


def longest_wait(delays: Sequence[float], source_length: float, reference_length: int) -> float | None:
    """CWX, in source units: the longest run of READs before a WRITE."""
    return max(_waits(delays), default=None)


def start_offset(delays: Sequence[float], source_length: float, reference_length: int) -> float | None:
    """StartOffset, in source units: d_1, the source read before the first unit was written."""
    return delays[0] if delays else None


def end_offset(delays: Sequence[float], source_length: float, reference_length: int) -> float | None:
    """EndOffset, in source units: d_n − X; negative when the last unit came before the source had ended."""
    return delays[-1] - source_length if delays else None


@dataclass(frozen=True)
class LatencyMetric:
    """A metric by its name in reports; `aware` says that its elapsed variant (name + "_CA") means something."""

    name: str
    function: Metric
    unit: str
    aware: bool = True

    def __call__(self, instance: Instance) -> float | None:
        """The value of one sentence."""
        return self.function(instance.delays, instance.source_length, instance.reference_length)

    def computation_aware(self, instance: Instance) -> float | None:
        """The value of one sentence with its computation; None without elapsed times."""
        elapsed = instance.elapsed
        if elapsed is None or not self.aware:
            return None
        if self.function is average_token_delay:  # chunks still follow the delays
            return average_token_delay(instance.delays, instance.source_length, instance.reference_length, elapsed)
        return self.function(elapsed, instance.source_length, instance.reference_length)


LATENCY: dict[str, LatencyMetric] = {
    metric.name: metric
    for metric in (
        LatencyMetric("AL", average_lagging, "source units"),
        LatencyMetric("LAAL", length_adaptive_average_lagging, "source units"),
        LatencyMetric("AP", average_proportion, ""),
        LatencyMetric("DAL", differentiable_average_lagging, "source units"),
        LatencyMetric("YAAL", yet_another_average_lagging, "source units"),
        LatencyMetric("ATD", average_token_delay, "source units"),
        LatencyMetric("CW", consecutive_wait, "source units", aware=False),
        LatencyMetric("CWX", longest_wait, "source units", aware=False),
        LatencyMetric("StartOffset", start_offset, "source units"),
        LatencyMetric("EndOffset", end_offset, "source units"),
    )
}


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of the values that are there, None if none is."""
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None


def corpus(instances: Sequence[Instance]) -> dict[str, float | None]:
    """Corpus values of all of `LATENCY`: means over the sentences that have one, and the "_CA" variants.

    A "_CA" value is None unless every sentence with output has elapsed times: a mean over a part misleads.
    """
    known = all(instance.elapsed is not None for instance in instances if instance.delays)
    plain = {name: mean(map(metric, instances)) for name, metric in LATENCY.items()}
    aware = {
        f"{name}_CA": mean(map(metric.computation_aware, instances)) if known else None
        for name, metric in LATENCY.items()
        if metric.aware
    }
    return plain | aware


def normalized_erasure(deleted: Sequence[int], written: Sequence[int]) -> float | None:
    """NE, no unit: deleted units / final units over the corpus, every revision counted; 0 for a policy that never
    takes anything back. Arivazhagan et al. 2020, "Re-translation versus Streaming"."""
    return sum(deleted) / sum(written) if sum(written) else None


@dataclass(frozen=True)
class Degeneracy:
    """Does YAAL describe the policy? SWF and EFSW in percent; `suspicious` when they are more than 20 apart.

    SWF: words written before the end of the source; EFSW: what one expects from the mean YAAL. A policy that writes a
    little early and the rest at the end looks fast to YAAL, and these two disagree.
    """

    swf: float
    efsw: float

    @property
    def suspicious(self) -> bool:
        """Whether |EFSW − SWF| > 20."""
        return abs(self.efsw - self.swf) > 20


def degeneracy(instances: Iterable[Instance]) -> Degeneracy | None:
    """SWF = 100·#{d < X}/Σn and EFSW = 100·Σ max(0, X − YAAL)/ΣX, over the sentences that have a YAAL.

    None if no sentence has one. Polák et al. 2025 (OmniSTEval, which takes Σn over all sentences).
    """
    early = written = 0
    expected = source = 0.0
    for instance in instances:
        yaal = LATENCY["YAAL"](instance)
        if yaal is not None:
            early += sum(delay < instance.source_length for delay in instance.delays)
            written += len(instance.delays)
            expected += max(0.0, instance.source_length - yaal)
            source += instance.source_length
    return Degeneracy(100 * early / written, 100 * expected / source) if written else None
