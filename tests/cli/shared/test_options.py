from math import inf

import pytest
import typer

from streamtrans.cli import app
from streamtrans.cli.shared.options import (
    PolicyChoice,
    parse_ks,
    takes_policies,
    takes_policy,
)
from streamtrans.errors import UsageError
from streamtrans.policies import Boundary, Confident, MaxLag, WaitK, make_policy, revises

DEFAULT = WaitK(5)


@pytest.mark.parametrize(("text", "ks"), [("3", [3]), ("inf", [inf]), ("1,3, inf", [1, 3, inf])])
def test_values_of_k(text, ks):
    assert parse_ks(text) == ks


@pytest.mark.parametrize("text", ["0", "-1", "three", "2.5", "", "1,,2", "²", "nan", "1e3"])
def test_what_is_no_k(text):
    with pytest.raises(UsageError, match=r"--wait-k is .*; it must be a whole number from 1, or inf"):
        parse_ks(text)


@pytest.mark.parametrize(
    ("choice", "policies"),
    [
        (PolicyChoice(), [DEFAULT]),
        (PolicyChoice(max_lag=6), [MaxLag(DEFAULT, 6)]),
        (PolicyChoice(ks=[2]), [WaitK(2)]),
        (PolicyChoice(ks=[2, inf], options={"catch_up": 0.1}), [WaitK(2, 0.1), WaitK(inf, 0.1)]),
        (PolicyChoice("boundary", options={"max_wait": 8}), [Boundary(8)]),
        (PolicyChoice("wait-k"), [DEFAULT]),
        (PolicyChoice("wait-k", options={"catch_up": 0.1}), [WaitK(DEFAULT.k, 0.1)]),
        (PolicyChoice("confident"), [Confident()]),
    ],
)
def test_the_policies_that_options_choose(choice, policies):
    assert choice.policies(DEFAULT) == policies


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (PolicyChoice("boundry"), "did you mean 'boundary'"),
        (PolicyChoice("boundary", ks=[3]), "--wait-k is an option of"),
        (PolicyChoice(options={"catch_up": 0.1}), "--catch-up needs --policy wait-k or"),
        (PolicyChoice("boundary", options={"max_wait": 0}), "at least 1"),
        (PolicyChoice(max_lag=0), "max-lag is 0"),
    ],
)
def test_choices_that_cannot_be(choice, said):
    with pytest.raises(UsageError, match=said):
        choice.policies(DEFAULT)


def test_one_policy_is_one_policy():
    with pytest.raises(UsageError, match="--wait-k has 2 values"):
        PolicyChoice(ks=[1, 3]).policy(DEFAULT)


def call(command, *arguments):
    """Runs a function as a command and gives the exception it ended with, if any."""
    alone = typer.Typer(add_completion=False)
    alone.command("command")(command)
    root = typer.main.get_command(alone)
    try:
        root.main(list(arguments), standalone_mode=False)
    except Exception as error:
        return error


def test_a_command_gets_its_choice_and_its_own_options():
    got = []

    @takes_policies
    def command(file: str, choice: PolicyChoice, limit: int = 7) -> None:
        got.append((file, choice.policies(DEFAULT), limit))

    assert call(command, "a.txt", "--wait-k", "1,inf", "--max-lag", "3") is None
    assert got == [("a.txt", [MaxLag(WaitK(1), 3), MaxLag(WaitK(inf), 3)], 7)]


def test_impossible_choices_are_told_before_the_command_starts():
    @takes_policy
    def command(choice: PolicyChoice) -> None:
        raise AssertionError("it has started")

    for arguments in (
        ["--wait-k", "three"],
        ["--wait-k", "1,3"],
        ["--policy", "none"],
        ["--policy=boundary", "--hold=1"],
    ):
        assert isinstance(call(command, *arguments), UsageError)
    error = call(command, "--max-wait", "x")
    assert isinstance(error, typer.BadParameter)


def test_an_option_says_what_it_means_for_each_policy(capsys):
    assert app.run(["live", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Least probability of the next word (confident); most regret to expect (learned)." in shown
    assert "package.module:Class imports yours from the Python path and runs its code" in shown
    assert "Write at the latest when W words read are untranslated (confident, learned, boundary)." in shown


def test_policies_that_revise():
    assert revises(make_policy("retranslate"))
    assert not revises(WaitK(3))
