"""Policies of a user's own, named package.module:Class."""

import json

import pytest
from processes import run

from streamtrans.errors import UsageError
from streamtrans.policies import MaxLag, description_of, make_policy, short_name
from streamtrans.policies.outside import import_policy

CODE = """
from dataclasses import dataclass

from streamtrans.policies.base import Action, option


@dataclass(frozen=True)
class Pairs:
    max_wait: int = option(2, "W", "Words to collect")
    name = "pairs"
    evidence = None

    def __post_init__(self):
        if self.max_wait > 9:
            raise ValueError("ten words are too many")

    def decide(self, state):
        return Action.WRITE if state.source_read % self.max_wait == 0 and state.lag > 0 else Action.READ


class Plain:
    name, evidence = "plain", None

    def decide(self, state):
        return Action.WRITE


class Needy(Plain):
    def __init__(self, words):
        self.words = words


class Fragile(Plain):
    name = "fragile"

    def decide(self, state):
        table = {1: Action.READ, 2: Action.WRITE}
        return table[state.source_read]


class Mute:
    name = "mute"


nothing = 3
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "mine_of_tests.py").write_text(CODE)
    (tmp_path / "broken_of_tests.py").write_text("1 / 0\n")
    (tmp_path / "s.en").write_text("I would like to book a table for two people.\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_class_with_its_options(here):
    policy = import_policy("mine_of_tests:Pairs", max_wait=3, max_lag=5, hold=None)
    assert isinstance(policy, MaxLag)
    assert description_of(policy) == {"policy": "mine_of_tests:Pairs", "max_wait": 3, "max_lag": 5}
    assert short_name(policy) == "mine_of_tests:Pairs-max-wait-3-max-lag-5"
    assert short_name(import_policy("mine_of_tests:Plain")) == "mine_of_tests:Plain"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module:Pairs", "no module 'no_such_module'; is it on the Python path?"),
        ("mine_of_tests:Pears", "mine_of_tests has no 'Pears'"),
        ("mine_of_tests:", "mine_of_tests has no ''"),
        (":Pairs", "importing '' fails"),
        (".mine_of_tests:Pairs", "importing '.mine_of_tests' fails"),
        ("broken_of_tests:Pairs", "importing 'broken_of_tests' fails: ZeroDivisionError: division by zero"),
        ("mine_of_tests:Mute", "is no policy: it must be a class with name, evidence, decide"),
        ("mine_of_tests:nothing", "is no policy"),
        ("mine_of_tests:Needy", "cannot be made: .*'words'; give each of its fields a default"),
    ],
)
def test_what_cannot_be_imported(here, name, said):
    with pytest.raises(UsageError, match=said):
        import_policy(name)


def test_options_are_those_of_its_fields(here):
    with pytest.raises(UsageError, match="--hold is an option of agree, not of mine_of_tests:Pairs"):
        import_policy("mine_of_tests:Pairs", hold=1)
    with pytest.raises(UsageError, match=r"--max-wait is 1\.5; it must be a whole number"):
        import_policy("mine_of_tests:Pairs", max_wait=1.5)


def test_a_value_that_it_refuses_is_a_usage_error(here):
    with pytest.raises(UsageError, match="--policy mine_of_tests:Pairs: ten words are too many"):
        import_policy("mine_of_tests:Pairs", max_wait=10)


def test_a_name_alone_never_imports(here):
    with pytest.raises(UsageError, match="unknown policy 'mine_of_tests:Pairs'"):
        make_policy("mine_of_tests:Pairs")


def test_on_the_command_line(here):
    options = "--policy", "mine_of_tests:Pairs", "--max-wait", "3"
    done = run("translate", "s.en", *options, "--json", "--save-log", "log", cwd=here)
    assert (done.returncode, done.stderr) == (0, "")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["delay"] % 3 for event in events if event["type"] == "write" and event["delay"] < 10} == {0}
    configuration = json.loads((here / "log" / "configuration.json").read_text())["configuration"]
    assert (configuration["policy"], configuration["max_wait"]) == ("mine_of_tests:Pairs", 3)
    done = run("score", "s.en", "s.en", *options, "--save-log", "runs", "--json", cwd=here)
    (scores,) = json.loads(done.stdout)["runs"]
    assert (scores["run"], scores["policy"]) == ("mine_of_tests:Pairs-max-wait-3", "mine_of_tests:Pairs")
    assert (here / "runs" / scores["run"] / "scores.json").exists()


def test_errors_are_one_line(here):
    for arguments in (["live"], ["translate", "s.en"], ["score", "s.en", "s.en"]):
        done = run(*arguments, "--policy", "mine_of_tests:Pears", cwd=here)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "streamtrans: --policy mine_of_tests:Pears: mine_of_tests has no 'Pears'\n"


@pytest.mark.parametrize("command", [["live"], ["translate", "-"], ["translate", "-", "--max-lag", "9"]])
def test_its_own_error_is_one_line_and_what_was_translated_is_kept(here, command):
    text = "Good morning.\nThank you.\nI would like to book a table.\n"
    done = run(*command, "--policy", "mine_of_tests:Fragile", text=text, cwd=here)
    line = 1 + CODE.splitlines().index("        return table[state.source_read]")
    place = f"{here / 'mine_of_tests.py'}:{line}"
    assert done.stderr == f"streamtrans: policy fragile fails in {place}: KeyError: 3\n"
    assert done.returncode == 1
    assert done.stdout.splitlines()[:2] == ["Bom dia.", "Obrigado."]
