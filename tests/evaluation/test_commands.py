"""`streamtrans compare` and `streamtrans inspect`, registered as the root application registers them."""

import json

import pytest
import typer
from sentences import save
from typer.testing import CliRunner

from streamtrans.cli.compare import compare
from streamtrans.cli.inspect import inspect
from streamtrans.errors import DataError, UsageError
from streamtrans.evaluation.runs import About, Run

app = typer.Typer()
app.command()(compare)
app.command()(inspect)


def call(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def folders(tmp_path, run):
    for name, wait, errors in (("wait-1", 1, 0.4), ("wait-3", 3, 0.1)):
        save(tmp_path / name, Run(About(name, options={"k": wait}), run(name, wait, errors).instances))
    return tmp_path / "wait-1", tmp_path / "wait-3"


def test_compare_in_words(folders):
    lines = call("compare", *folders).splitlines()
    assert len(lines) == 8
    assert lines[0].startswith("wait-1 is ")
    assert " BLEU worse than wait-3, p = 0.001: significant at 0.05" in lines[0]
    assert "wait-1 is 2.00 source units earlier than wait-3 by LAAL, p = 0.001: significant at 0.05" in lines


def test_compare_as_json(folders):
    answer = json.loads(call("compare", *folders, "--json"))
    assert (answer["a"], answer["b"], answer["samples"], answer["seed"]) == ("wait-1", "wait-3", 1000, 12345)
    laal = next(row for row in answer["comparisons"] if row["metric"] == "LAAL")
    assert (laal["a"], laal["b"], laal["difference"], laal["significant"], laal["sentences"]) == (1, 3, -2, True, 40)
    assert laal["text"].startswith("wait-1 is 2.00")


def test_runs_of_the_same_name_go_by_their_folders(folders):
    assert call("compare", folders[0], folders[0]).startswith(f"{folders[0]} and {folders[0]} have the same BLEU")


def test_compare_refuses(folders):
    with pytest.raises(DataError, match="name one of its runs: wait-1, wait-3"):
        call("compare", folders[0].parent, folders[1])
    scores = folders[1] / "scores.json"
    scores.write_text(scores.read_text().replace("tok:13a", "tok:zh"))
    with pytest.raises(UsageError, match=r"with the tokenizer 13a, .* with zh"):
        call("compare", *folders)


def test_inspect(folders, tmp_path):
    output = call("inspect", folders[1], "--index", 17, "--svg", tmp_path / "new" / "path.svg")
    lines = output.splitlines()
    assert lines[0].startswith("sentence 17: 10 read, 10 written")
    assert "  ■■■·······  1 2 3" in lines[1]
    assert lines[-2].startswith("   output: ")
    assert lines[-1].startswith("reference: ")
    assert (tmp_path / "new" / "path.svg").read_text().startswith("<svg")


def test_inspect_refuses(folders, tmp_path):
    with pytest.raises(UsageError, match="no sentence 40: its indices go from 0 to 39"):
        call("inspect", folders[0], "--index", 40)
    with pytest.raises(UsageError, match=r"drawn as \.svg"):
        call("inspect", folders[0], "--svg", tmp_path / "path.png")


def foreign(tmp_path, name, prediction):
    """A log of SimulEval's, which states neither the language nor the unit."""
    fields = {
        "index": 0,
        "prediction": prediction,
        "delays": [1, 1, 2],
        "source": "Hello there.",
        "reference": "你好！",
    }
    (tmp_path / name).write_text(json.dumps(fields) + "\n")
    return tmp_path / name


def test_characters_of_a_log_that_does_not_state_them(tmp_path):
    a, b = foreign(tmp_path, "a.log", "你好。"), foreign(tmp_path, "b.log", "您好。")
    with pytest.raises(DataError, match="3 delays for a prediction of 1 words"):
        call("inspect", a)
    assert call("inspect", a, "--language", "zh").startswith("sentence 0: 2 read, 3 written, 3 in the reference")
    assert "a.log is " in call("compare", a, b, "--language", "zh")


def test_characters_of_an_unknown_language(tmp_path):
    for name in ("a", "b"):
        line = foreign(tmp_path, f"{name}.log", "你好。").read_text()
        (tmp_path / f"{name}.log").write_text(line.replace("{", '{"unit": "char", ', 1))
    assert "3 written" in call("inspect", tmp_path / "a.log")
    with pytest.raises(DataError, match="give --language zh, ja or th"):
        call("compare", tmp_path / "a.log", tmp_path / "b.log")
    assert call("compare", tmp_path / "a.log", tmp_path / "b.log", "--language", "zh").count("\n") == 8
