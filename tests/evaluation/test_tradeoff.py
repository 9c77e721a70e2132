import json
from dataclasses import replace

import pytest

from streamtrans.evaluation.curves import curves_of
from streamtrans.evaluation.tradeoff import Tradeoff


def _of(run, policy):
    return replace(run, about=replace(run.about, policy=policy))


@pytest.fixture(scope="module")
def runs(run):
    made = {
        "wait-k": [run("wait-1", 1, 0.4), run("wait-3", 3, 0.3), run("wait-inf", 10, 0.2)],
        "confident": [run("confident-1", 2, 0.2), run("confident-2", 4, 0.1)],
    }
    return [_of(r, policy) for policy, of in made.items() for r in of]


def test_the_runs_of_a_system(runs):
    columns, rows = Tradeoff.of(runs, curves_of("en-pt", runs), [2.5]).runs()
    assert columns == ["policy", "run", "BLEU", "LAAL", "of offline"]
    assert [row[:2] for row in rows] == [
        ["wait-k", "wait-1"], ["wait-k", "wait-3"],
        ["confident", "confident-1"], ["confident", "confident-2"], ["offline", "wait-inf"],
    ]  # fmt: skip
    assert [row[3] for row in rows] == ["1.00", "3.00", "2.00", "4.00", "10.00"]
    assert rows[-1][-1] == "100.0 %"
    assert float(rows[0][2]) / float(rows[-1][2]) == pytest.approx(float(rows[0][-1][:-2]) / 100, abs=1e-3)


def test_curves_at_lags_are_blank_where_they_do_not_reach(runs):
    tradeoff = Tradeoff.of(runs, curves_of("en-pt", runs), [1, 2.5, 4])
    columns, rows = tradeoff.at_lags()
    assert columns == ["BLEU at", "LAAL 1", "LAAL 2.5", "LAAL 4"]
    assert [(row[0], [bool(cell) for cell in row[1:]]) for row in rows] == [
        ("wait-k", [True, True, False]),
        ("confident", [False, True, True]),
    ]
    (line,) = tradeoff.sentences()
    assert line.startswith("at LAAL 2.5: confident is ")
    assert line.endswith("BLEU better than wait-k, p = 0.002: significant at 0.05")


def test_another_system_shares_neither_offline_run_nor_comparison(runs, run):
    others = [_of(run(f"confident-{wait}", wait, 0.3), "confident") for wait in (1, 5)]
    tradeoff = Tradeoff.of(runs, [*curves_of("ours", runs), *curves_of("theirs", others)], [3])
    columns, rows = tradeoff.runs()
    assert columns[0] == "system"
    assert [row[-1] for row in rows if row[0] == "theirs"] == ["", ""]
    answer = tradeoff.as_list()
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    assert [(curve["system"], curve["policy"], bool(curve["at"][0]["comparison"])) for curve in answer] == [
        ("ours", "wait-k", False), ("ours", "confident", True), ("theirs", "confident", False),
    ]  # fmt: skip
    assert answer[2]["offline"] is answer[2]["at"][0]["share"] is None


def test_without_wait_k_nothing_is_compared(runs):
    confident = [run for run in runs if run.about.policy == "confident"]
    assert Tradeoff.of(confident, curves_of("en-pt", confident)).comparisons == {}
    waits = [run for run in runs if run.about.policy == "wait-k"]
    assert Tradeoff.of(waits, curves_of("en-pt", waits)).sentences() == []
