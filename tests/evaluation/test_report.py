import io
import json
import math
import os
from pathlib import Path

import pytest

from streamtrans.errors import DataError, StreamtransError
from streamtrans.evaluation import report
from streamtrans.evaluation.instances import Instance, read_log, write_log
from streamtrans.evaluation.runs import Run, read_run, read_runs

KEYS = (
    "run policy wait_k options sentences BLEU chrF TER AL LAAL AP DAL YAAL ATD CW CWX StartOffset EndOffset AL_CA "
    "LAAL_CA AP_CA DAL_CA YAAL_CA ATD_CA StartOffset_CA EndOffset_CA NE SWF EFSW skipped empty degenerate signature "
    "signatures"
).split()


def instance(index, delays=(2, 3, 3, 4), reference="o gato dorme aqui", **changes):
    prediction = " ".join("o gato dorme aqui".split()[: len(delays)])
    fields = {"index": index, "source": tuple("abcd"), "source_length": 4, "prediction": prediction}
    return Instance(**(fields | {"delays": tuple(delays), "reference": reference} | changes))


def test_the_keys_of_a_run():
    scores = report.score([instance(0)], policy="wait-k", wait_k=3)
    assert list(scores.as_dict()) == KEYS
    assert scores.as_dict()["wait_k"] == 3
    assert scores.as_dict()["BLEU"] == pytest.approx(100)
    assert scores.as_dict()["AL_CA"] is None
    assert scores.as_dict()["NE"] == 0
    assert scores.as_dict()["signature"].startswith("nrefs:1|")
    assert json.loads(json.dumps(scores.as_dict(), allow_nan=False)) == scores.as_dict()


def test_infinity_and_names():
    infinite = report.score([instance(0, (4, 4))], policy="wait-k", wait_k=math.inf)
    assert infinite.as_dict()["wait_k"] == "inf"
    assert infinite.as_dict()["YAAL"] is infinite.as_dict()["SWF"] is None
    assert infinite.name == "wait-inf"
    assert report.score([instance(0)], policy="boundary").name == "boundary"
    assert report.score([instance(0)], policy="boundary", wait_k=3).name == "boundary"
    assert report.score([instance(0)], wait_k=3).name == "wait-3"
    assert report.score([instance(0)]).name == "run"


def test_a_run_is_shown_by_its_name():
    runs = [report.score([instance(0)], policy="agree", name=name) for name in ("agree", "agree-hold-1")]
    assert [run.as_dict()["run"] for run in runs] == ["agree", "agree-hold-1"]
    report.show(runs, terminal := Terminal())
    assert "agree-hold-1" in terminal.getvalue()
    assert [line.split("\t")[0] for line in report.tsv(runs).splitlines()] == ["run", "agree", "agree-hold-1"]


def test_empty_and_skipped_are_counted():
    scores = report.score([instance(0), instance(1, ()), instance(2, (4, 4))])
    assert (scores.sentences, scores.empty, scores.skipped) == (3, 1, 2)
    assert scores.values["StartOffset"] == 3
    assert scores.values["BLEU"] < 100
    nothing = report.score([instance(0, ())])
    assert (nothing.empty, nothing.skipped, nothing.values["AL"], nothing.values["NE"]) == (1, 1, None, None)


def test_without_references_there_is_latency_alone():
    scores = report.score([instance(0, reference=None)])
    assert scores.values["BLEU"] is scores.as_dict()["signature"] is None
    assert scores.values["AL"] == report.score([instance(0)]).values["AL"]
    with pytest.raises(DataError, match="1 of 2 sentences have no reference"):
        report.score([instance(0), instance(1, reference=None)])
    with pytest.raises(DataError, match="COMET needs the source"):
        report.score([instance(0, source=None)], quality=["COMET"])


def test_computation_aware_and_revising():
    scores = report.score([instance(0, elapsed=(2.5, 3.5, 4, 5), deleted=2)])
    assert scores.values["StartOffset_CA"] == 2.5
    assert scores.values["EndOffset_CA"] == 1
    assert scores.values["NE"] == 0.5


def test_saves_a_folder_from_which_the_score_can_be_computed_again(tmp_path):
    instances = [instance(0), instance(1, (1, 2))]
    scores = report.score(instances, policy="wait-k", wait_k=math.inf, tokenizer="intl")
    report.save(tmp_path / "run", instances, scores, {"model": "en-pt"}, {"sampling": 7})
    assert sorted(os.listdir(tmp_path / "run")) == ["configuration.json", "instances.log", "scores.json", "scores.tsv"]
    run = read_run(tmp_path / "run")
    assert run == Run("run", instances, "wait-k", math.inf, "intl")
    again = report.score(run.instances, policy=run.policy, wait_k=run.wait_k, tokenizer=run.tokenizer)
    assert json.loads((tmp_path / "run/scores.json").read_text()) == again.as_dict()
    record = json.loads((tmp_path / "run/configuration.json").read_text())
    assert record["configuration"] == {"model": "en-pt"}
    assert record["seeds"] == {"sampling": 7}
    assert {"python", "sacrebleu"} <= set(record["versions"])
    assert (tmp_path / "run/scores.tsv").read_text() == report.tsv([scores])


def test_nothing_half_written(tmp_path, monkeypatch):
    real = os.replace

    def full(source, target):
        if str(target).endswith("scores.tsv"):
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StreamtransError, match=r"scores\.tsv: cannot write: No space left"):
        report.save(tmp_path, [instance(0)], report.score([instance(0)]), {})
    assert sorted(os.listdir(tmp_path)) == ["configuration.json", "instances.log"]
    assert len(read_log(tmp_path / "instances.log")) == 1


def test_tsv():
    runs = [report.score([instance(0)], policy="wait-k", wait_k=k) for k in (3, math.inf)]
    header, first, second = (line.split("\t") for line in report.tsv(runs).splitlines())
    assert header == [key for key in KEYS if key not in ("options", "signatures")]
    assert len(first) == len(second) == len(header)
    assert dict(zip(header, second, strict=True))["wait_k"] == "inf"
    assert dict(zip(header, first, strict=True))["AL_CA"] == ""
    assert dict(zip(header, first, strict=True))["BLEU"] == "100.0000"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_shows_tables_on_a_terminal_and_tsv_in_a_pipe(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "60")
    runs = [report.score([instance(0), instance(1, ())], policy="wait-k", wait_k=k) for k in range(1, 7)]
    report.show(runs)
    assert capsys.readouterr().out == report.tsv(runs)
    report.show(runs, terminal := Terminal())
    shown = terminal.getvalue()
    assert all(f"wait-{k}" in shown for k in range(1, 7))
    assert "AL_CA" not in shown
    assert "skipped" in shown
    assert "tok:13a" in shown
    report.show([report.score([instance(0, (0, 4, 4, 4))])], terminal := Terminal())
    assert "degenerate" in terminal.getvalue()


def test_run_folders(tmp_path):
    for name in ("b", "a"):
        report.save(tmp_path / name, [instance(0)], report.score([instance(0)], policy=name), {})
    assert [run.policy for run in read_runs(tmp_path)] == ["a", "b"]
    assert [run.name for run in read_runs(tmp_path / "b")] == ["b"]
    assert read_runs(tmp_path / "b" / "instances.log")[0].name == "b"
    (tmp_path / "a/scores.json").unlink()
    assert read_run(tmp_path / "a") == Run("a", [instance(0)])
    with pytest.raises(DataError, match=r"no instances\.log in it; name one of its runs: a, b"):
        read_run(tmp_path)
    with pytest.raises(DataError, match="or in its sub-folders"):
        read_runs(tmp_path / "c")
    for content in ("{", "[]"):
        (tmp_path / "b/scores.json").write_text(content)
        with pytest.raises(DataError, match=r"scores\.json: "):
            read_run(tmp_path / "b")


CHINESE = {"prediction": "你好世界吗", "delays": (1, 2, 3, 4, 4), "reference": "你好世界吗", "unit": "char"}


def test_a_log_in_a_run_folder_is_scored_as_its_folder(tmp_path):
    instances = [instance(0, **CHINESE)]
    report.save(tmp_path / "zh", instances, report.score(instances, policy="agree", tokenizer="zh"), {})
    assert (
        read_run(tmp_path / "zh/instances.log")
        == read_run(tmp_path / "zh")
        == Run("zh", instances, "agree", None, "zh")
    )


def test_logs_of_one_folder_have_their_own_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.log", "b.log", "instances.log"):
        write_log(name, [instance(0)])
    assert [read_run(Path(name)).name for name in ("a.log", "b.log", "instances.log")] == [
        "a.log",
        "b.log",
        tmp_path.name,
    ]


def test_characters_are_not_scored_without_their_language(tmp_path):
    write_log(tmp_path / "a.log", [instance(0, **CHINESE)])
    run = read_run(tmp_path / "a.log")
    with pytest.raises(DataError, match="give --language zh, ja or th"):
        report.score(run.instances, tokenizer=run.tokenizer)
    assert report.score([instance(0, **(CHINESE | {"reference": None}))], tokenizer=None).values["AL"] > 0
    (run,) = read_runs(tmp_path / "a.log", language="zh-CN")
    assert run.tokenizer == "zh"
    assert report.score(run.instances, tokenizer=run.tokenizer).values["BLEU"] == pytest.approx(100)


def test_the_language_tells_the_unit_of_a_log_that_does_not(tmp_path):
    line = {"prediction": "你好", "delays": [1, 2], "source_length": 2, "reference": "你好", "elapsed": [0, 0]}
    (tmp_path / "instances.log").write_text(json.dumps(line))
    with pytest.raises(DataError, match="2 delays for a prediction of 1 word"):
        read_run(tmp_path)
    run = read_runs(tmp_path, language="th")[0]
    assert (run.instances[0].unit, run.tokenizer) == ("char", "char")
