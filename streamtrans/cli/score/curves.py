"""`streamtrans score --at` and `--sweep`: a table of quality against latency, and which policy is better at a lag."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from streamtrans.cli.shared.tables import print_table
from streamtrans.errors import UsageError
from streamtrans.evaluation.scores import Scores

if TYPE_CHECKING:
    from streamtrans.evaluation.tradeoff import Tradeoff

AtOption = Annotated[
    str | None,
    typer.Option("--at", metavar="LAG[,LAG…]", help="Compare curves at these LAALs, as --sweep does (2.5,3,3.5,4,5)."),
]


def parse_lags(text: str) -> list[float]:
    """The lags of `--at`: "2,3.5". Raises UsageError for anything else."""
    lags: list[float] = []
    for part in map(str.strip, text.split(",")):
        if not (part.isascii() and part.replace(".", "", 1).isdigit() and len(part) < 8):
            raise UsageError(f"--at is {part!r}; it must be lags in source words, like 2.5,3")
        lags.append(float(part))
    if len(set(lags)) < len(lags):
        raise UsageError(f"--at is {text!r}; each lag once")
    return lags


def show_tradeoff(tradeoff: "Tradeoff", scores: Sequence[Scores], plain: bool) -> None:
    """The runs, the curves at each lag, and what of it is more than luck."""
    print_table(*tradeoff.runs(), plain)
    print()
    print_table(*tradeoff.at_lags(), plain)
    for line in ["", *tradeoff.sentences()] if tradeoff.comparisons else []:
        print(line)
    print("", *dict.fromkeys(run.signatures["BLEU"] for run in scores), sep="\n")
