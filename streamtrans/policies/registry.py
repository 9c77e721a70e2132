"""Policies by name: the options each of them takes, how one is made, and what it is called."""

import difflib
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
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
from streamtrans.policies.waits import least_lag

POLICIES: dict[str, Any] = {
    policy.name: policy for policy in (WaitK, Agree, Confident, Learned, AlignAtt, Boundary, WaitKFlush, Retranslate)
}


def options_of(policy: Any) -> dict[str, Field[Any]]:
    """The options of a policy or its class by name; each a field with its default, placeholder and help."""
    return {f.name: f for f in fields(policy) if f.metadata} if is_dataclass(policy) else {}


def owners(option: str) -> list[str]:
    """The names of the policies that have an option."""
    return [name for name, policy in POLICIES.items() if option in options_of(policy)]


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
    return build(POLICIES[name], name, max_lag, options)


def build(policy: Any, name: str, max_lag: int | None, options: dict[str, float | None]) -> Policy:
    """An instance of a policy's class, called `name` in messages; the rest as `make_policy`."""
    own = options_of(policy)
    given = {key: value for key, value in options.items() if value is not None}
    for key, value in given.items():
        if key not in own:
            raise UsageError(f"{flag(key)} is an option of {listed(owners(key)) or 'no policy'}, not of {name}")
        if not _is_number(value):
            raise UsageError(f"{name}: {flag(key)} is {value!r}; it must be a number")
        if isinstance(own[key].default, int) and value != inf and value != int(value):
            raise UsageError(f"{name}: {flag(key)} is {value:g}; it must be a whole number")
    if max_lag is not None and not (isinstance(max_lag, int) and _is_number(max_lag)):
        raise UsageError(f"{name}: --max-lag is {max_lag!r}; it must be a whole number")
    made: Policy = policy(**given)
    return made if max_lag is None else MaxLag(made, max_lag)


def _is_number(value: Any) -> bool:
    """Whether a value, which may come from a file, is ∞ or a number that is not larger than any use."""
    return type(value) in (int, float) and (value == inf or abs(value) < 2**31)


def settings_of(policy: Policy) -> dict[str, Any]:
    """The options of a policy by name with their values, and its max_lag, None without one."""
    asked = inside(policy)
    own = {name: getattr(asked, name) for name in options_of(asked)}
    return own | {"max_lag": policy.words if isinstance(policy, MaxLag) else None}


def kept_back(policy: Policy) -> int:
    """The last source words read that a word stands for none of when the policy writes it.

    They are all but one of the words that it waits for (`k`, `min_wait`), one for each earlier continuation that had
    to agree, and the words that it holds back at the end (`hold`, `mask_words`).
    """
    settings = settings_of(policy)
    held = settings.get("hold", 0) + settings.get("mask_words", 0)
    return int(least_lag(inside(policy)) - 1 + settings.get("agree", 1) - 1 + held)


def description_of(policy: Policy) -> dict[str, Any]:
    """Name (as "policy") and options of a policy, ready for JSON: k = ∞ is "inf"."""
    own = type(inside(policy))
    name = policy.name if POLICIES.get(policy.name) is own else f"{own.__module__}:{own.__qualname__}"
    return {"policy": name} | {key: _stated(value) for key, value in settings_of(policy).items()}


def options_stated(stated: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a policy as JSON states them, ready for `make_policy`: "inf" is ∞."""
    return {key: inf if value == "inf" else value for key, value in stated.items()}


def short_name(policy: Policy) -> str:
    """A name for runs and folders: "wait-3", "wait-3-max-lag-4", "agree-2-hold-1"; other policies have other names.

    First the policy with the number it is known by, then the options that are not at their default.
    """
    options = description_of(policy)
    name = options.pop("policy")
    own = options_of(inside(policy)).items()
    defaults = {key: _stated(option.default) for key, option in own} | {"max_lag": None}
    main = "k" if "k" in options else name
    parts = ["wait" if name == "wait-k" else name]
    parts += [_short(options.pop(main))] if main in options else []
    for option, value in options.items():
        if value != defaults[option]:
            parts += [option.replace("_", "-"), _short(value)]
    return "-".join(parts)


def inside(policy: Policy) -> Policy:
    """The policy that `MaxLag` holds, or the policy itself."""
    return policy.inside if isinstance(policy, MaxLag) else policy


def _stated(value: Any) -> Any:
    return "inf" if value == inf else value


def _short(value: float | str) -> str:
    return str(value).removesuffix(".0")
