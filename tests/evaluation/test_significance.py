import random
from dataclasses import replace

import pytest

from streamtrans.errors import DataError
from streamtrans.evaluation.significance import Comparison, compare, paired_bootstrap


def by_name(comparisons):
    return {comparison.metric: comparison for comparison in comparisons}


def test_a_clear_difference_is_significant(run):
    a, b = run("a", 1, 0.1, n=60).instances, run("b", 3, 0.4, n=60).instances
    result = by_name(compare(a, b, samples=200))
    assert list(result) == ["BLEU", "chrF", "AL", "LAAL", "AP", "DAL", "YAAL", "ATD"]
    assert all(comparison.significant for comparison in result.values())
    assert result["BLEU"].a > result["BLEU"].b
    assert (result["AL"].a, result["AL"].b) == (1, 3)


def test_a_run_against_itself_is_not(run):
    a = run("a", 1, 0.1).instances
    for comparison in compare(a, a, samples=100):
        assert comparison.p == 1
        assert "have the same" in comparison.sentence()


def test_noise_is_not_significant():
    chance = random.Random(1)
    same = [paired_bootstrap([chance.gauss(0, 1) for _ in range(100)], seed=s) < 0.05 for s in range(100)]
    assert sum(same) < 12
    assert paired_bootstrap([chance.gauss(0.5, 1) for _ in range(100)]) < 0.01


def test_repeatable_and_symmetric(run):
    a, b = run("a", 2, 0.2).instances, run("b", 2, 0.25, seed=0).instances
    assert compare(a, b, samples=100) == compare(a, b, samples=100)
    swapped = by_name(compare(b, a, samples=100))
    for name, comparison in by_name(compare(a, b, samples=100)).items():
        assert (comparison.a, comparison.b, comparison.p) == (swapped[name].b, swapped[name].a, swapped[name].p)


def test_computation_aware_where_both_know_it(run):
    a = [replace(i, elapsed=tuple(d + 0.5 for d in i.delays)) for i in run("a", 1, 0.1).instances]
    b = [replace(i, elapsed=tuple(d + 2.5 for d in i.delays)) for i in run("b", 1, 0.1).instances]
    aware = by_name(compare(a, b, samples=50))["AP_CA"]
    assert aware.a < aware.b
    assert "AP_CA" not in by_name(compare(a, run("b", 1, 0.1).instances, samples=50))


def test_latency_over_the_sentences_that_have_it_in_both(run):
    a, b = run("a", 1, 0.1).instances, run("b", 3, 0.1).instances
    a[0] = replace(a[0], prediction="", delays=())
    result = by_name(compare(a, b, samples=50))
    assert (result["BLEU"].sentences, result["AL"].sentences) == (40, 39)
    offline = run("offline", 10, 0.1).instances
    assert "YAAL" not in by_name(compare(a, offline, samples=50))


def test_without_references_only_latency(run):
    a = run("a", 1, 0.1, reference=False).instances
    assert next(iter(by_name(compare(a, a, samples=10)))) == "AL"


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
        compare(a, a[1:])
    with pytest.raises(DataError, match="0 sentences"):
        compare([], [])
    with pytest.raises(DataError, match="references differ at index 3"):
        compare(a, [*a[:3], replace(a[3], reference="outra"), *a[4:]])
    with pytest.raises(DataError, match="sources differ at index 3"):
        compare(a, [*a[:3], replace(a[3], source_length=11), *a[4:]])
    part = [replace(a[0], reference=None), *a[1:]]
    with pytest.raises(DataError, match="only some"):
        compare(part, part)
