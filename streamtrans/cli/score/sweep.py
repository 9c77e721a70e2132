"""`streamtrans score --sweep`: the settings of each policy that make its curve."""

from collections.abc import Sequence
from math import inf

from streamtrans.errors import UsageError
from streamtrans.policies import Policy, WaitK, make_policy

Settings = list[dict[str, float | None]]


def _grid(**values: Sequence[float]) -> Settings:
    """A setting for each position of the values: threshold=(0.3, 0.4), max_wait=(3, 4) are two settings."""
    return [dict(zip(values, setting, strict=True)) for setting in zip(*values.values(), strict=True)]


# One line a policy, from little lag to much: an average lag of about 2 to 7 words, where curves are compared.
GRIDS: dict[str, Settings] = {
    "wait-k": _grid(k=(1, 2, 3, 4, 5, 7)),
    "agree": _grid(hold=(0, 1, 2, 3), horizon=(2, 3, 4, 5)),
    "confident": _grid(threshold=(0.2, 0.3, 0.4, 0.5, 0.6, 0.7), max_wait=(2, 3, 4, 5, 6, 7)),
    "learned": _grid(
        threshold=(0.3, 0.18, 0.12, 0.08, 0.05, 0.04, 0.03, 0.02, 0.02, 0.02, 0.02),
        min_wait=(1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 4),
        max_wait=(3, 4, 4, 5, 5, 5, 5, 5, 6, 6, 7),
    ),
    "alignatt": _grid(last=(1, 2, 3, 4)),
    "boundary": _grid(max_wait=(1, 2, 3, 4, 6, 8)),
    "wait-k-flush": _grid(k=(1, 2, 3, 4, 5, 7)),
}


def swept(names: Sequence[str]) -> list[Policy]:
    """The policies of these names in all their settings, after the offline run that shows what there is to lose.

    Raises UsageError for an unknown name, one without a grid, or one that comes twice.
    """
    for name in names:
        if name not in GRIDS:
            make_policy(name)  # complains of a name that is not registered, and knows the nearest
            raise UsageError(f"--sweep has no grid for {name}: choose from {', '.join(GRIDS)}")
    if len(set(names)) < len(names):
        raise UsageError(f"--policy is {','.join(names)!r}; each policy once")
    return [WaitK(inf), *(make_policy(name, None, **setting) for name in names for setting in GRIDS[name])]
