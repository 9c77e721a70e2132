"""Names that people give to models: what is kept, how it is used, and what becomes of damage."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrans.engine.translator import load
from streamtrans.errors import ModelError, UsageError
from streamtrans.models.loading import find_model
from streamtrans.models.named import NamedModel, check_name, find_named, forget_name, give_name, given_names
from streamtrans.models.routes import Route, find_route
from streamtrans.policies import WaitK, make_policy
from streamtrans.text.instructions import Instructions

TALKS = NamedModel(
    "organisation/name", "en", "ja", Instructions(glossary=(("cat", "猫"),), context=2), {"name": "wait-k", "k": "inf"}
)


@pytest.fixture(autouse=True)
def names(tmp_path, monkeypatch):
    """The directory of the names, which is not there yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "streamtrans" / "models"


def test_what_is_kept_comes_back(names):
    assert (given_names(), find_named("talks")) == ([], None)
    give_name("talks", TALKS)
    give_name("plain", NamedModel("en-pt"))
    assert given_names() == ["plain", "talks"]
    assert find_named("talks") == TALKS
    assert find_named("plain") == NamedModel("en-pt")
    assert json.loads((names / "talks.json").read_text())["instructions"] == {"glossary": [["cat", "猫"]], "context": 2}
    forget_name("talks")
    assert (given_names(), find_named("talks")) == (["plain"], None)


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@given(words, st.lists(st.tuples(words, words)), st.integers(0, 9), st.sampled_from([None, "de", "zh-Hant"]))
def test_any_text_comes_back(instruction, terms, context, source):
    kept = NamedModel("en-pt", source, "pt", Instructions(instruction, tuple(terms), context))
    give_name("any", kept)
    try:
        assert find_named("any") == kept
    finally:
        forget_name("any")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("en-pt", "'en-pt' is the name of an embedded model"),
        ("en-de", "'en-de' looks like a pair of languages"),
        ("zh-Hans-en", "looks like a pair of languages"),
        ("a/b", "'a/b' is no name"),
        ("..", "is no name"),
        ("", "is no name"),
        ("a b", "is no name"),
        ("x" * 49, "is no name"),
        ("here", "'here' is a file or a directory here"),
        ("talks", "talks is a name already; forget it with: streamtrans models remove talks"),
    ],
)
def test_names_that_cannot_be_given(name, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    give_name("talks", TALKS)
    with pytest.raises(UsageError, match=said):
        check_name(name)
    with pytest.raises(UsageError, match=said):
        give_name(name, NamedModel("en-pt"))
    assert find_named("talks") == TALKS


def test_a_name_is_a_route():
    told, policy = Instructions(context=2), {"name": "wait-k", "k": 1}
    give_name("fast", NamedModel("en-pt", None, None, told, policy))
    assert find_route("fast", None, None, None) == Route(("en-pt",), None, None, told, policy, "fast")
    found = find_route("fast", None, "English", None)
    assert found == Route(("en-pt",), "en", "pt", told, policy, "fast")
    assert (found.name, found.title) == ("fast", "fast")


def test_languages_beside_a_name_win_where_the_model_has_none_of_its_own(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    give_name("any", NamedModel(str(tmp_path), "en", "ja"))
    assert find_route("any", None, None, "German") == Route((str(tmp_path),), "en", "de", given="any")
    give_name("embedded", NamedModel("en-pt", "en", "pt"))
    with pytest.raises(UsageError, match=r"--to is German \(de\), but en-pt translates from English"):
        find_route("embedded", None, None, "de")


def test_a_name_wins_over_a_directory_and_an_embedded_model_over_it(names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    give_name("mine", NamedModel("en-pt"))
    (tmp_path / "mine").mkdir()
    assert find_route("mine", None, None, None).models == ("en-pt",)
    (names / "en-pt.json").write_text('{"model": "elsewhere/model"}')
    assert find_route("en-pt", None, None, None) == Route(("en-pt",))
    assert given_names() == ["mine"]


def test_a_name_is_loaded_from_python_too():
    give_name("fast", NamedModel("en-pt", policy={"name": "wait-k", "k": 1}))
    assert load("fast").default_policy == WaitK(1)
    assert load("fast", policy={"name": "wait-k", "k": 2}).default_policy == WaitK(2)


def test_other_commands_find_what_a_name_stands_for(tmp_path):
    give_name("mine", NamedModel(str(tmp_path)))
    assert find_model("mine") == tmp_path
    with pytest.raises(ModelError, match=r"no model 'mime', did you mean mine\?"):
        find_model("mime")


def test_the_policy_of_the_model_keeps_its_other_options():
    own = load("en-pt").default_policy
    assert own.name == "learned"
    give_name("hasty", NamedModel("en-pt", policy={"name": "learned", "threshold": 0.2}))
    assert load("hasty").default_policy == make_policy("learned", None, **{**vars(own), "threshold": 0.2})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Invalid JSON"),
        ("[]", "Input should be"),
        ('{"source": "en"}', "model: Field required"),
        ('{"model": "m", "polcy": {}}', "polcy: Unexpected keyword argument"),
        ('{"model": "m", "source": "xx1"}', "'xx1' is no language"),
        ('{"model": "m", "policy": {"name": "agre"}}', "unknown policy 'agre'; did you mean 'agree'"),
        ('{"model": "m", "policy": {"name": "wait-k", "k": "3"}}', "--wait-k is '3'; it must be a number"),
        ('{"model": "m", "policy": {"name": "wait-k", "k": NaN}}', "--wait-k is nan; it must be a number"),
        ('{"model": "m", "policy": {}}', "unknown policy ''"),
        ('{"model": "m", "instructions": {"context": -1}}', "the context is -1 sentences"),
        ('{"model": "m", "instructions": {"glossary": [["a"]]}}', "instructions.glossary.0.1: Field required"),
        (b"\xff\xfe", "Invalid JSON"),
    ],
)
def test_a_damaged_file_is_one_line(names, content, said):
    give_name("talks", TALKS)
    (names / "talks.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    for use in (lambda: find_named("talks"), lambda: load("talks"), lambda: find_route("talks", None, None, None)):
        with pytest.raises(ModelError) as error:
            use()
        told = str(error.value)
        assert told.startswith(f"{names / 'talks.json'} is damaged: ")
        assert said in told
        assert told.endswith("; forget it with: streamtrans models remove talks")
        assert "\n" not in told


def test_a_directory_that_is_gone_is_told_by_its_name(tmp_path):
    give_name("talks", NamedModel(str(tmp_path / "gone")))
    with pytest.raises(ModelError, match=r"^talks stands for .*gone, which is gone; forget it with"):
        load("talks")


def test_a_name_that_stands_for_itself_is_no_model(names):
    names.mkdir(parents=True)
    (names / "talks.json").write_text('{"model": "talks"}')
    for use in (lambda: load("talks"), lambda: find_route("talks", None, "en", "pt")):  # and does not ask for ever
        with pytest.raises(ModelError, match="no model 'talks'"):
            use()


def test_a_name_that_is_longer_than_a_file_may_be_is_no_model():
    with pytest.raises(ModelError, match="no model 'xxx"):
        find_route("x" * 5000, None, "en", "pt")
