"""A run's folder, written and read without the command line."""

import json
import os
from pathlib import Path

import pytest
from sentences import CHINESE, instance, save, scored

from streamtrans.errors import DataError, StreamtransError, UsageError
from streamtrans.evaluation import report
from streamtrans.evaluation.instances import read_log, write_log
from streamtrans.evaluation.run_folder import RunFolder, run_folders
from streamtrans.evaluation.runs import About, Run
from streamtrans.evaluation.scores import Scores

FILES = ["configuration.json", "instances.log", "scores.json", "scores.tsv"]


def test_a_folder_from_which_the_score_can_be_computed_again(tmp_path):
    about = About("run", "wait-k", {"k": "inf"}, "intl")
    run = Run(about, [instance(0), instance(1, (1, 2))])
    scores = save(tmp_path / "run", run, {"model": "en-pt"})
    assert sorted(os.listdir(tmp_path / "run")) == FILES
    assert RunFolder(tmp_path / "run").read() == run
    assert json.loads((tmp_path / "run/scores.json").read_text()) == Scores.of(run).as_dict()
    record = json.loads((tmp_path / "run/configuration.json").read_text())
    assert record["configuration"] == {"model": "en-pt"}
    assert record["seeds"] == {"significance": 12345}
    assert {"python", "sacrebleu"} <= set(record["versions"])
    assert (tmp_path / "run/scores.tsv").read_text() == report.tsv([scores])


def test_a_run_is_resumed_where_it_stopped(tmp_path):
    folder, configuration = RunFolder(tmp_path / "run"), {"model": "en-pt", "sentences": 3}
    assert folder.begin(configuration) == []
    folder.add(instance(0), instance(1))
    with open(folder.log, "a") as log:
        log.write('{"half a l')
    assert folder.begin(configuration, resume=True) == [instance(0), instance(1)]
    assert folder.begin(configuration, resume=True, most=1) == [instance(0)]
    assert (len(read_log(folder.log)), folder.expected) == (1, 3)
    with pytest.raises(UsageError, match="was started with model 'en-pt', not 'other'"):
        folder.begin(configuration | {"model": "other"}, resume=True)
    assert folder.begin(configuration) == []
    assert os.path.getsize(folder.log) == 0
    (folder.path / "configuration.json").unlink()
    with pytest.raises(UsageError, match=r"has a log but no configuration\.json"):
        folder.begin(configuration, resume=True)


def test_nothing_half_written(tmp_path, monkeypatch):
    real = os.replace

    def full(source, target):
        if str(target).endswith("scores.tsv"):
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StreamtransError, match=r"scores\.tsv: cannot write: No space left"):
        save(tmp_path, Run(About("run"), [instance(0)]))
    assert sorted(os.listdir(tmp_path)) == ["configuration.json", "instances.log"]
    assert len(read_log(tmp_path / "instances.log")) == 1


def runs_of(path, language=None):
    return [folder.read(language) for folder in run_folders(path)]


def test_run_folders(tmp_path):
    for name in ("b", "a"):
        save(tmp_path / name, Run(About(name, policy=name), [instance(0)]))
    assert [run.about.policy for run in runs_of(tmp_path)] == ["a", "b"]
    assert [run.about.name for run in runs_of(tmp_path / "b")] == ["b"]
    assert runs_of(tmp_path / "b" / "instances.log")[0].about.name == "b"
    (tmp_path / "a/scores.json").unlink()
    assert RunFolder(tmp_path / "a").read() == Run(About("a"), [instance(0)])
    with pytest.raises(DataError, match=r"no instances\.log in it; name one of its runs: a, b"):
        RunFolder(tmp_path).read()
    with pytest.raises(DataError, match="or in its sub-folders"):
        runs_of(tmp_path / "c")
    for content in ("{", "[]"):
        (tmp_path / "b/scores.json").write_text(content)
        with pytest.raises(DataError, match=r"scores\.json: "):
            RunFolder(tmp_path / "b").read()


def test_scores_of_an_earlier_edition_say_k_without_options(tmp_path):
    save(tmp_path, Run(About("run"), [instance(0)]))
    scores = json.loads((tmp_path / "scores.json").read_text()) | {"policy": "wait-k", "wait_k": "inf", "options": {}}
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    assert RunFolder(tmp_path).read().about.options == {"k": "inf"}


def test_a_log_in_a_run_folder_is_scored_as_its_folder(tmp_path):
    run = Run(About("zh", "agree", tokenizer="zh"), [instance(0, **CHINESE)])
    save(tmp_path / "zh", run)
    assert RunFolder(tmp_path / "zh/instances.log").read() == RunFolder(tmp_path / "zh").read() == run


def test_logs_of_one_folder_have_their_own_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.log", "b.log", "instances.log"):
        write_log(name, [instance(0)])
    names = [RunFolder(Path(name)).read().about.name for name in ("a.log", "b.log", "instances.log")]
    assert names == ["a.log", "b.log", tmp_path.name]


def test_a_log_of_another_name_has_nothing_to_do_with_the_run_beside_it(tmp_path):
    save(tmp_path, Run(About("run", policy="agree"), [instance(0)]), {"sentences": 9})
    write_log(tmp_path / "other.log", [instance(0)])
    folder = RunFolder(tmp_path / "other.log")
    assert (folder.read().about.policy, folder.expected, RunFolder(tmp_path).expected) == (None, 0, 9)


def test_the_tokenizer_of_characters_comes_from_their_language(tmp_path):
    write_log(tmp_path / "a.log", [instance(0, **CHINESE)])
    assert RunFolder(tmp_path / "a.log").read().about.tokenizer is None
    (run,) = runs_of(tmp_path / "a.log", language="zh-CN")
    assert run.about.tokenizer == "zh"


def test_the_language_tells_the_unit_of_a_log_that_does_not(tmp_path):
    line = {"prediction": "你好", "delays": [1, 2], "source_length": 2, "reference": "你好", "elapsed": [0, 0]}
    (tmp_path / "instances.log").write_text(json.dumps(line))
    with pytest.raises(DataError, match="2 delays for a prediction of 1 word"):
        RunFolder(tmp_path).read()
    run = runs_of(tmp_path, language="th")[0]
    assert (run.instances[0].unit, run.about.tokenizer) == ("char", "char")


def test_several_references_are_carried_by_the_log(tmp_path):
    run = Run(About("run"), [instance(0, other_references=("um gato dorme aqui", "o gato dorme"))])
    scores = save(tmp_path, run)
    assert scores.signatures["BLEU"].startswith("nrefs:3|")
    assert RunFolder(tmp_path).read().instances == run.instances
    assert scored(*RunFolder(tmp_path).read().instances).values == scores.values


@pytest.mark.parametrize("wrong", [{"policy": 5}, {"options": [1]}, {"options": 3}, {"signature": 7}], ids=json.dumps)
def test_scores_of_another_kind_are_refused(tmp_path, wrong):
    write_log(tmp_path / "instances.log", [instance(0)])
    (tmp_path / "scores.json").write_text(json.dumps(wrong))
    (name,) = wrong
    with pytest.raises(DataError, match=rf"scores\.json: {name} is .*; remove it or score the log again"):
        RunFolder(tmp_path).read()


@pytest.mark.parametrize("resume", [False, True])
def test_a_file_is_no_folder_to_keep_a_run_in(tmp_path, resume):
    (tmp_path / "mine.txt").write_text("not to be lost\n")
    with pytest.raises(UsageError, match=r"mine\.txt is a file; give a folder to keep the run in"):
        RunFolder(tmp_path / "mine.txt").begin({}, resume)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert (tmp_path / "mine.txt").read_text() == "not to be lost\n"


def test_what_a_killed_run_left_half_written_is_cleared(tmp_path):
    for name in (".instances.log.k3x_9ab1", ".scores.json.aaaaaaaa", ".mine"):
        (tmp_path / name).write_text("half")
    RunFolder(tmp_path).begin({}, resume=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".mine", "configuration.json", "instances.log"]
