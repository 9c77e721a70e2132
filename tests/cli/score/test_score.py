"""`streamtrans score` as a program: runs, logs, folders, resuming, several ranks."""

import hashlib
import json
import shutil
import subprocess
import sys
import sysconfig

import processes
import pytest

from streamtrans.evaluation.run_folder import RunFolder
from streamtrans.models.loading import find_model

COMMAND = [sys.executable, "-m", "streamtrans", "score"]
LAUNCHER = shutil.which("mlx.launch", path=sysconfig.get_path("scripts")) or shutil.which("mlx.launch")
SOURCES = [
    "Good morning.",
    "I would like to book a table for two people tomorrow evening.",
    "We went home because it had begun to rain heavily in the afternoon.",
    "The train to Lisbon leaves at nine from platform four.",
    "Yes",
]
REFERENCES = [
    "Bom dia.",
    "Eu gostaria de reservar uma mesa para duas pessoas amanhã à noite.",
    "Fomos para casa porque tinha começado a chover forte à tarde.",
    "O trem para Lisboa sai às nove da plataforma quatro.",
    "Sim",
]


def score(*arguments, cwd, command=COMMAND):
    return subprocess.run([*command, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=180)


def runs_of(result):
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)["runs"]


@pytest.fixture
def here(tmp_path):
    for name, lines in (("s.en", SOURCES), ("r.pt", REFERENCES)):
        (tmp_path / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return tmp_path


def test_a_run_a_value_of_k(here):
    runs = runs_of(score("s.en", "r.pt", "--wait-k", "1,3,inf", "--json", cwd=here))
    assert [(run["policy"], run["wait_k"], run["sentences"]) for run in runs] == [
        ("wait-k", 1, 5), ("wait-k", 3, 5), ("wait-k", "inf", 5),
    ]  # fmt: skip
    assert runs[0]["AL"] < runs[1]["AL"] < runs[2]["AL"]
    for run in runs:
        assert {"BLEU", "chrF", "AL", "LAAL", "AP", "DAL", "YAAL", "ATD", "CW", "NE", "signature"} <= run.keys()
        assert run["AL_CA"] is None


def test_folders_score_again_to_the_same(here):
    runs = runs_of(score("s.en", "r.pt", "--wait-k", "1,3", "--save-log", "runs", "--json", cwd=here))
    assert sorted(path.name for path in (here / "runs").iterdir()) == ["wait-1", "wait-3"]
    assert runs_of(score("--from-log", "runs", "--json", cwd=here)) == runs
    log = here / "runs" / "wait-3" / "instances.log"
    again = runs_of(score("--from-log", log, "--reference", "s.en", "--json", cwd=here))
    assert again[0]["BLEU"] < runs[1]["BLEU"]
    configuration = json.loads((log.parent / "configuration.json").read_text())["configuration"]
    assert {"model": "en-pt", "policy": "wait-k", "k": 3, "sentences": 5}.items() <= configuration.items()


def test_one_at_a_time_has_times_and_the_same_translations(here):
    options = ("s.en", "r.pt", "--wait-k", "3", "--json", "--save-log")
    batched, timed = runs_of(score(*options, "a", cwd=here)), runs_of(score(*options, "b", "--sequential", cwd=here))
    assert timed[0]["AL_CA"] >= timed[0]["AL"]
    logs = [
        [json.loads(line) for line in (here / name / "wait-3" / "instances.log").read_text().splitlines()]
        for name in "ab"
    ]
    assert all(i["elapsed"] is None for i in logs[0])
    assert all(i["elapsed_ms"] == pytest.approx([400 * t for t in i["elapsed"]]) for i in logs[1])
    same = [[(i["prediction"], i["delays"]) for i in log] for log in logs]
    assert same[0] == same[1]
    known = {name: value for name, value in timed[0].items() if "_CA" not in name}
    assert known == {name: batched[0][name] for name in known}


def test_resuming_gives_what_one_run_gives(here):
    options = ("s.en", "r.pt", "--wait-k", "1,3", "--json", "--save-log", "runs")
    whole = runs_of(score(*options, cwd=here))
    log = here / "runs" / "wait-3" / "instances.log"
    lines = log.read_text().splitlines(True)
    log.write_text("".join(lines[:2]) + lines[2][:20])
    (log.parent / "scores.json").unlink()
    assert runs_of(score(*options, "--resume", cwd=here)) == whole
    assert log.read_text() == "".join(lines)
    (here / "s.en").write_text("Good evening.\n" + "".join(line + "\n" for line in SOURCES[1:]))
    result = score(*options, "--resume", cwd=here)
    assert result.returncode == 1
    assert "differs from s.en at sentence 1" in result.stderr
    result = score(*options, "--resume", "--limit", 2, cwd=here)
    assert result.returncode == 2
    assert "was started with sentences 5, not 2" in result.stderr


def test_an_earlier_run_leaves_nothing_that_passes_for_this_one(here):
    options = ("s.en", "r.pt", "--wait-k", "3", "--save-log", "runs", "--json")
    folder = here / "runs" / "wait-3"
    runs_of(score(*options, cwd=here))
    configuration = json.loads((folder / "configuration.json").read_text())["configuration"]
    assert len(RunFolder(folder).begin(configuration, resume=True)) == 5
    assert sorted(path.name for path in folder.iterdir()) == ["configuration.json", "instances.log"]
    runs_of(score(*options, cwd=here))
    assert RunFolder(folder).begin(configuration) == []
    assert sorted(path.name for path in folder.iterdir()) == ["configuration.json", "instances.log"]


def test_a_folder_says_what_its_scores_depend_on(here):
    options = ("s.en", "r.pt", "--wait-k", "3", "--save-log", "runs", "--json")
    runs_of(score(*options, cwd=here))
    file = here / "runs" / "wait-3" / "configuration.json"
    record = json.loads(file.read_text())
    assert record["configuration"]["reference"] == "r.pt"
    assert record["seeds"] == {"significance": 12345}
    files = [find_model("en-pt") / name for name in ("config.json", "model.safetensors", "regret_head.safetensors")]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    assert record["configuration"]["weights"] == digest
    file.write_text(file.read_text().replace(digest, "0" * 64))
    result = score(*options, "--resume", cwd=here)
    assert (result.returncode, result.stdout) == (2, "")
    assert f"was started with weights '{'0' * 64}', not '{digest}'" in result.stderr


def test_resuming_looks_at_references_as_they_are_read(here):
    (here / "r.pt").write_text("".join(line + "  \n" for line in REFERENCES))
    options = ("s.en", "r.pt", "--wait-k", "3", "--save-log", "runs", "--json")
    whole = runs_of(score(*options, cwd=here))
    assert runs_of(score(*options, "--resume", cwd=here)) == whole
    (here / "r.pt").write_text("".join(line + "\n" for line in [*REFERENCES[:4], "Claro"]))
    result = score(*options, "--resume", cwd=here)
    assert result.returncode == 1
    assert "the references of the log to resume differ from r.pt at line 5" in result.stderr


def test_unfinished_runs_are_told(here):
    options = ("s.en", "r.pt", "--wait-k", "3", "--save-log", "runs", "--json")
    runs_of(score(*options, cwd=here))
    folder = here / "runs" / "wait-3"
    lines = (folder / "instances.log").read_text().splitlines(True)
    (folder / "instances.log").write_text("".join(lines[:2]))
    for given, shown in (("runs", "runs/wait-3"), (folder, folder), (folder / "instances.log", folder)):
        result = score("--from-log", given, "--json", cwd=here)
        assert runs_of(result)[0]["sentences"] == 2
        assert result.stderr == f"streamtrans: warning: {shown} has 2 sentences of 5: --resume it\n"
    (folder / "configuration.json").unlink()
    result = score(*options, "--resume", cwd=here)
    assert (result.returncode, result.stdout) == (2, "")
    assert "has a log but no configuration.json" in result.stderr
    assert (folder / "instances.log").read_text() == "".join(lines[:2])
    assert score("--from-log", "runs", cwd=here).stderr == ""


def test_a_plot(here):
    pytest.importorskip("matplotlib")
    result = score("s.en", "r.pt", "--wait-k", "1,3,inf", "--plot", "curve.html", "--plain", cwd=here)
    assert (result.returncode, result.stderr) == (0, "")
    assert "<td>wait-3" in (here / "curve.html").read_text()


def test_an_overlay_of_the_same_name_is_a_curve_of_its_own(here):
    pytest.importorskip("matplotlib")
    for name, k in (("runs", "1,3"), ("others/runs", "2,5")):
        runs_of(score("s.en", "r.pt", "--wait-k", k, "--save-log", name, "--json", cwd=here))
    options = "--plain", "--plot", "curve.html"
    result = score("--from-log", "runs", *options, "--overlay", "others/runs", cwd=here)
    assert (result.returncode, result.stderr) == (0, "")
    html = (here / "curve.html").read_text()
    assert all(name in html for name in ("wait-1", "wait-2", "wait-3", "wait-5", str(here / "others" / "runs")))


def test_names_of_runs(here):
    options = ("s.en", "r.pt", "--wait-k", "3", "--max-lag", "4", "--save-log", "runs", "--json")
    runs = runs_of(score(*options, cwd=here))
    assert runs[0]["run"] == "wait-3-max-lag-4"
    assert runs_of(score("--from-log", "runs", "--json", cwd=here)) == runs


def test_the_language_of_logs(here):
    (here / "foreign.log").write_text(
        '{"index": 0, "prediction": "你好。", "delays": [1, 1, 2], "source": "Hello there.", "reference": "你好！"}\n'
    )
    result = score("--from-log", "foreign.log", "--language", "zh", "--json", cwd=here)
    assert "tok:zh" in runs_of(result)[0]["signature"]
    assert score("--from-log", "foreign.log", "--json", cwd=here).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["s.en"], 2, "needs SOURCE and REFERENCE"),
        (["s.en", "missing.pt"], 1, "missing.pt: No such file or directory"),
        (["s.en", "short.pt"], 1, "s.en has 5 lines, short.pt has 1; they must be parallel"),
        (["s.en", "short.pt", "--limit", "1"], 1, "s.en has 5 lines, short.pt has 1; they must be parallel"),
        (["s.en", "r.pt", "--wait-k", "1,0"], 2, "--wait-k is '0'"),
        (["s.en", "r.pt", "--from-log", "x"], 2, "--from-log scores what is translated already"),
        (["--from-log", "x", "--limit", "2"], 2, "no --limit with it"),
        (["--from-log", "x", "--policy", "wait-k", "--max-lag", "4"], 2, "no --policy, --max-lag with it"),
        (["--from-log", "x", "--sequential", "--word-ms", "300"], 2, "no --sequential, --word-ms with it"),
        (["--from-log", "x", "--batch-size", "2", "-m", "en-pt"], 2, "no --model, --batch-size with it"),
        (["--from-log", "x", "--resume"], 2, "no --resume with it"),
        (["s.en", "r.pt", "--wait-k", "3,03"], 2, "each value once"),
        (["s.en", "r.pt", "--language", "pt"], 2, "--language goes with --from-log"),
        (["s.en", "r.pt", "--comet"], 2, "COMET is not installed"),
        (["s.en", "missing.pt", "--plot", "curve.svg", "--overlay", "nowhere"], 1, "nowhere: no instances.log"),
        (["s.en", "r.pt", "--reference", "x"], 2, "--reference goes with --from-log"),
        (["s.en", "r.pt", "--resume"], 2, "--resume needs --save-log"),
        (["--from-log", "missing"], 1, "missing"),
        (["--from-log", "s.en"], 1, "s.en:1: not JSON"),
        (["s.en", "r.pt", "--word-ms", "0", "--sequential"], 2, "must be above 0"),
        (["s.en", "r.pt", "--batch-size", "4", "--sequential"], 2, "--sequential scores one sentence at a time"),
        (["s.en", "r.pt", "--plot", "curve.doc"], 2, ".svg, .png or .html"),
    ],
)
def test_errors_are_one_line(here, arguments, code, complaint):
    (here / "short.pt").write_text("Sim\n")
    result = score(*arguments, cwd=here)
    assert (result.returncode, result.stdout) == (code, "")
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1


def test_compare_tells_what_was_left_out(here):
    runs_of(score("s.en", "r.pt", "--wait-k", "1,3", "--save-log", "runs", "--json", cwd=here))
    command = [*COMMAND[:-1], "compare"]
    lines = score("runs/wait-1", "runs/wait-3", cwd=here, command=command).stdout.splitlines()
    yaal = next(line for line in lines if "by YAAL" in line)
    assert yaal.endswith("at 0.05 (2 of 5 sentences left out)")  # wait-3 reads all of the short ones
    assert not lines[0].endswith("left out)")


def test_long_sentences_warn_once_for_all_runs(here):
    for name in ("s.en", "r.pt"):
        (here / name).write_text(" ".join(["word"] * 150) + "\n")
    result = score("s.en", "r.pt", "--wait-k", "1,3", "--json", cwd=here)
    assert len(runs_of(result)) == 2
    assert result.stderr == "streamtrans: warning: a sentence was too long for the model; it is translated in parts\n"


@pytest.mark.skipif(LAUNCHER is None, reason="mlx.launch is not installed")
def test_two_ranks_score_what_one_process_scores(here):
    options = ("s.en", "r.pt", "--wait-k", "1,3", "--json", "--batch-size", "1")
    launch = [LAUNCHER, "-n", "2", "--backend", "ring", "--", *COMMAND]
    result = score(*options, "--save-log", "two", cwd=here, command=launch)
    assert runs_of(result) == runs_of(score(*options, "--save-log", "one", cwd=here))
    for run in ("wait-1", "wait-3"):
        one, two = ((here / name / run / "instances.log").read_text() for name in ("one", "two"))
        assert one == two


def test_a_clock_without_times_is_refused(here):
    result = score("s.en", "r.pt", "--word-ms", "300", cwd=here)
    assert result.returncode == 2
    assert result.stderr.startswith("streamtrans: --word-ms")


def test_standard_input_is_one_of_the_texts(here):
    text = "".join(line + "\n" for line in SOURCES)
    options = "--wait-k", "3", "--json"
    piped = processes.run("score", "-", "r.pt", *options, text=text, cwd=here)
    assert runs_of(piped) == runs_of(score("s.en", "r.pt", *options, cwd=here))
    twice = processes.run("score", "-", "-", text=text, cwd=here)
    assert (twice.returncode, twice.stdout) == (2, "")
    assert twice.stderr == "streamtrans: standard input can be read once only; name a file for the other text\n"
    empty = processes.run("score", "-", "r.pt", cwd=here)
    assert (empty.returncode, empty.stderr) == (1, "streamtrans: standard input is empty\n")
