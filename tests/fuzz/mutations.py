"""Inputs that are nearly right: sound bytes and sound JSON with a few things changed."""

import json
from copy import deepcopy
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

HOSTILE = ["", "é", "\0", "\u202e", "\ud800", "../../x", "/etc/passwd", "a" * 5000, "\x1b]0;t\x07", "</s>", "%s"]
NUMBERS = [None, True, False, -1, 0, 1, 0.5, -0.0, 2**31, 2**63, 10**18, 10**400, float("inf"), float("nan"), 1e-320]

junk = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from(HOSTILE),
    st.text(max_size=5),
    st.sampled_from([[], {}, [0], [[0]], {"a": 1}, [None], [-1, 10**18], ["x"], {"name": "wait-k"}, [[0, 0]]]),
)
"""Values that a file may hold in the place of the right one."""

places = st.integers(0, 2**16 - 1)
"""A place in a text of any length, as a share of 2^16."""

mutations = st.lists(
    st.tuples(st.sampled_from("replace insert delete truncate double early".split()), places, st.binary(max_size=9)),
    min_size=1,
    max_size=4,
)


def mutated(sound: bytes, changes: list[tuple[str, int, bytes]]) -> bytes:
    """The bytes with changes; "early" ones lie in the first KiB, where headers are."""
    for kind, share, piece in changes:
        at = (min(1024, len(sound)) if kind == "early" else len(sound)) * share >> 16
        if kind in ("replace", "early"):
            sound = sound[:at] + piece + sound[at + len(piece) :]
        elif kind == "insert":
            sound = sound[:at] + piece + sound[at:]
        elif kind == "delete":
            sound = sound[:at] + sound[at + 1 + len(piece) :]
        elif kind == "truncate":
            sound = sound[:at]
        else:
            sound = sound[:at] + sound[at : at + 40] * 2 + sound[at + 40 :]
    return sound


json_changes = st.lists(st.tuples(st.sampled_from(["set", "set", "set", "delete"]), places, junk), max_size=3)


def with_changes(sound: Any, changes: list[tuple[str, int, Any]]) -> Any:
    """A copy of a JSON value, some places of which hold something else, or nothing."""
    value = json.loads(json.dumps(sound))
    for kind, share, other in changes:
        spots = list(_spots(value))
        if not spots:
            break
        holder, key = spots[len(spots) * share >> 16]
        if kind == "delete":
            del holder[key]
        else:
            holder[key] = deepcopy(other)  # drawn values are shared
    return value


def _spots(value: Any) -> Any:
    """Every (container, key) of a JSON value."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _spots(value[key])


def as_file(value: Any) -> bytes:
    """A JSON file, which may hold what Python writes and JSON does not know: NaN, lone surrogates."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


texts = st.one_of(
    st.text(max_size=40),
    st.text("aB.,!?。」「 \n\t\r你好\"'1é€\x1b[]m\0\u2028\u200b\ud800\u0301👍", max_size=40),
    st.lists(st.sampled_from(["Good ", "morning. ", "3.5 ", "<b>", "%s ", "🇵🇹", "https://a.b/c ", "ОК ", "\n"])).map(
        "".join
    ),
)
"""Text as it may be typed, pasted or piped in."""

cuts = st.lists(places, max_size=4)


def pieces(whole: Any, at: list[int]) -> list[Any]:
    """A text, or bytes, cut at some places."""
    edges = sorted({0, len(whole), *(len(whole) * share >> 16 for share in at)})
    return [whole[a:b] for a, b in pairwise(edges)]
