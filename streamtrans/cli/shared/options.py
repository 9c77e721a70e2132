"""Options that mean the same in every command, and the policy they choose.

A command that translates is decorated with `takes_policy` (or `takes_policies`, where `--wait-k 1,3,inf` asks for one
run a value, and `--sweep` for one a setting) and has a parameter `choice: PolicyChoice`; the decorator puts `--policy`
and the options of all policies in its place, and complains about impossible ones before the command starts.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib import resources
from math import inf
from pathlib import Path
from typing import Annotated, Any

import typer

from streamtrans.cli.score.sweep import GRIDS, swept
from streamtrans.errors import UsageError
from streamtrans.policies import POLICIES, MaxLag, Policy, WaitK, make_policy, parted
from streamtrans.policies.registry import flag, listed, options_of, owners

Command = Callable[..., None]


def _embedded_models() -> Iterator[str]:
    """Names of the embedded models, for completion: found without importing mlx."""
    assets = resources.files("streamtrans") / "assets"
    yield from sorted(entry.name for entry in assets.iterdir() if (entry / "config.json").is_file())


def _policy_names() -> list[tuple[str, str]]:
    return [(name, policy.summary) for name, policy in POLICIES.items()]


ModelOption = Annotated[
    str,
    typer.Option(
        "--model", "-m", metavar="MODEL", help="en-pt, a directory, or a Hub id.", autocompletion=_embedded_models
    ),
]
AdapterOption = Annotated[
    Path | None, typer.Option("--adapter", metavar="DIR", help="A low-rank adapter to put on the model.")
]
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
    typer.Option("--policy", metavar="NAME", help="See `streamtrans policies`.", autocompletion=_policy_names),
]
MaxLagOption = Annotated[
    int | None, typer.Option("--max-lag", metavar="M", help="Any policy: write when more than M words behind.")
]
SweepOption = Annotated[
    bool, typer.Option("--sweep", help="Run each of --policy NAME,NAME in many settings, and compare their curves.")
]

POLICY_OPTIONS = {key: option for name in POLICIES for key, option in options_of(name).items()}


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
    """What the command line says about the policy; `options` by the names of `make_policy`, `ks` of `--wait-k`.

    sweep: `name` lists policies, and each comes in the settings of its grid.
    """

    name: str | None = None
    ks: list[float] = field(default_factory=list)
    max_lag: int | None = None
    options: dict[str, float] = field(default_factory=dict)
    sweep: bool = False

    def policies(self, default: Policy) -> list[Policy]:
        """One policy a value of `--wait-k`, or a setting of the sweep; `default` is what the checkpoint would do, if no
        policy is asked for. Where `--policy` names that one, its options are those of the checkpoint, unless given.

        Raises UsageError for an unknown policy, an option of another one, or a value out of range.
        """
        if self.sweep:
            return self._swept()
        name = self.name or ("wait-k" if self.ks else None)
        if name:
            if "," in name:
                raise UsageError(f"--policy is {name!r}; several policies go with `score --sweep`")
            own, _ = parted(default)
            options = asdict(own) if self.name == own.name else {}  # type: ignore[call-overload]
            options |= self.options
            given = [{"k": k} for k in self.ks] or [{}]
            return [make_policy(name, self.max_lag, **(options | k)) for k in given]
        for key in self.options:
            raise UsageError(f"{flag(key)} needs --policy {listed(owners(key), 'or')}")
        return [default if self.max_lag is None else MaxLag(default, self.max_lag)]

    def _swept(self) -> list[Policy]:
        given = {"k": self.ks or None, **self.options, "max_lag": self.max_lag}
        idle = [flag(key) for key, value in given.items() if value is not None]
        if idle:
            raise UsageError(f"--sweep sets the options of each policy itself: no {', '.join(idle)} with it")
        if not self.name:
            raise UsageError(f"--sweep needs --policy NAME[,NAME…] of {', '.join(GRIDS)}")
        return swept(self.name.split(","))

    def policy(self, default: Policy) -> Policy:
        """The one policy that was chosen, as `policies`."""
        chosen, *more = self.policies(default)
        if more:
            raise UsageError(f"--wait-k has {1 + len(more)} values; this command takes one")
        return chosen


def policy_label(policy: Policy) -> str:
    """A policy in a few letters: "wait-k 3"."""
    inside, _ = parted(policy)
    k = getattr(inside, "k", None)
    return inside.name if k is None else f"{inside.name} {k:g}"


def takes_policy(command: Command) -> Command:
    """Gives a command the options that choose one policy, bundled into its parameter `choice`."""
    return _with_policy_options(command, several=False)


def takes_policies(command: Command) -> Command:
    """As `takes_policy`, but `--wait-k` may list several values."""
    return _with_policy_options(command, several=True)


def _with_policy_options(command: Command, several: bool) -> Command:
    @functools.wraps(command)
    def run(policy: str | None, max_lag: int | None, sweep: bool = False, **given: Any) -> None:
        options = {key: value for key in POLICY_OPTIONS if (value := given.pop(key)) is not None}
        ks = parse_ks(options.pop("k")) if "k" in options else []
        choice = PolicyChoice(policy, ks, max_lag, options, sweep)
        (choice.policies if several else choice.policy)(WaitK(1))  # before a model is loaded: is it possible at all?
        command(**given, choice=choice)

    own, keyword = inspect.signature(command), inspect.Parameter.KEYWORD_ONLY
    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        replaced = parameter.name == "choice"
        parameters += _policy_parameters(several) if replaced else [parameter.replace(kind=keyword)]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return run


def _policy_parameters(several: bool) -> Iterator[inspect.Parameter]:
    yield _keyword("policy", PolicyOption)
    for key, option in POLICY_OPTIONS.items():
        kind, (metavar, text) = type(option.default), option.metadata.values()
        if key == "k":
            kind = str
            if several:
                metavar, text = "K[,K…]", f"{text}; a list makes one run a value"
        shown = typer.Option(flag(key), metavar=metavar, help=f"{text} ({', '.join(owners(key))}).")
        yield _keyword(key, Annotated[kind | None, shown])
    yield _keyword("max_lag", MaxLagOption)
    if several:
        yield _keyword("sweep", SweepOption, default=False)


def _keyword(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
