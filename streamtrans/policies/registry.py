"""Policies by name, with the options each of them takes."""

import difflib
from dataclasses import Field, fields
from math import inf
from typing import Any

from streamtrans.errors import UsageError
from streamtrans.policies.agree import Agree
from streamtrans.policies.alignatt import AlignAtt
from streamtrans.policies.base import Policy
from streamtrans.policies.boundary import Boundary, WaitKFlush
from streamtrans.policies.confident import Confident
from streamtrans.policies.learned import Learned
from streamtrans.policies.max_lag import MaxLag
from streamtrans.policies.retranslate import Retranslate
from streamtrans.policies.wait_k import WaitK

POLICIES: dict[str, Any] = {
    policy.name: policy for policy in (WaitK, Agree, Confident, Learned, AlignAtt, Boundary, WaitKFlush, Retranslate)
}


def options_of(name: str) -> dict[str, Field[Any]]:
    """The options of a policy by name; each a field with its default, placeholder and help."""
    return {f.name: f for f in fields(POLICIES[name]) if f.metadata}


def owners(option: str) -> list[str]:
    """The policies that have an option."""
    return [name for name in POLICIES if option in options_of(name)]


_FLAGS = {"k": "--wait-k"}


def flag(option: str) -> str:
    """The command line's spelling of an option: max_wait -> --max-wait."""
    return _FLAGS.get(option, "--" + option.replace("_", "-"))


def listed(names: list[str], last: str = "and") -> str:
    """Names as they are said: "a", "a and b", "a, b and c"."""
    return f" {last} ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def make_policy(name: str, max_lag: int | None = None, **options: float | None) -> Policy:
    """The policy of this name; options that are None take their default.

    Raises UsageError for an unknown name (naming the nearest), an option of another policy, or a value out of range.
    """
    if name not in POLICIES:
        near = difflib.get_close_matches(name, POLICIES, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(POLICIES)}"
        raise UsageError(f"unknown policy {name!r}; {hint}")
    own = options_of(name)
    given = {key: value for key, value in options.items() if value is not None}
    for key, value in given.items():
        if key not in own:
            raise UsageError(f"{flag(key)} is an option of {listed(owners(key)) or 'no policy'}, not of {name}")
        if isinstance(own[key].default, int) and value != inf and value != int(value):
            raise UsageError(f"{name}: {flag(key)} is {value:g}; it must be a whole number")
    policy = POLICIES[name](**given)
    return policy if max_lag is None else MaxLag(policy, max_lag)
