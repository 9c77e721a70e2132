import io
import re

import pytest
from sentences import instance, scored

from streamtrans.evaluation import report


class Terminal(io.StringIO):
    def isatty(self):
        return True


def waits(*ks):
    return [scored(instance(0), instance(1, ()), name=f"wait-{k}", policy="wait-k", options={"k": k}) for k in ks]


def test_a_run_is_shown_by_its_name():
    runs = [scored(name=name, policy="agree") for name in ("agree", "agree-hold-1")]
    report.show(runs, terminal := Terminal())
    assert "agree-hold-1" in terminal.getvalue()
    assert [line.split("\t")[0] for line in report.tsv(runs).splitlines()] == ["run", "agree", "agree-hold-1"]


@pytest.mark.parametrize("name", ["[red]x", "[v2] k3", "[/]", ":smile:"])
def test_a_name_is_no_markup(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    report.show([scored(name=name)], terminal := Terminal())
    assert name in re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())


def test_tsv():
    runs = [scored(name=f"wait-{k}", policy="wait-k", options={"k": k}) for k in (3, "inf")]
    header, first, second = (line.split("\t") for line in report.tsv(runs).splitlines())
    assert header == [key for key in runs[0].as_dict() if key not in ("options", "signatures")]
    assert len(first) == len(second) == len(header)
    assert dict(zip(header, second, strict=True))["wait_k"] == "inf"
    assert dict(zip(header, first, strict=True))["AL_CA"] == ""
    assert dict(zip(header, first, strict=True))["BLEU"] == "100.0000"


def test_shows_tables_on_a_terminal_and_tsv_in_a_pipe(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "60")
    runs = waits(*range(1, 7))
    report.show(runs)
    assert capsys.readouterr().out == report.tsv(runs)
    report.show(runs, terminal := Terminal())
    shown = terminal.getvalue()
    assert all(f"wait-{k}" in shown for k in range(1, 7))
    assert "AL_CA" not in shown
    assert "skipped" in shown
    assert "tok:13a" in shown
    report.show([scored(instance(0, (0, 4, 4, 4)))], terminal := Terminal())
    assert "degenerate" in terminal.getvalue()
