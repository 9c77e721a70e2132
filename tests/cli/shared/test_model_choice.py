"""The options of models: what they choose, in this process and for commands, and what they refuse."""

import json

import pytest
from chat_checkpoints import make_chat_checkpoint
from processes import run

from streamtrans.cli.app import run as run_here
from streamtrans.cli.shared.model_choice import ModelChoice
from streamtrans.cli.shared.recording import model_record
from streamtrans.errors import UsageError
from streamtrans.models.routes import Route
from streamtrans.text.instructions import Instructions


@pytest.fixture
def glossary(tmp_path):
    file = tmp_path / "terms.tsv"
    file.write_text("# ours\nhelp\tajuda\n\n", encoding="utf-8")
    return file


def test_the_route_has_what_was_told():
    assert ModelChoice().route == Route(("en-pt",))
    told = ModelChoice(target="pt", instructions={"context": 2, "glossary": (("a", "b"),)})
    assert told.route == Route(("en-pt",), "en", "pt", Instructions(glossary=(("a", "b"),), context=2))
    with pytest.raises(UsageError, match="the instruction is empty"):
        _ = ModelChoice(instructions={"instruction": ""}).route


def test_another_process_is_given_the_same_model():
    assert ModelChoice("mine", target="de").options == ["--model", "mine", "--to", "de"]
    assert ModelChoice().options == []


def test_a_record_has_all_that_the_files_do_not_tell(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    told = Instructions("Say it.", (("a", "b"),), 1)
    record = model_record(Route((str(tmp_path),), "en", "ja", told), None)
    assert record["languages"] == "en-ja"
    assert json.loads(json.dumps(record["instructions"])) == {
        "instruction": "Say it.", "glossary": [["a", "b"]], "context": 1,
    }  # fmt: skip
    assert model_record(Route(("en-pt",), "en", "pt"), None).keys() == {"model", "weights"}


def refused(*arguments):
    done = run(*arguments, text="Thank you.\n")
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line.removeprefix("streamtrans: ")


@pytest.mark.parametrize(("command", "options"), [(["live"], [["--context", "2"]]), (["translate", "-"], [])])
def test_a_model_that_takes_no_instructions_says_so(command, options, glossary):
    for told in (*options, ["--glossary", str(glossary)], ["--instruction", "Translate."]):
        assert refused(*command, *told) == "en-pt is no chat model: it takes no instruction, glossary or context"


def test_lines_of_a_file_have_no_context():
    assert "no such option: --context" in refused("translate", "-", "--context", "2")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--glossary", "missing.tsv"], "missing.tsv: No such file or directory"),
        (["--glossary", "-"], "--glossary needs a file; standard input is for the text"),
        (["--glossary", "{glossary}", "--connect", "http://127.0.0.1:9"], "--glossary does not go with --connect"),
        (["--context", "0", "--connect", "http://127.0.0.1:9"], "--context does not go with --connect; say it to"),
        (["--instruction", " "], "the instruction is empty; leave it out for the default one"),
        (["--context", "-1"], "live: invalid value for '--context'"),
    ],
)
def test_options_that_cannot_be_are_a_line(options, said, glossary):
    assert said in refused("live", *(option.format(glossary=glossary) for option in options))


def test_a_line_of_a_glossary_is_named(glossary):
    glossary.write_text("# ours\nhelp ajuda\n", encoding="utf-8")
    assert refused("live", "--glossary", str(glossary)) == (
        f"{glossary}:2: 'help ajuda' is no pair; write a term, one tab, its translation"
    )


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    return make_chat_checkpoint(tmp_path_factory.mktemp("chat"))


@pytest.fixture
def translated(tmp_path, monkeypatch, capsys):
    """Translates a sentence with options of `translate`, in this process."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "s").write_text("The weather is fine today.\n")

    def translate(*options):
        assert run_here(["translate", str(tmp_path / "s"), "--save-log", str(tmp_path / "log"), *options]) == 0
        configuration = json.loads((tmp_path / "log" / "configuration.json").read_text())["configuration"]
        return capsys.readouterr().out, configuration

    return translate


def test_a_chat_model_is_told_what_the_options_say(chat, glossary):
    told = {"instruction": "From {source}, in {target}.", "glossary": (("help", "ajuda"),), "context": 1}
    executor = ModelChoice(str(chat), "en", "pt", instructions=told).load().executor
    prompt = executor.tokenizer.text_of(executor.tokenizer.prompt_ids)
    assert "From English, in Portuguese.\nUse these terms:\nhelp → ajuda\n" in prompt
    assert executor.context == 1


def test_a_name_is_the_same_as_its_options(chat, glossary, translated, capsys):
    told = ["--glossary", str(glossary), "--instruction", "Now {target}:", "--wait-k", "2"]
    languages = ["--from", "en", "--to", "de"]
    plain, _ = translated("--model", str(chat), *languages)
    direct, configuration = translated("--model", str(chat), *languages, *told)
    assert (configuration["languages"], configuration["k"]) == ("en-de", 2)
    assert configuration["instructions"]["glossary"] == [["help", "ajuda"]]
    assert run_here(["models", "add", "talks", "--model", str(chat), *languages, *told]) == 0
    capsys.readouterr()
    assert translated("--model", "talks") == (direct, configuration)
    assert direct != plain


def test_options_beside_a_name_win(chat, glossary, translated):
    add = ["models", "add", "talks", "--model", str(chat), "--from", "en", "--to", "de", "--glossary", str(glossary)]
    assert run_here(add) == 0
    _, configuration = translated("--model", "talks", "--to", "fr", "--instruction", "Do.", "--wait-k", "3")
    assert (configuration["languages"], configuration["k"]) == ("en-fr", 3)
    assert configuration["instructions"] == {
        "instruction": "Do.", "glossary": [["help", "ajuda"]], "context": 0,
    }  # fmt: skip


def test_a_chat_model_needs_its_languages(chat, capsys):
    for options in ([], ["--from", "en"], ["--to", "de"]):
        assert run_here(["translate", __file__, "--model", str(chat), *options]) == 2
        assert capsys.readouterr().err == (
            f"streamtrans: {chat} is a chat model, of any languages; say which with --from and --to\n"
        )
