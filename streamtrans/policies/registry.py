"""Policies by name, with the options each of them takes."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

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


@dataclass(frozen=True)
class Entry:
    """A registered policy: how to make it, the names of its options with their defaults, when to use it."""

    make: Callable[..., Policy]
    options: dict[str, float]
    summary: str


POLICIES: dict[str, Entry] = {
    "wait-k": Entry(WaitK, {"k": 3, "catch_up": 0.0}, "stay k words behind; the plain, predictable choice"),
    "agree": Entry(
        Agree, {"agree": 2, "hold": 0, "horizon": 2}, "write what successive readings agree on; for offline models too"
    ),
    "confident": Entry(
        Confident,
        {"threshold": 0.5, "max_entropy": inf, "min_wait": 1, "max_wait": 9},
        "write when the model is sure of the next word; to compare with, wait-k measures better",
    ),
    "learned": Entry(
        Learned,
        {"threshold": 0.05, "min_wait": 1, "max_wait": 4},
        "write when more source would hardly change the next word; the best translation at a low lag",
    ),
    "alignatt": Entry(AlignAtt, {"last": 2}, "write while the model does not look at the last words read"),
    "boundary": Entry(Boundary, {"max_wait": 12}, "wait for the end of a clause; for captions that come in phrases"),
    "wait-k-flush": Entry(
        WaitKFlush, {"k": 3, "catch_up": 0.0}, "wait-k, all written at sentence ends; for several sentences a line"
    ),
    "retranslate": Entry(
        Retranslate, {"mask_words": 0}, "show everything at once and correct it; for displays where text may change"
    ),
}

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
    entry = POLICIES[name]
    given = {key: value for key, value in options.items() if value is not None}
    for key in given:
        if key not in entry.options:
            owners = [other for other, its in POLICIES.items() if key in its.options]
            raise UsageError(f"{flag(key)} is an option of {listed(owners) or 'no policy'}, not of {name}")
    for key, value in given.items():
        if isinstance(entry.options[key], int) and value != inf and value != int(value):
            raise UsageError(f"{name}: {flag(key)} is {value:g}; it must be a whole number")
    policy = entry.make(**(entry.options | given))
    return policy if max_lag is None else MaxLag(policy, max_lag)
