"""`streamtrans score --sweep`: the settings of each policy that make its curve."""

from collections.abc import Sequence
from math import inf
from typing import Annotated

import typer

from streamtrans.cli.shared.options import PolicyChoice
from streamtrans.errors import UsageError
from streamtrans.policies import Policy, WaitK, make_policy
from streamtrans.policies.registry import flag

SweepOption = Annotated[
    bool, typer.Option("--sweep", help="Run each of --policy NAME,NAME in many settings, and compare their curves.")
]

Settings = list[dict[str, float | None]]


def _grid(**values: Sequence[float]) -> Settings:
    """A setting for each position of the values: threshold=(0.3, 0.4), max_wait=(3, 4) are two settings."""
    return [dict(zip(values, setting, strict=True)) for setting in zip(*values.values(), strict=True)]


# One line per policy, from little lag to much: an average lag of about 2 to 7 words, where curves are compared.
GRIDS: dict[str, Settings] = {
    "wait-k": _grid(k=(1, 2, 3, 4, 5, 7)),
    "agree": _grid(hold=(0, 1, 2, 3), horizon=(2, 3, 4, 5)),
    "confident": _grid(threshold=(0.2, 0.3, 0.4, 0.5, 0.6, 0.7), max_wait=(2, 3, 4, 5, 6, 7)),
    "learned": _grid(
        threshold=(0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.015, 0.01, 0.008),
        min_wait=(1, 1, 1, 1, 1, 1, 1, 1, 1, 2),
        max_wait=(4, 4, 4, 4, 4, 4, 5, 6, 7, 8),
    ),
    "alignatt": _grid(last=(1, 2, 3, 4)),
    "boundary": _grid(max_wait=(1, 2, 3, 4, 6, 8)),
    "wait-k-flush": _grid(k=(1, 2, 3, 4, 5, 7)),
}


def swept(choice: PolicyChoice) -> list[Policy]:
    """The policies that `choice` lists by name in all their settings, after the offline run, which shows the ceiling.

    Raises UsageError for an option that a sweep sets itself, an unknown name, one without a grid, or one given twice.
    """
    given = {"k": choice.ks or None, **choice.options, "max_lag": choice.max_lag}
    if idle := [flag(key) for key, value in given.items() if value is not None]:
        raise UsageError(f"--sweep sets the options of each policy itself: no {', '.join(idle)} with it")
    if not choice.name:
        raise UsageError(f"--sweep needs --policy NAME[,NAME…] of {', '.join(GRIDS)}")
    names = choice.name.split(",")
    for name in names:
        if name not in GRIDS:
            make_policy(name)  # complains of a name that is not registered, and knows the nearest
            raise UsageError(f"--sweep has no grid for {name}: choose from {', '.join(GRIDS)}")
    if len(set(names)) < len(names):
        raise UsageError(f"--policy is {','.join(names)!r}; each policy once")
    return [WaitK(inf), *(make_policy(name, None, **setting) for name in names for setting in GRIDS[name])]
