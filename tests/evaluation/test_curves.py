import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from streamtrans.errors import DataError, StreamtransError, UsageError
from streamtrans.evaluation import curves, plots
from streamtrans.evaluation.curves import Curve, Point
from streamtrans.evaluation.instances import Instance
from streamtrans.evaluation.runs import About, Run


def _of(run, policy, options=None):
    """The run as one of a policy."""
    return replace(run, about=replace(run.about, policy=policy, options=options or {}))


@pytest.fixture(scope="module")
def measured(run):
    runs = [run("wait-5", 5, 0.1), run("wait-1", 1, 0.4), run("wait-3", 3, 0.2), run("offline", 10, 0.05)]
    return curves.curve("ours", runs, samples=200), curves.curve("theirs", [run("wait-2", 2, 0.5)], samples=200)


def test_points_by_latency_and_offline_apart(measured):
    ours, theirs = measured
    assert [(p.name, p.latency) for p in ours.points] == [("wait-1", 1), ("wait-3", 3), ("wait-5", 5)]
    assert ours.offline.name == "offline"
    assert theirs.offline is None


def test_a_curve_for_each_policy(run):
    runs = [run(name, wait, 0.2) for name, wait in (("wait-1", 1), ("agree", 2), ("wait-3", 3), ("wait-inf", 10))]
    runs = [_of(r, "wait-k" if "wait" in r.about.name else r.about.name) for r in runs]
    drawn = curves.curves_of("en-pt", runs, latency="AL")
    assert [curve.name for curve in drawn] == ["en-pt, wait-k", "en-pt, agree"]
    assert [[point.name for point in curve.points] for curve in drawn] == [["wait-1", "wait-3"], ["agree"]]
    assert (drawn[0].offline.name, drawn[0].latency_name) == ("wait-inf", "AL")
    assert [curve.name for curve in curves.curves_of("en-pt", runs[1:2])] == ["en-pt"]


def test_a_bounded_policy_is_a_curve_of_its_own(run):
    runs = [_of(run(f"wait-{k}", k, 0.2), "wait-k", {"k": k, "max_lag": None}) for k in (1, 3, 10)]
    for k in (1, 3):
        runs.append(_of(run(f"wait-{k}-max-lag-4", k, 0.2), "wait-k", {"k": k, "max_lag": 4}))
    drawn = curves.curves_of("en-pt", runs)
    assert [curve.name for curve in drawn] == ["en-pt, wait-k", "en-pt, wait-k, max-lag 4"]
    assert [[point.name for point in curve.points] for curve in drawn] == [
        ["wait-1", "wait-3"], ["wait-1-max-lag-4", "wait-3-max-lag-4"],
    ]  # fmt: skip
    assert {curve.system for curve in drawn} == {"en-pt"}


def test_names_stand_for_policies_that_are_not_known(run):
    waits = {"agree-2-hold-0": 2, "agree-3": 3, "offline": 10, "wait_1": 1, "wait_3": 3, "system": 4}
    drawn = curves.curves_of("peer", [run(name, wait, 0.2) for name, wait in waits.items()])
    assert [(curve.policy, len(curve.points)) for curve in drawn] == [("agree", 2), ("wait", 2), ("system", 1)]
    assert [curve.offline and curve.offline.name for curve in drawn] == ["offline", None, None]
    (alone,) = curves.curves_of("peer", [run("offline", 10, 0.2)])
    assert (alone.name, alone.points, alone.offline.name) == ("peer", (), "offline")


def test_bands_hold_the_value(measured, run):
    for point in measured[0].points:
        low, high = point.quality_band
        assert low < point.quality < high
        assert high - low < 30
        assert point.latency_band[0] <= point.latency <= point.latency_band[1]
    assert curves.curve("x", [run("a", 1, 0.2)]).points[0].quality_band is None
    assert curves.curve("x", [run("a", 1, 1.0)], samples=20).points[0].quality_band is None
    assert curves.bootstrap_band([1, 2, 3, 4], 500, 1) == curves.bootstrap_band([1, 2, 3, 4], 500, 1)


def test_other_metrics(run):
    curve = curves.curve("x", [run("a", 3, 0.2)], quality="chrF", latency="DAL")
    assert (curve.quality_name, curve.latency_name, curve.points[0].latency) == ("chrF", "DAL", 3)


def test_interpolation():
    curve = Curve("x", (Point("a", 1, 20), Point("b", 3, 30), Point("c", 5, 28)), offline=Point("d", 9, 40))
    assert [curve.at(x) for x in (1, 2, 3, 4, 5)] == [20, 25, 30, 29, 28]
    assert curve.at(0.99) is curve.at(5.01) is Curve("none", ()).at(1) is None
    assert Curve("one", (Point("a", 2, 20), Point("b", 2, 30))).at(2) == 30


def test_what_cannot_be_a_point(run):
    with pytest.raises(UsageError, match="no latency metric named 'lag'"):
        curves.curve("x", [], latency="lag")
    with pytest.raises(DataError, match="wait-1: needs references"):
        curves.curve("x", [run("wait-1", 1, 0.2, reference=False)])
    with pytest.raises(DataError, match="at least one translation"):
        curves.curve("x", [Run(About("wait-1"), [Instance(0, None, 3, "", (), "a")])])


def test_plots_are_the_same_bytes_every_time(measured, tmp_path):
    pytest.importorskip("matplotlib")
    for suffix in ("svg", "png", "html"):
        first, second = tmp_path / f"a.{suffix}", tmp_path / "new" / f"b.{suffix}"
        plots.plot(measured, first, "FLORES")
        plots.plot(measured, second, "FLORES")
        assert first.read_bytes() == second.read_bytes()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    image = (tmp_path / "a.svg").read_text()
    ET.fromstring(image)
    for text in ("FLORES", "ours", "theirs", "ours, offline", "LAAL (source units)", "BLEU"):
        assert f">{text}<" in image
    page = (tmp_path / "a.html").read_text()
    assert "<svg" in page
    assert "<td>wait-3" in page
    assert "<td>theirs<td>wait-2<td>2.00" in page
    assert "src=" not in page


def test_names_are_text_in_a_page(measured):
    pytest.importorskip("matplotlib")
    assert "<b>" not in plots.page([Curve("<b>", (Point("<b>", 1, 2),))], "<b>")


def test_names_with_dollars_are_no_formulas():
    pytest.importorskip("matplotlib")
    image = plots.curves_svg([Curve("$a$ b", (Point("x", 1, 20),))], "$\\frac$")
    assert ">$a$ b<" in image
    assert ">$\\frac$<" in image


def test_points_are_labelled_with_what_differs_and_only_where_that_is_short():
    pytest.importorskip("matplotlib")
    waits = Curve("ours", tuple(Point(f"wait-{k}-words", k, 20 + k) for k in (1, 3, 10)))
    learned = Curve("theirs", tuple(Point(f"learned-threshold-0.{n}-max-wait-3", n, 20 + n) for n in (2, 5)))
    image = plots.curves_svg([waits, learned, Curve("one", (Point("wait-7", 7, 20),))])
    for label in ("1-words", "3-words", "10-words", "wait-7"):  # a digit alone could be an axis's
        assert f">{label}<" in image
    assert "threshold" not in image


def test_plots_that_cannot_be(measured, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"a plot is \.svg, \.png or \.html"):
        plots.plot(measured, tmp_path / "a.pdf")
    with pytest.raises(UsageError, match="no runs"):
        plots.plot([Curve("none", ())], tmp_path / "a.svg")
    with pytest.raises(UsageError, match="no runs"):
        plots.text([])
    (tmp_path / "file").write_text("")
    for name in ("a.png", "a.svg"):
        with pytest.raises(StreamtransError, match="cannot write"):
            plots.plot(measured, tmp_path / "file" / name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match="plots need matplotlib: pip install matplotlib"):
        plots.plot(measured, tmp_path / "a.svg")


def test_terminal_plot(measured):
    lines = plots.text(measured, width=60, height=12).splitlines()
    assert max(map(len, lines)) <= 60
    body = "".join(line[9:] for line in lines[:12])
    assert (body.count("o"), body.count("x")) == (3, 1)
    assert "-" in body
    assert lines[-2].endswith("o ours   - - offline " + f"{measured[0].offline.quality:.2f}")
    assert lines[-1].endswith("x theirs")
    assert "LAAL" in lines[-3]
    only_offline = Curve("x", (), offline=Point("offline", 20, 40))
    assert "offline 40.00" in plots.text([only_offline])
