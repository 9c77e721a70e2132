"""Guards against what language models do when they are lost, each with the name that its `Notice` bears.

`LOOP`: the next word would have gone on in a loop, and another one was taken. `LONG`: the target has as many words as
is allowed for its source, and was stopped. `SHORT`: it ended early. `COPY`: it repeats the source. `ANSWER`: it answers
the source, which asks, or lost its question mark.
"""

from collections.abc import Sequence

from streamtrans.text.sentences import CLOSERS, asks

LOOP, LONG, SHORT, COPY, ANSWER = "loop", "long", "short", "copy", "answer"

SHORTEST_SOURCE = 8
"""Words from which a target may be called too short."""

LEAST_WORDS = 0.25
"""Target words per source word, below which it is."""

SHORTEST_COPY = 4
"""Words."""

COPIED = 0.8
"""The share of the target's words that a copy has from the source."""

LONGEST_LOOP = 8
"""Words of the longest cycle that is looked for."""


def loop_continuation(target: Sequence[str], source: Sequence[str]) -> str | None:
    """The word that would go on in a loop, or None.

    A loop is a cycle of 1 … 8 words at the end of the target, repeated more often than anyone says it: four times for
    one word, three times for more, or once more than the source itself repeats a cycle of this length.
    """
    for period in range(1, min(LONGEST_LOOP, len(target) // 2) + 1):
        if target[-1] != target[-1 - period] or _is_itself_a_loop(target[-period:]):
            continue
        usual = 3 if period == 1 else 2
        repeats = _repeats_at_end(target, period)
        if repeats >= usual and repeats >= max(_repeats_at_end(source[:end], period) for end in range(len(source) + 1)):
            return target[-period]
    return None


def suspicion(source: Sequence[str], target: Sequence[str], language: str = "") -> str | None:
    """`SHORT`, `COPY` or `ANSWER` if a finished target looks like that beside all of its source, else None.

    language: code of the target's.
    """
    if len(source) >= SHORTEST_SOURCE and len(target) < LEAST_WORDS * len(source):
        return SHORT
    there = {_bare(word) for word in source}
    copied = sum(_bare(word) in there for word in target)
    if len(target) >= SHORTEST_COPY and copied >= COPIED * len(target):
        return COPY
    asked = bool(source) and source[-1].rstrip(CLOSERS)[-1:] in ("?", "？", "؟")
    return ANSWER if asked and target and not asks(target, language) else None


def _bare(word: str) -> str:
    return "".join(filter(str.isalnum, word)).casefold()


def _repeats_at_end(words: Sequence[str], period: int) -> int:
    """The number of times that the last `period` words stand at the end, one after the other."""
    same = period
    while same < len(words) and words[-1 - same] == words[-1 - same + period]:
        same += 1
    return same // period


def _is_itself_a_loop(cycle: Sequence[str]) -> bool:
    """Whether a shorter cycle makes up the whole of this one."""
    size = len(cycle)
    return any(list(cycle) == list(cycle[:part]) * (size // part) for part in range(1, size) if size % part == 0)
