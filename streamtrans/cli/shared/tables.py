"""Small tables: drawn on a terminal, tab-separated anywhere else."""

import sys
from collections.abc import Sequence


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], plain: bool = False) -> None:
    """One line per row under the names of the columns; the last column takes the room that is left.

    plain: tab-separated on a terminal too. Figures stand on the right.
    """
    if plain or not sys.stdout.isatty():
        for row in [columns, *rows]:
            print("\t".join(cell.replace("\n", " ") for cell in row))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        figures = all(row[number][:1].isdigit() for row in rows if row[number])
        table.add_column(Text(column), justify="right" if figures else "left", overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*map(Text, row))  # a name like [red] is no markup
    Console(highlight=False).print(table)


def print_fields(fields: Sequence[tuple[str, str]]) -> None:
    """One line per field, name first; tab-separated where nobody looks."""
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        print(f"{name:<{width}}  {value}" if sys.stdout.isatty() else f"{name}\t{value}")
