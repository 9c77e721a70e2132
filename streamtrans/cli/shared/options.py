"""Options that mean the same in every command, and the policy they choose.

A command that translates is decorated with `takes_policy` and has a parameter `choice: PolicyChoice`; the decorator
puts `--policy` and the options of all policies in its place, and complains about impossible ones before the command
starts. With `takes_policies`, `--wait-k 1,3,inf` asks for one run per value, and the command checks its choice itself.
"""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Annotated, Any

import typer

from streamtrans.cli.shared.bundles import Command, bundled, keyword
from streamtrans.errors import UsageError
from streamtrans.policies import POLICIES, MaxLag, Policy, WaitK, make_policy
from streamtrans.policies.outside import import_policy, is_outside
from streamtrans.policies.registry import flag, listed, options_of, owners, settings_of


def _policy_names() -> list[tuple[str, str]]:
    return [(name, policy.summary) for name, policy in POLICIES.items()]


JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable JSON on standard output.")]
PlainOption = Annotated[bool, typer.Option("--plain", help="No colours, no redrawing.")]
LimitOption = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Only the first N sentences.")]
BatchSizeOption = Annotated[
    int | None, typer.Option("--batch-size", metavar="N", min=1, help="Sentences translated side by side.")
]
SaveLogOption = Annotated[
    Path | None, typer.Option("--save-log", metavar="DIR", help="Keep the log and the scores of each run in DIR.")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on where an interrupted run stopped.")]
LanguageOption = Annotated[
    str | None, typer.Option("--language", metavar="CODE", help="Target language of the logs: pt, zh, …")
]

PolicyOption = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="NAME",
        help="See `streamtrans policies`; package.module:Class imports yours from the Python path and runs its code.",
        autocompletion=_policy_names,
    ),
]
MaxLagOption = Annotated[
    int | None, typer.Option("--max-lag", metavar="M", help="Any policy: write when more than M words behind.")
]

POLICY_OPTIONS = {key: option for policy in POLICIES.values() for key, option in options_of(policy).items()}


def parse_ks(text: str) -> list[float]:
    """The values of `--wait-k`: "3" or "1,3,inf". Raises UsageError for anything else: "0", "three", "3,3"."""
    ks: list[float] = []
    for part in text.split(","):
        part = part.strip()
        if part != "inf" and not (part.isascii() and part.isdigit() and len(part) < 7 and int(part) >= 1):
            raise UsageError(f"--wait-k is {part!r}; it must be a whole number from 1, or inf")
        ks.append(inf if part == "inf" else int(part))
    if len(set(ks)) < len(ks):
        raise UsageError(f"--wait-k is {text!r}; each value once")
    return ks


@dataclass(frozen=True)
class PolicyChoice:
    """The policy as the command line states it; `options` by the names of `make_policy`, `ks` of `--wait-k`."""

    name: str | None = None
    ks: list[float] = field(default_factory=list)
    max_lag: int | None = None
    options: dict[str, float] = field(default_factory=dict)

    def policies(self, default: Policy) -> list[Policy]:
        """One policy per value of `--wait-k`. `default`: the checkpoint's own, used when none is named; its options are
        kept where `--policy` names the same one, unless given.

        Raises UsageError for an unknown policy, an option of another one, or a value out of range.
        """
        name = self.name or ("wait-k" if self.ks else None)
        if name:
            if "," in name:
                raise UsageError(f"--policy is {name!r}; several policies go with `score --sweep`")
            own = settings_of(default) if self.name == default.name else {}
            options = own | self.options | {"max_lag": self.max_lag}
            make = import_policy if is_outside(name) else make_policy
            return [make(name, **(options | k)) for k in [{"k": k} for k in self.ks] or [{}]]
        for key in self.options:
            raise UsageError(f"{flag(key)} needs --policy {listed(owners(key), 'or')}")
        return [default if self.max_lag is None else MaxLag(default, self.max_lag)]

    def policy(self, default: Policy) -> Policy:
        """The one policy that was chosen; the rest as `policies`."""
        chosen, *more = self.policies(default)
        if more:
            raise UsageError(f"--wait-k has {1 + len(more)} values; this command takes one")
        return chosen


def takes_policy(command: Command) -> Command:
    """Gives a command the options that choose one policy, bundled into its parameter `choice`."""
    return _with_policy_options(command, several=False)


def takes_policies(command: Command) -> Command:
    """Gives a command the same options, but `--wait-k` may list several values; the command checks its choice."""
    return _with_policy_options(command, several=True)


def _with_policy_options(command: Command, several: bool) -> Command:
    def chosen(policy: str | None, max_lag: int | None, **given: Any) -> PolicyChoice:
        options = {key: value for key, value in given.items() if value is not None}
        ks = parse_ks(options.pop("k")) if "k" in options else []
        choice = PolicyChoice(policy, ks, max_lag, options)
        if not several:
            choice.policy(WaitK(1))  # before a model is loaded: is it possible at all?
        return choice

    return bundled(command, "choice", [*_policy_parameters(several)], chosen)


def _policy_parameters(several: bool) -> Iterator[inspect.Parameter]:
    yield keyword("policy", PolicyOption)
    for key, option in POLICY_OPTIONS.items():
        kind, metavar, text = type(option.default), option.metadata["metavar"], _help(key)
        if key == "k":
            kind = str
            if several:
                metavar, text = "K[,K…]", f"{text} A list makes one run per value."
        yield keyword(key, Annotated[kind | None, typer.Option(flag(key), metavar=metavar, help=text)])
    yield keyword("max_lag", MaxLagOption)


def _help(key: str) -> str:
    """The help of an option, with the policies that have it; where it means something else for one, so it says."""
    meanings: dict[str, list[str]] = {}
    for name in owners(key):
        meanings.setdefault(options_of(POLICIES[name])[key].metadata["help"], []).append(name)
    said = "; ".join(f"{text[:1].lower()}{text[1:]} ({', '.join(names)})" for text, names in meanings.items())
    return f"{said[:1].upper()}{said[1:]}."
