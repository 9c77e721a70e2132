"""Measuring side by side: on a machine that others use too, only what ran in the same minute can be compared."""

import time
from collections.abc import Callable, Iterable
from math import ceil
from statistics import median
from typing import Any

PAUSE = 0.05
"""Seconds between cases: BLAS threads go on spinning for some 25 ms, and would be in the next case's way."""

Case = Callable[[], Iterable[float]]
"""Runs once and gives its samples, in milliseconds."""


def interleave(cases: dict[str, Case], rounds: int, advance: Callable[[str], None]) -> dict[str, list[float]]:
    """Samples of every case in milliseconds: each round runs all cases in turn; a first round only warms up.

    advance: called with the name of a case when it is about to run, `(rounds + 1) · len(cases)` times.
    """
    samples: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, case in cases.items():
            advance(name)
            time.sleep(PAUSE)
            found = list(case())
            if number:
                samples[name] += found
    return samples


def medians(samples: dict[str, list[float]]) -> dict[str, float | None]:
    """The median of each, None where there are no samples."""
    return {name: median(values) if values else None for name, values in samples.items()}


def slowest(values: list[float], share: float = 0.05) -> float | None:
    """The time that all but this share of the samples keep to; None without samples."""
    return sorted(values)[max(0, ceil(len(values) * (1 - share)) - 1)] if values else None


def ratio(theirs: float | None, ours: float | None) -> float | None:
    """Their time as a multiple of ours, None where one was not measured."""
    return theirs / ours if theirs is not None and ours else None


def milliseconds(action: Callable[[], Any]) -> float:
    """The time that an action takes."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000
