import random
from dataclasses import replace

import numpy as np
import pytest

from streamtrans.errors import DataError
from streamtrans.evaluation.curves import curve
from streamtrans.evaluation.quality import corpus_quality
from streamtrans.evaluation.significance import Comparison, compare_curves, compare_runs, paired_bootstrap, resampled


def by_name(comparisons):
    return {comparison.metric: comparison for comparison in comparisons}


def test_a_clear_difference_is_significant(run):
    a, b = run("a", 1, 0.1, n=60).instances, run("b", 3, 0.4, n=60).instances
    result = by_name(compare_runs(a, b, samples=200))
    assert list(result) == ["BLEU", "chrF", "AL", "LAAL", "AP", "DAL", "YAAL", "ATD"]
    assert all(comparison.significant for comparison in result.values())
    assert result["BLEU"].a > result["BLEU"].b
    assert (result["AL"].a, result["AL"].b) == (1, 3)


def test_a_run_against_itself_is_not(run):
    a = run("a", 1, 0.1).instances
    for comparison in compare_runs(a, a, samples=100):
        assert comparison.p == 1
        assert "have the same" in comparison.sentence()


def test_noise_is_not_significant():
    chance = random.Random(1)
    same = [paired_bootstrap([chance.gauss(0, 1) for _ in range(100)], seed=s) < 0.05 for s in range(100)]
    assert sum(same) < 12
    assert paired_bootstrap([chance.gauss(0.5, 1) for _ in range(100)]) < 0.01


def test_repeatable_and_symmetric(run):
    a, b = run("a", 2, 0.2).instances, run("b", 2, 0.25, seed=0).instances
    assert compare_runs(a, b, samples=100) == compare_runs(a, b, samples=100)
    swapped = by_name(compare_runs(b, a, samples=100))
    for name, comparison in by_name(compare_runs(a, b, samples=100)).items():
        assert (comparison.a, comparison.b, comparison.p) == (swapped[name].b, swapped[name].a, swapped[name].p)


def test_computation_aware_where_both_know_it(run):
    a = [replace(i, elapsed=tuple(d + 0.5 for d in i.delays)) for i in run("a", 1, 0.1).instances]
    b = [replace(i, elapsed=tuple(d + 2.5 for d in i.delays)) for i in run("b", 1, 0.1).instances]
    aware = by_name(compare_runs(a, b, samples=50))["AP_CA"]
    assert aware.a < aware.b
    assert "AP_CA" not in by_name(compare_runs(a, run("b", 1, 0.1).instances, samples=50))


def test_latency_over_the_sentences_that_have_it_in_both(run):
    a, b = run("a", 1, 0.1).instances, run("b", 3, 0.1).instances
    a[0] = replace(a[0], prediction="", delays=())
    result = by_name(compare_runs(a, b, samples=50))
    assert (result["BLEU"].sentences, result["AL"].sentences) == (40, 39)
    offline = run("offline", 10, 0.1).instances
    assert "YAAL" not in by_name(compare_runs(a, offline, samples=50))


def test_without_references_only_latency(run):
    a = run("a", 1, 0.1, reference=False).instances
    assert next(iter(by_name(compare_runs(a, a, samples=10)))) == "AL"


def test_in_words():
    better = Comparison("BLEU", 31.2, 30, 0.003, 100, True)
    assert better.sentence("ours", "theirs") == "ours is 1.20 BLEU better than theirs, p = 0.003: significant at 0.05"
    worse = Comparison("BLEU", 30, 30.1, 0.4, 100, True)
    assert worse.sentence() == "A is 0.10 BLEU worse than B, p = 0.400: not significant at 0.05"
    later = Comparison("LAAL", 4, 3.5, 0.01, 100, False, "source units")
    assert later.sentence() == "A is 0.50 source units later than B by LAAL, p = 0.010: significant at 0.05"
    assert replace(later, metric="AP", unit="", a=0.5, b=0.6).sentence().startswith("A is 0.10 earlier than B by AP,")


def test_only_runs_over_the_same_sentences_compare(run):
    a = run("a", 1, 0.1).instances
    with pytest.raises(DataError, match="40 sentences against 39"):
        compare_runs(a, a[1:])
    with pytest.raises(DataError, match="0 sentences"):
        compare_runs([], [])
    with pytest.raises(DataError, match="references differ at index 3"):
        compare_runs(a, [*a[:3], replace(a[3], reference="outra"), *a[4:]])
    with pytest.raises(DataError, match="sources differ at index 3"):
        compare_runs(a, [*a[:3], replace(a[3], source_length=11), *a[4:]])
    part = [replace(a[0], reference=None), *a[1:]]
    with pytest.raises(DataError, match="1 of 40 sentences have no reference"):
        compare_runs(part, part)


@pytest.fixture(scope="module")
def policies(run):
    """Wait-k, one that is better at every lag, and one that is the same."""
    errors = {1: 0.4, 3: 0.3, 5: 0.2}
    return {
        "wait-k": [run(f"wait-{k}", k, share) for k, share in errors.items()] + [run("offline", 10, 0.1)],
        "better": [run(f"better-{k}", k, share - 0.15) for k, share in errors.items()],
        "same": [run(f"same-{k}", k, share) for k, share in errors.items()],
    }


def test_a_resample_has_sacrebleus_scores(policies):
    chosen = np.random.default_rng(1).integers(40, size=40)
    counts = np.array([np.ones(40, int), np.bincount(chosen, minlength=40)])
    sentences = [list(range(40)), chosen.tolist()]
    for curve_on_it, indices in zip(resampled(policies["wait-k"], counts), sentences, strict=True):
        assert [point.name for point in curve_on_it.points] == ["wait-1", "wait-3", "wait-5"]
        for point, run in zip(curve_on_it.points, policies["wait-k"], strict=False):
            instances = [run.instances[index] for index in indices]
            scored = corpus_quality("BLEU", [i.prediction for i in instances], [[i.reference for i in instances]])
            assert point.quality == pytest.approx(scored.value, abs=1e-12)


def test_the_test_set_itself_gives_the_curve(policies, run):
    empty = run("wait-1", 1, 0.4)
    empty.instances[0] = replace(empty.instances[0], prediction="", delays=())
    runs = [empty, *policies["wait-k"][1:]]
    (once,) = resampled(runs, np.ones((1, 40), int))
    for point, measured in zip(once.points, curve("x", runs).points, strict=True):
        assert (point.quality, point.latency) == pytest.approx((measured.quality, measured.latency), abs=1e-12)


def test_curves_at_the_same_lag(policies):
    result = compare_curves(policies, "wait-k", [2, 4, 5.5], samples=200)
    assert list(result) == ["better", "same"]
    for comparison in result["better"][:2]:
        assert comparison.a > comparison.b
        assert (comparison.p, comparison.sentences) == (pytest.approx(2 / 201), 40)
        assert comparison.significant
    ours, waits = curve("x", policies["better"]), curve("x", policies["wait-k"])
    assert [(c.a, c.b) for c in result["better"][:2]] == [
        pytest.approx((ours.at(lag), waits.at(lag))) for lag in (2, 4)
    ]
    assert [comparison.p for comparison in result["same"][:2]] == [1, 1]
    assert result["better"][2] is result["same"][2] is None
    assert result == compare_curves(policies, "wait-k", [2, 4, 5.5], samples=200)


def test_worse_is_as_significant_as_better(policies):
    (better,) = compare_curves(policies, "wait-k", [3], samples=100)["better"]
    (worse,) = compare_curves(policies, "better", [3], samples=100)["wait-k"]
    assert (worse.a, worse.b, worse.p) == (better.b, better.a, better.p)


def test_a_lag_that_resamples_do_not_reach_is_no_evidence(run):
    def late(name, errors):  # every other sentence starts at once, so that the mean lag of a resample varies
        one, other = run(name, 1, errors), run(name, 3, errors)
        return replace(one, instances=[(one, other)[i.index % 2].instances[i.index] for i in one.instances])

    runs = {"wait-k": [late("wait-1", 0.5), run("wait-5", 5, 0.4)], "better": [late("b-1", 0), run("b-5", 5, 0)]}
    edge, inside = compare_curves(runs, "wait-k", [2.01, 4], samples=200)["better"]
    assert edge.a > edge.b
    assert edge.p > 0.5
    assert inside.p < 0.02


def test_only_curves_over_the_same_sentences_compare(policies):
    short = [replace(run, instances=run.instances[1:]) for run in policies["better"]]
    with pytest.raises(DataError, match="wait-1 and better-1: 40 sentences against 39"):
        compare_curves({"wait-k": policies["wait-k"], "short": short}, "wait-k", [3])
