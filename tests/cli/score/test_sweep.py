"""`streamtrans score --sweep` and `--at`: grids, the table, what is missing is run."""

import json
import shutil

import pytest
from processes import run

from streamtrans.cli.score.curves import parse_lags
from streamtrans.cli.score.sweep import GRIDS, swept
from streamtrans.cli.shared.options import PolicyChoice
from streamtrans.errors import UsageError
from streamtrans.models.loading import find_model
from streamtrans.policies import POLICIES, WaitK, description_of, short_name

SENTENCES = [
    ("Good morning, my friend.", "Bom dia, meu amigo."),
    ("We went home because it rained heavily.", "Fomos para casa porque choveu forte."),
    ("The train to Lisbon leaves at nine from platform four.", "O trem para Lisboa sai às nove da plataforma quatro."),
    ("I would like to book a table for two people.", "Eu gostaria de reservar uma mesa para duas pessoas."),
]


@pytest.fixture(scope="module")
def swept_folder(tmp_path_factory):
    """A folder with a test set and what a sweep over it has printed and saved."""
    folder = tmp_path_factory.mktemp("sweep")
    for name, lines in zip(("s.en", "r.pt"), zip(*SENTENCES, strict=True), strict=True):
        (folder / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    options = "--policy", "confident,wait-k", "--sweep", "--at", "1.5,2,40", "--save-log", "runs", "--json"
    result = run("score", "s.en", "r.pt", *options, cwd=folder)
    assert (result.returncode, result.stderr) == (0, "")
    return folder, options, json.loads(result.stdout)


def test_grids_are_settings_of_their_policies():
    for name, settings in GRIDS.items():
        policies = swept(PolicyChoice(name))[1:]
        assert len(policies) == len(settings) == len({short_name(policy) for policy in policies})
        for policy, setting in zip(policies, settings, strict=True):
            assert policy.name == name in POLICIES
            assert setting.items() <= description_of(policy).items()


def test_a_sweep_has_the_offline_run_first():
    first, *others = swept(PolicyChoice("wait-k,agree"))
    assert first == WaitK(float("inf"))
    assert [policy.name for policy in others] == ["wait-k"] * len(GRIDS["wait-k"]) + ["agree"] * len(GRIDS["agree"])


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("agree,wait", "unknown policy 'wait'; did you mean 'wait-k'"),
        ("agree,", "unknown policy ''"),
        ("retranslate", "no grid for retranslate: choose from wait-k, agree"),
        ("agree,agree", "each policy once"),
    ],
)
def test_what_cannot_be_swept(names, said):
    with pytest.raises(UsageError, match=said):
        swept(PolicyChoice(names))


def test_lags():
    assert parse_lags("2, 3.5,.5") == [2, 3.5, 0.5]
    for text in ("", "x", "-1", "2,,3", "inf", "nan", "1e3", "2;3", "."):
        with pytest.raises(UsageError, match="lags in source words"):
            parse_lags(text)
    with pytest.raises(UsageError, match="each lag once"):
        parse_lags("3,3.0")


def test_runs_and_curves_for_machines(swept_folder):
    _, _, answer = swept_folder
    assert len(answer["runs"]) == 1 + len(GRIDS["confident"]) + len(GRIDS["wait-k"])
    options = {run["run"]: run["options"] for run in answer["runs"]}
    assert options["wait-inf"]["k"] == "inf"
    assert options["confident-threshold-0.3-max-wait-3"].items() >= {"threshold": 0.3, "max_wait": 3}.items()
    curves = {curve["policy"]: curve for curve in answer["curves"]}
    assert list(curves) == ["wait-k", "confident"]
    bleu = {run["run"]: run["BLEU"] for run in answer["runs"]}
    for name, curve in curves.items():
        assert curve["system"] == "en-pt"
        assert curve["offline"]["run"] == "wait-inf"
        assert len(curve["runs"]) == len(GRIDS[name])
        lags = [point["LAAL"] for point in curve["runs"]]
        assert lags == sorted(lags)
        for point in curve["runs"]:
            assert point["BLEU"] == bleu[point["run"]]
            assert point["share"] == pytest.approx(point["BLEU"] / bleu["wait-inf"])
        assert [at["LAAL"] for at in curve["at"]] == [1.5, 2, 40]
        assert curve["at"][2]["BLEU"] is None
    compared = curves["confident"]["at"][1]["comparison"]
    assert compared["with"] == "wait-k"
    assert compared["difference"] == pytest.approx(
        curves["confident"]["at"][1]["BLEU"] - curves["wait-k"]["at"][1]["BLEU"]
    )
    assert 0 < compared["p"] <= 1
    assert "p = " in compared["text"]
    assert curves["wait-k"]["at"][1]["comparison"] is None


def test_only_missing_runs_are_made_again(swept_folder):
    folder, options, answer = swept_folder
    runs = folder / "runs"
    times = {log.parent.name: log.stat().st_mtime_ns for log in runs.glob("*/scores.json")}
    assert len(times) == len(answer["runs"])
    kept = (runs / "wait-3" / "instances.log").read_bytes()
    shutil.rmtree(runs / "wait-3")
    log = runs / "wait-5" / "instances.log"
    log.write_text("".join(log.read_text().splitlines(True)[:2]))
    result = run("score", "s.en", "r.pt", *options, "--resume", cwd=folder)
    assert json.loads(result.stdout) == answer, result.stderr
    assert (runs / "wait-3" / "instances.log").read_bytes() == kept


def test_the_table_of_logs(swept_folder):
    folder, _, answer = swept_folder
    for name in ("wait-1", "wait-3", "wait-inf"):  # as others keep theirs: a log, in a folder that says what it is
        (folder / "peer" / name).mkdir(parents=True)
        shutil.copy(folder / "runs" / name / "instances.log", folder / "peer" / name)
    shutil.copytree(folder / "peer" / "wait-1", folder / "peer" / "agree-2-hold-0")
    result = run("score", "--from-log", "runs", "--at", "1.5,2", "--overlay", "peer", "--plain", cwd=folder)
    assert (result.returncode, result.stderr) == (0, "")
    table, at, comparisons, signature = (part.splitlines() for part in result.stdout.split("\n\n"))
    assert table[0].split("\t") == ["system", "policy", "run", "BLEU", "LAAL", "of offline"]
    rows = [line.split("\t") for line in table[1:]]
    assert len(rows) == len(answer["runs"]) + 4
    assert [row[1:3] for row in rows if row[0] == "peer"] == [
        ["agree", "agree-2-hold-0"], ["wait", "wait-1"], ["wait", "wait-3"], ["offline", "wait-inf"],
    ]  # fmt: skip
    assert [row[-1] for row in rows if row[2] == "wait-inf"] == ["100.0 %", "100.0 %"]
    assert at[0].split("\t") == ["system", "BLEU at", "LAAL 1.5", "LAAL 2"]
    assert [line.split("\t")[:2] for line in at[1:]] == [
        ["runs", "confident"], ["runs", "wait-k"], ["peer", "agree"], ["peer", "wait"],
    ]  # fmt: skip
    assert [line.split(":")[0] for line in comparisons] == ["at LAAL 1.5", "at LAAL 2"]
    assert len(signature) == 1


def test_another_test_set_is_told(swept_folder):
    folder, _, _ = swept_folder
    for log in (folder / "runs").glob("wait-[13]/instances.log"):
        (folder / "short" / log.parent.name).mkdir(parents=True)
        first = log.read_text().splitlines(True)[:2]
        (folder / "short" / log.parent.name / log.name).write_text("".join(first))
    result = run("score", "--from-log", "runs", "--at", "3", "--overlay", "short", cwd=folder)
    assert result.returncode == 0
    assert result.stderr == (
        "streamtrans: warning: short has 2 sentences, not 4: curves of different tests do not compare\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sweep"], "--sweep needs --policy NAME[,NAME…] of wait-k, agree"),
        (["--policy", "agree,wait-k"], "several policies go with `score --sweep`"),
        (["--policy", "confident", "--threshold", "0.2", "--sweep"], "itself: no --threshold with it"),
        (["--policy", "wait-k", "--wait-k", "3", "--max-lag", "4", "--sweep"], "no --wait-k, --max-lag with it"),
        (["--policy", "boundry", "--sweep"], "did you mean 'boundary'"),
        (["--at", "soon"], "--at is 'soon'"),
        (["--overlay", "x"], "--overlay goes with --plot FILE, --at LAGS or --sweep"),
    ],
)
def test_errors_are_one_line(tmp_path, arguments, said):
    result = run("score", "s.en", "r.pt", *arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_logs_are_not_swept(tmp_path):
    result = run("score", "--from-log", "x", "--policy", "agree", "--sweep", cwd=tmp_path)
    assert result.returncode == 2
    assert "no --policy, --sweep with it" in result.stderr


def test_a_policy_that_the_model_cannot_have_is_told_before_any_run(tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(find_model("en-pt"), bare)
    (bare / "regret_head.safetensors").unlink()
    (tmp_path / "s").write_text("Good morning.\n")
    logs = ["--save-log", "logs", "--plain"]
    done = run("score", "s", "s", "--model", str(bare), "--policy", "wait-k,learned", "--sweep", *logs, cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert f"streamtrans models calibrate {bare} --data" in done.stderr
    assert not (tmp_path / "logs").exists()
