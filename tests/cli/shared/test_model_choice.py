"""The options of models: what they choose, in this process and for commands, and what they refuse."""

import json

import pytest
from processes import run

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


@pytest.mark.parametrize("command", [["live"], ["translate", "-"]])
def test_a_model_that_takes_no_instructions_says_so(command, glossary):
    for options in (["--context", "2"], ["--glossary", str(glossary)], ["--instruction", "Translate."]):
        assert refused(*command, *options) == "en-pt is no chat model: it takes no instruction, glossary or context"


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
