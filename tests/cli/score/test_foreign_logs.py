"""`streamtrans score --from-log` of what others write, and what users call their runs."""

import json
import os
import re
import shlex
import subprocess

import pexpect
import pytest
from processes import COMMAND, TIMEOUT, run

SAID = "</s> at the end of a prediction is no word and is left out"
LINES = [
    {"index": 0, "prediction": "o gato dorme bem aqui", "delays": [1, 2, 3, 3, 3], "source": "the cat sleeps"},
    {"index": 1, "prediction": "sim", "delays": [1], "source": "yes"},
]
for line in LINES:
    line["reference"] = line["prediction"]


def write(path, *lines, prefix=""):
    text = prefix + "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines or LINES)
    path.write_text(text, encoding="utf-8")
    return path


def scores_of(*arguments, cwd, **options):
    done = run("score", "--from-log", *map(str, arguments), "--json", cwd=cwd, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["runs"][0], done.stderr


def test_several_references_count_together(tmp_path):
    sacrebleu = pytest.importorskip("sacrebleu")
    write(tmp_path / "a.log")
    references = [["um gato dorme bem aqui", "não"], ["o gato está aqui", "sim"]]
    for name, lines in zip("AB", references, strict=True):
        (tmp_path / name).write_text("".join(line + "\n" for line in lines))
    both, _ = scores_of("a.log", "--reference", "A", "--reference", "B", cwd=tmp_path)
    predictions = [line["prediction"] for line in LINES]
    assert both["BLEU"] == sacrebleu.corpus_bleu(predictions, references).score
    assert both["chrF"] == sacrebleu.corpus_chrf(predictions, references).score
    assert both["signature"].startswith("nrefs:2|")
    one, _ = scores_of("a.log", "--reference", "A", cwd=tmp_path)
    assert one["BLEU"] < both["BLEU"]
    (tmp_path / "B").write_text("sim\n")
    done = run("score", "--from-log", "a.log", "--reference", "A", "--reference", "B", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "a.log: 2 instances but 1 references" in done.stderr


def test_a_test_set_with_several_references(tmp_path):
    for name, line in (("s.en", "Good morning."), ("a.pt", "Bons dias."), ("b.pt", "Bom dia.")):
        (tmp_path / name).write_text(line + "\n")
    options = "--wait-k", "3", "--save-log", "runs", "--json"
    done = run("score", "s.en", "a.pt", "b.pt", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (scores,) = json.loads(done.stdout)["runs"]
    assert scores["signature"].startswith("nrefs:2|")
    again, _ = scores_of("runs", cwd=tmp_path)
    assert again == scores
    assert run("score", "s.en", "a.pt", "b.pt", *options, "--resume", cwd=tmp_path).stdout == done.stdout
    done = run("score", "s.en", "a.pt", *options, "--resume", cwd=tmp_path)
    assert done.returncode == 2
    assert "was started with reference ['a.pt', 'b.pt'], not 'a.pt'" in done.stderr
    assert "a.pt" not in run("inspect", "runs/wait-3", cwd=tmp_path).stdout
    assert run("inspect", "runs/wait-3", cwd=tmp_path).stdout.count("reference: ") == 2


@pytest.mark.parametrize("space", ["\u3000", "\u00a0"])
def test_simuleval_counts_every_character_but_the_space(tmp_path, space):
    line = {"index": 0, "prediction": f"你好{space} 世界", "delays": [1, 1, 1, 2, 2], "source": "Hello world"}
    scores, _ = scores_of(write(tmp_path / "a.log", line), "--language", "zh", cwd=tmp_path)
    assert scores["AL"] is not None
    same, _ = scores_of(
        write(tmp_path / "a.log", line | {"prediction": "你好啊世界"}), "--language", "zh", cwd=tmp_path
    )
    assert scores == same
    ours = line | {"delays": [1, 1, 2, 2]}  # as we count them
    assert scores_of(write(tmp_path / "a.log", ours), "--language", "zh", cwd=tmp_path)[0]["AL"] is not None


@pytest.mark.parametrize(
    ("language", "line"),
    [("pt", LINES[0]), ("zh", {"index": 0, "prediction": "你好", "delays": [1, 2], "source": "Hi there"})],
)
def test_an_end_mark_is_no_word(tmp_path, language, line):
    plain, _ = scores_of(write(tmp_path / "a.log", line), "--language", language, cwd=tmp_path)
    length = len(line["delays"]) + 1
    marked = line | {
        "prediction": line["prediction"] + (" </s>" if language == "pt" else "</s>"),
        "delays": [*line["delays"], line["delays"][-1]],
        "elapsed": [0] * length,
        "prediction_length": length,
    }
    lines = [marked | {"index": index} for index in range(3)]
    scores, said = scores_of(write(tmp_path / "a.log", *lines), "--language", language, cwd=tmp_path)
    assert said == f"streamtrans: warning: {tmp_path}/a.log: {SAID}\n"
    assert (scores["AL"], scores["LAAL"], scores["BLEU"]) == (plain["AL"], plain["LAAL"], plain["BLEU"])


def test_a_byte_order_mark_in_a_log(tmp_path):
    plain, _ = scores_of(write(tmp_path / "a.log"), cwd=tmp_path)
    assert scores_of(write(tmp_path / "a.log", prefix="\ufeff"), cwd=tmp_path) == (plain, "")


def test_a_log_from_a_pipe(tmp_path):
    log = write(tmp_path / "a.log")
    named, _ = scores_of(log, cwd=tmp_path)
    piped, _ = scores_of("/dev/stdin", cwd=tmp_path, text=log.read_text())
    assert (piped.pop("run"), named.pop("run")) == ("stdin", "a.log")
    assert piped == named
    command = f"{shlex.join(COMMAND)} score --from-log <(cat a.log) --json"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    substituted = json.loads(done.stdout)["runs"][0]
    substituted.pop("run")
    assert substituted == named


def shown_on_a_terminal(*arguments, cwd):
    """All that a command shows on a terminal of 100 columns, without its colours."""
    words = [*COMMAND, *arguments]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    child = pexpect.spawn(
        words[0], words[1:], cwd=str(cwd), env=environment, encoding="utf-8", timeout=TIMEOUT, dimensions=(50, 100)
    )
    child.expect(pexpect.EOF)
    child.close()
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", child.before)


@pytest.mark.parametrize("options", [[], ["--at", "1,2"]], ids=["metrics", "curves"])
def test_names_of_runs_are_no_markup(tmp_path, options):
    for name in ("[red]x", "[v2] k3"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        write(tmp_path / "runs" / name / "instances.log")
    shown = shown_on_a_terminal("score", "--from-log", "runs", *options, cwd=tmp_path)
    assert "[red]x" in shown
    assert "[v2] k3" in shown


def test_a_bar_with_a_name_like_markup(tmp_path):
    (tmp_path / "s.en").write_text("Good morning.\n" * 3)
    arguments = "translate", "s.en", "-o", "out.pt", "--save-log", "[bold]x"
    assert "[bold]x" in shown_on_a_terminal(*arguments, cwd=tmp_path)
