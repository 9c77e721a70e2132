"""The screen against a very small terminal that knows the control sequences it uses, and wraps again when resized."""

import io
import re

import pytest
from rich.text import Text

from streamtrans.cli.live.screen import Screen
from streamtrans.cli.live.view import Frame, LiveState, frame
from streamtrans.engine.events import Read

_SEQUENCE = re.compile(r"\x1b\[(\??)(\d*)(?:;\d+)*([A-Za-z])|(\r)|(\n)|([^\x1b])")


class TinyTerminal(io.StringIO):
    """Lines of text and a cursor; `history` and screen are one, as if the window had no top.

    wide: characters that take two columns here, whatever others think.
    """

    def __init__(self, columns: int = 10_000, wide: str = "") -> None:
        super().__init__()
        self.rows, self.row, self.column = [""], 0, 0
        self.columns, self.wide, self.wraps = columns, wide, True

    def write(self, text: str) -> int:
        for private, number, final, home, down, letter in _SEQUENCE.findall(text):
            if letter:
                self._letter(letter)
            elif home:
                self.column = 0
            elif down:
                self._next_row()
            elif not private:
                self._control(final, int(number or 1))
            elif number == "7":
                self.wraps = final == "h"
        return len(text)

    def _letter(self, letter: str) -> None:
        width = 1 + (letter in self.wide)
        if self.column + width > self.columns:
            if self.wraps:
                self._next_row()
            else:
                self.column = self.columns - width
        line = self.rows[self.row].ljust(self.column)
        self.rows[self.row] = line[: self.column] + letter + " " * (width - 1) + line[self.column + width :]
        self.column += width

    def _next_row(self) -> None:
        self.row, self.column = self.row + 1, 0  # as with OPOST
        self.rows += [""] * (self.row + 1 - len(self.rows))

    def _control(self, final: str, number: int) -> None:
        if final == "A":
            self.row -= number
            assert self.row >= 0, "above the first line"
        elif final == "B":
            self.row = min(self.row + number, len(self.rows) - 1)
        elif final == "C":
            self.column += number
        elif final in "KJ":
            self.rows[self.row] = self.rows[self.row][: self.column]
            if final == "J":
                del self.rows[self.row + 1 :]
        else:
            assert final == "m", f"unexpected sequence {final}"

    def narrow(self, columns: int) -> None:
        """Wraps lines that are too long now, the cursor staying with its character."""
        rows, place = [], (0, 0)
        for number, line in enumerate(self.rows):
            parts = [line[i : i + columns] for i in range(0, max(1, len(line)), columns)]
            if number == self.row:
                place = (len(rows) + self.column // columns, self.column % columns)
            rows += parts
        self.rows, (self.row, self.column) = rows, place

    def shown(self) -> list[str]:
        return [row.rstrip() for row in self.rows]


class TinyScreen(Screen):
    size = (79, 24)


@pytest.fixture
def terminal() -> TinyTerminal:
    terminal = TinyTerminal()
    terminal.write("$ streamtrans live\n")
    return terminal


def block(*lines: str, cursor=(0, 2)) -> Frame:
    return Frame([Text(line) for line in lines], cursor)


def test_a_frame_takes_the_place_of_the_one_before(terminal):
    screen = TinyScreen(terminal)
    screen.draw(block("  one", "  two and more", "  three", cursor=(1, 5)))
    assert (terminal.row, terminal.column) == (2, 5)
    screen.draw(block("  1", "  2", cursor=(0, 3)))
    assert terminal.shown() == ["$ streamtrans live", "  1", "  2"]
    assert (terminal.row, terminal.column) == (1, 3)


def test_what_is_finished_stays_above(terminal):
    screen = TinyScreen(terminal)
    screen.draw(block("  live", "→ viva", "  status"))
    screen.draw(block("  next", "→", "  status"), [Text("  live"), Text("→ viva"), Text()])
    screen.draw(block("  next", "→ o", "  status"))
    assert terminal.shown() == ["$ streamtrans live", "  live", "→ viva", "", "  next", "→ o", "  status"]
    screen.erase()
    assert terminal.shown() == ["$ streamtrans live", "  live", "→ viva", "", ""]


def test_rows_that_the_block_has_taken_are_its_own_until_finished_lines_take_them(terminal):
    screen = TinyScreen(terminal)
    screen.draw(block(*"abcdefghijkl"))
    screen.draw(block("  live", "→ viva", "  status"))  # a third of the height is 8 rows: 5 stay blank below it
    assert terminal.shown() == ["$ streamtrans live", *[""] * 4, "  live", "→ viva", "  status"]
    screen.draw(block("  next", "→", "  status"), [Text("  live"), Text("→ viva"), Text()])
    assert terminal.shown() == ["$ streamtrans live", "  live", "→ viva", "", "", "  next", "→", "  status"]


def test_an_equal_frame_is_not_drawn_again_unless_it_must_be(terminal):
    screen = TinyScreen(terminal)
    written = []
    terminal.write = written.append
    screen.draw(block("  a", "  b"))
    screen.draw(block("  a", "  b"))
    assert len(list(filter(None, written))) == 1
    screen.redraw()
    screen.draw(block("  a", "  b"))
    assert len(list(filter(None, written))) == 2


@pytest.mark.parametrize("columns", [60, 30, 17])
def test_a_narrower_terminal_leaves_nothing_behind(terminal, columns):
    screen = TinyScreen(terminal)
    screen.draw(block("x" * 70, "y" * 50, "→ " + "z" * 60, "status", cursor=(1, 50)))
    terminal.narrow(columns)
    screen.size = (columns - 1, 24)
    screen.draw(block("xx", "yy", "status", cursor=(1, 2)))
    assert terminal.shown()[-3:] == ["xx", "yy", "status"]
    assert not any(set(row) & set("xyz") for row in terminal.shown()[:-3] if "$" not in row and "stream" not in row)


def test_after_something_else_was_shown_it_starts_at_the_cursor(terminal):
    screen = TinyScreen(terminal)
    screen.draw(block("  a", "  b", cursor=(1, 3)))
    terminal.write("\nfg\n")
    screen.forget()
    screen.draw(block("  a", "  b"))
    assert terminal.shown() == ["$ streamtrans live", "  a", "  b", "fg", "  a", "  b"]


def test_a_frame_is_one_write(terminal):
    written = []
    terminal.write = written.append
    TinyScreen(terminal).draw(block("  a", "  b"), [Text("above")])
    assert len(list(filter(None, written))) == 1


@pytest.mark.parametrize(("columns", "wide"), [(40, "👍\U0001f3fd"), (30, "क्षिनमस्ते"), (5, "")])
def test_a_block_is_one_block_whatever_the_terminal_takes_for_wide(columns, wide):
    terminal = TinyTerminal(columns, wide)
    screen, state = TinyScreen(terminal), LiveState("wait-k 3", loading=False, source_language="en")
    screen.size = (columns - 1, 16)
    for typed in "Look at this " + "👍🏽 " * 8 + "क्षि नमस्ते " * 4:
        state.type(typed)
        if typed == " ":
            state.apply(Read(0, 0, state.unread.strip(), 1))
        screen.draw(frame(state, *screen.size))
    assert terminal.wraps
    assert sum("│" in row for row in terminal.shown()) <= 1
    assert len(terminal.shown()) == len(frame(state, *screen.size).lines)


def test_what_is_finished_wraps_and_loses_nothing():
    terminal = TinyTerminal(20, wide="W")
    screen = TinyScreen(terminal)
    screen.size = (19, 16)
    screen.draw(block("  next", "→", "  status"), [Text("W" * 15)])
    assert "".join(terminal.shown()).count("W") == 15
    assert terminal.shown()[-3:] == ["  next", "→", "  status"]
