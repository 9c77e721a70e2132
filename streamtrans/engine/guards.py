"""Guards against loops, which language models fall into when they are lost."""

from collections.abc import Sequence

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
