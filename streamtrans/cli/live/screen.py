"""A block of lines at the bottom of a terminal, redrawn in place; finished lines scroll up above it."""

import os
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text

from streamtrans.cli.live.view import Frame

_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_WRAP_OFF, _WRAP_ON = "\x1b[?7l", "\x1b[?7h"
_BEGIN_UPDATE, _END_UPDATE = "\x1b[?2026h", "\x1b[?2026l"  # shown as a whole by terminals that know it, else ignored
ERASE_LINE_END, _ERASE_BELOW = "\x1b[K", "\x1b[J"
_BOTTOM = "\x1b[999B"


class Screen:
    """Draws frames on a terminal, each in a single write in which no line is blank for a moment: nothing flickers.

    A terminal may take a line for wider than we do (emoji, Indic scripts), or be too narrow for any. So no line of the
    block wraps by itself: each takes one row, and the way back to the top is known. What scrolls up may wrap.

    A terminal that gets narrower wraps what it shows, and pushes as many rows out at its top, where nothing can be
    erased. So the block has a third of the height, at the bottom; the rows above it can be pushed out. Rows that it has
    taken it keeps until finished lines take them: blank below it within its third, else above it.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._console = Console(file=stream, force_terminal=True, highlight=False)
        self._widths: list[int] = []  # of the lines that stand on the terminal
        self._blank_above = self._blank_below = 0  # rows
        self._cursor, self._drawn = (0, 0), ""

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines of the terminal; a column is kept free for the cursor."""
        columns, lines = os.get_terminal_size(self._stream.fileno())
        return (columns or 80) - 1, lines or 24

    @property
    def block_height(self) -> int:
        """Lines to draw in."""
        return self.size[1] // 3

    def draw(self, frame: Frame, above: Sequence[Text] = ()) -> None:
        """Puts the frame in place of the last one, and lines above it that stay."""
        body = self._styled(frame.lines)
        if body == self._drawn and frame.cursor == self._cursor and not above:
            return
        line, column = frame.cursor
        height = len(frame.lines)
        rows = min(self._blank_above + self._rows(self._widths) + self._blank_below, self.size[1])
        spare = max(0, rows - self._rows([text.cell_len for text in above]) - height)
        blank_below = min(spare, max(0, self.block_height - height))
        blank_above = spare - blank_below
        # A terminal that has wrapped a row forgets it only when the whole row is erased; else it joins it with the next
        top = self._to_top() + ("" if self._drawn else _ERASE_BELOW)
        scrolled = (self._styled(above) + "\n" * blank_above).replace("\n", f"{ERASE_LINE_END}\n")
        bottom = "" if self._drawn else _to_bottom(height + blank_below)
        down = _WRAP_OFF + body.removesuffix("\n").replace("\n", f"{ERASE_LINE_END}\n") + ERASE_LINE_END + _WRAP_ON
        place = _up(height - 1 - line) + "\r" + (f"\x1b[{column}C" if column else "")
        update = top + scrolled + bottom + down + _ERASE_BELOW + place
        self._write(_BEGIN_UPDATE, _HIDE_CURSOR, update, _SHOW_CURSOR, _END_UPDATE)
        columns = self.size[0] + 1
        self._widths = [min(text.cell_len, columns) for text in frame.lines]
        self._blank_above, self._blank_below = blank_above, blank_below
        self._cursor, self._drawn = (line, min(column, columns - 1)), body

    def redraw(self) -> None:
        """The next frame is drawn even if it equals the last."""
        self._drawn = ""

    def erase(self) -> None:
        """Takes the block away; the next one starts where it stood."""
        self._write(self._to_top(), _ERASE_BELOW)
        self.forget()

    def forget(self) -> None:
        """The terminal shows something else by now: the next block starts at the cursor."""
        self._widths, self._blank_above, self._blank_below = [], 0, 0
        self._cursor, self._drawn = (0, 0), ""

    def _to_top(self) -> str:
        """To the first column of the first row, also after a resize, when a terminal has wrapped long lines again: a
        line takes as many rows as its width needs now."""
        line, column = self._cursor
        return "\r" + _up(self._blank_above + self._rows(self._widths[:line]) + column // (self.size[0] + 1))

    def _rows(self, widths: Sequence[int]) -> int:
        return sum(max(1, -(-width // (self.size[0] + 1))) for width in widths)

    def _styled(self, lines: Sequence[Text]) -> str:
        with self._console.capture() as capture:
            for line in lines:
                self._console.print(line, no_wrap=True, overflow="ignore", crop=False, soft_wrap=True)
        return capture.get()

    def _write(self, *parts: str) -> None:
        self._stream.write("".join(parts))
        self._stream.flush()


def _to_bottom(rows: int) -> str:
    """To the first of the last rows of the terminal, which scrolls if there are not as many below the cursor."""
    return "\n" * (rows - 1) + _BOTTOM + _up(rows - 1)


def _up(rows: int) -> str:
    return f"\x1b[{rows}A" if rows else ""
