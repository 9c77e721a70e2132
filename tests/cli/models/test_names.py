"""`streamtrans models add`, and the names that it gives in all commands, as processes."""

import json
import os
import shutil
import subprocess

import pytest
from processes import COMMAND, TIMEOUT, run

from streamtrans.models.loading import find_model

TEXT = "We went home because it had begun to rain.\n"


@pytest.fixture(autouse=True)
def names(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "config" / "streamtrans" / "models"


@pytest.fixture
def chat(tmp_path):
    """The files of a chat model, without weights."""
    directory = tmp_path / "chat"
    directory.mkdir()
    (directory / "config.json").write_text('{"model_type": "llama"}')
    (directory / "chat_template.jinja").write_text("{{ messages[0].content }}")
    return directory


@pytest.fixture
def glossary(tmp_path):
    file = tmp_path / "terms.tsv"
    file.write_text("# ours\nhelp\tajuda\nmeeting\treunião\n", encoding="utf-8")
    return file


def refused(*arguments, code=2, **options):
    done = run(*arguments, **options)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    (line,) = done.stderr.splitlines()
    return line.removeprefix("streamtrans: ")


def add(*arguments, **options):
    done = run("models", "add", *map(str, arguments), **options)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def listed():
    return {entry["name"]: entry for entry in json.loads(run("models", "--json").stdout)["named"]}


def test_a_name_is_used_like_its_options():
    assert add("hasty", "--model", "en-pt", "--wait-k", "1") == "hasty stands for en-pt\n"
    plain, named = (run("live", *options, "--json", text=TEXT) for options in (["--wait-k", "1"], ["--model", "hasty"]))
    assert (named.returncode, named.stderr) == (0, "")

    def delays(done):
        return [event["delay"] for event in map(json.loads, done.stdout.splitlines()) if event["type"] == "write"]

    assert delays(named) == delays(plain)
    over = run("live", "--model", "hasty", "--wait-k", "inf", "--json", text=TEXT)
    assert set(delays(over)) == {len(TEXT.split())}


def test_all_of_it_is_kept_and_listed(chat, glossary, tmp_path):
    told = ["--instruction", "Say it in {target}.", "--glossary", glossary, "--context", "2"]
    policy = ["--policy", "agree", "--hold", "1", "--horizon", "4", "--max-lag", "9"]
    said = add("talks", "--model", "chat", "--from", "German", "--to", "pt-BR", *told, *policy, cwd=tmp_path)
    assert said == f"talks stands for {chat}, German (de) to Brazilian Portuguese (pt-BR)\n"
    glossary.unlink()
    assert listed()["talks"] == {
        "name": "talks",
        "model": str(chat),
        "kind": "chat",
        "path": str(chat),
        "source_language": "de",
        "target_language": "pt-BR",
        "instruction": "Say it in {target}.",
        "glossary": 2,
        "context": 2,
        "policy": {"name": "agree", "hold": 1, "horizon": 4, "max_lag": 9},
    }
    rows = run("models").stdout.splitlines()
    assert rows[-2:] == [
        "name\tlanguages\tkind\tsettings\tmodel",
        f"talks\tde → pt-BR\tchat\tagree hold 1 horizon 4 max-lag 9, instruction, 2 terms, context 2\t{chat}",
    ]


def test_a_model_of_the_hub_is_not_fetched():
    add("hub", "--model", "somebody/something", "--from", "en", "--to", "ja", "--context", "1")
    assert (listed()["hub"]["kind"], listed()["hub"]["context"]) == ("not fetched", 1)
    said = refused("models", "add", "other", "--model", "somebody/something", "--to", "ja")
    assert said == "somebody/something is not on this machine, to be asked for its languages; add --from and --to"


def test_a_policy_without_an_end_is_kept():
    add("offline", "--model", "en-pt", "--wait-k", "inf")
    assert listed()["offline"]["policy"] == {"name": "wait-k", "k": "inf"}
    first, *_ = run("live", "--model", "offline", "--json", text=TEXT).stdout.split('"write"')
    assert first.count('"read"') == len(TEXT.split())


def test_languages_that_the_files_tell_are_listed(chat):
    add("own", "--model", "en-pt")
    own = listed()["own"]
    assert (own["source_language"], own["target_language"], own["kind"]) == ("en", "pt", "streaming")


def test_what_is_gone_or_damaged_is_listed_as_such(chat, names):
    add("talks", "--model", chat, "--from", "en", "--to", "ja")
    add("other", "--model", "en-pt")
    shutil.rmtree(chat)
    (names / "other.json").write_text("{")
    done = run("models")
    assert done.returncode == 0
    assert [line.split("\t") for line in done.stdout.splitlines()[-2:]] == [
        ["other", "? → ?", "damaged", "–", "–"],
        ["talks", "en → ja", "gone", "–", str(chat)],
    ]
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"streamtrans: warning: {names / 'other.json'} is damaged: ")
    said = refused("live", "--model", "talks", code=1, text=TEXT)
    assert said == f"talks stands for {chat}, which is gone; forget it with: streamtrans models remove talks"
    said = refused("live", "--model", "other", code=1, text=TEXT)
    assert said.startswith(f"{names / 'other.json'} is damaged: ")
    for name in ("talks", "other"):
        assert run("models", "remove", name).stdout == f"forgot {name}\n"
    assert listed() == {}


def test_files_that_are_no_model_any_more_are_listed_with_a_warning(chat):
    add("talks", "--model", chat, "--from", "en", "--to", "ja")
    (chat / "chat_template.jinja").unlink()
    done = run("models")
    assert done.stdout.splitlines()[-1].split("\t")[2] == "damaged"
    assert done.stderr.startswith(f"streamtrans: warning: talks: {chat} was not trained for streaming")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["x"], 2, "x needs a model; name one with --model, a directory or a Hub id"),
        (["x", "--model", "nothing"], 1, "no model 'nothing'; embedded: en-pt"),
        (["x", "--model", "config"], 1, "config is not a model: it has no config.json"),
        (["x", "--model", "chat"], 2, "chat is a chat model, of any languages; say which with --from and --to"),
        (["x", "--model", "chat", "--to", "de"], 2, "chat is a chat model, of any languages; say which with"),
        (["x", "--model", "chat", "--to", "xx1"], 2, "'xx1' is no language"),
        (["x", "--model", "en-pt", "--to", "de"], 2, "--to is German (de), but en-pt translates from English"),
        (["x", "--model", "en-pt", "--context", "1"], 2, "en-pt is no chat model: it takes no instruction"),
        (["x", "--model", "en-pt", "--glossary", "no"], 1, "no: No such file or directory"),
        (["x", "--model", "en-pt", "--max-lag", "4"], 2, "--max-lag is kept with a policy; name that too"),
        (["x", "--model", "en-pt", "--hold", "1"], 2, "--hold needs --policy agree"),
        (["x", "--model", "en-pt", "--wait-k", "1,2"], 2, "--wait-k has 2 values"),
        (["x", "--model", "en-pt", "--policy", "os:path"], 2, "--policy os:path"),
        (["x", "--model", "old"], 2, "old is a name itself; name what it stands for, en-pt"),
        (["old", "--model", "en-pt"], 2, "old is a name already; forget it with: streamtrans models remove old"),
        (["en-de", "--model", "en-pt"], 2, "'en-de' looks like a pair of languages; choose another name"),
        (["chat", "--model", "en-pt"], 2, "'chat' is a file or a directory here; choose another name"),
    ],
)
def test_what_cannot_be_named_is_a_line(chat, names, tmp_path, arguments, code, said):
    add("old", "--model", "en-pt")
    assert said in refused("models", "add", *arguments, code=code, cwd=tmp_path)
    assert list(listed()) == ["old"]


def test_a_directory_that_cannot_be_written_is_a_line(names):
    names.parent.mkdir(parents=True)
    names.write_text("in the way")
    assert refused("models", "add", "x", "--model", "en-pt", code=1).startswith(f"{names / 'x.json'}: cannot write: ")


def test_a_policy_from_outside_is_not_kept(tmp_path, monkeypatch):
    (tmp_path / "outside.py").write_text("from streamtrans.policies import WaitK\n\n\nclass Mine(WaitK):\n    pass\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    said = refused("models", "add", "x", "--model", "en-pt", "--policy", "outside:Mine")
    assert said == "--policy outside:Mine runs code of yours, which no name does; give it beside --model"


def test_what_is_no_name_is_not_removed():
    assert refused("models", "remove", "talks").startswith("'talks' is no pair of languages")
    add("old", "--model", "en-pt")
    assert refused("models", "remove", "talks").endswith("; the names you gave: old")


@pytest.mark.parametrize("line", ["live --model h", "models remove h"])
def test_completion_knows_the_names(line):
    add("hasty", "--model", "en-pt")
    environment = {**os.environ, "_STREAMTRANS_COMPLETE": "complete_bash", "COMP_WORDS": f"streamtrans {line}"}
    position = {**environment, "COMP_CWORD": str(len(line.split()))}
    done = subprocess.run(COMMAND, env=position, capture_output=True, timeout=TIMEOUT, text=True)
    assert done.stdout.split() == ["hasty"]


def test_the_log_of_a_run_says_what_the_name_stands_for(tmp_path):
    add("hasty", "--model", "en-pt", "--wait-k", "1")
    (tmp_path / "s").write_text(TEXT)
    done = run("translate", "s", "--model", "hasty", "--save-log", "log", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    configuration = json.loads((tmp_path / "log" / "configuration.json").read_text())["configuration"]
    assert (configuration["model"], configuration["policy"], configuration["k"]) == ("en-pt", "wait-k", 1)


def test_a_copy_is_found_from_another_directory(tmp_path):
    shutil.copytree(find_model("en-pt"), tmp_path / "copy")
    done = run("models", "add", "copied", "--model", "copy", cwd=tmp_path)
    assert done.stdout == f"copied stands for {tmp_path / 'copy'}\n"
    assert run("live", "--model", "copied", text="Good morning.\n").stdout == "Bom dia.\n"
