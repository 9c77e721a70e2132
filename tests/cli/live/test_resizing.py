"""`streamtrans live` in tmux, which wraps lines again when a window is resized, as many terminals do."""

import shlex
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import COMMAND, TIMEOUT

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")


class Window:
    """The command in a tmux of its own, below `above` lines of something else."""

    def __init__(self, socket: Path, columns: int = 80, rows: int = 24, above: int = 10):
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        self._above = above
        command = f"seq {above}; exec {shlex.join([*COMMAND, 'live'])}"
        self.do("new-session", "-d", "-x", str(columns), "-y", str(rows), f"sh -c {shlex.quote(command)}")
        self.wait_for("Ctrl-D")

    def do(self, *words: str) -> str:
        return subprocess.run([*self._tmux, *words], capture_output=True, text=True, timeout=TIMEOUT).stdout

    def lines(self) -> list[str]:
        """The scrollback and the screen, without what stands above."""
        return self.do("capture-pane", "-p", "-S", "-1000").rstrip().split("\n")[self._above :]

    def wait_for(self, text: str) -> None:
        end = time.monotonic() + TIMEOUT
        while text not in "\n".join(self.lines()):
            assert time.monotonic() < end, self.lines()
            time.sleep(0.05)

    def resize(self, columns: int, last_line: str) -> None:
        """Another width; waits until the line that only a drawing at that width has is shown."""
        self.do("resize-window", "-x", str(columns), "-y", "24")
        self.wait_for(last_line)

    def settle(self, *sizes: tuple[int, int]) -> list[str]:
        """Other sizes, one soon after the other; the lines once they have been the same for a while."""
        for columns, rows in sizes:
            self.do("resize-window", "-x", str(columns), "-y", str(rows))
            time.sleep(0.1)
        shown, since = self.lines(), time.monotonic()
        while time.monotonic() < since + 0.8:
            time.sleep(0.1)
            if (now := self.lines()) != shown:
                shown, since = now, time.monotonic()
        return shown


@pytest.fixture
def window(tmp_path) -> Iterator[Window]:
    window = Window(tmp_path / "tmux")
    yield window
    window.do("kill-server")


def test_resizing_leaves_no_copy_and_takes_nothing_away(window):
    window.do(
        "send-keys", "-l", "Good morning. I would like to book a table for two people tomorrow evening, and then we "
    )
    window.wait_for("then we │\n→ Gostaria")
    for columns, line in [(40, "for two\n  people"), (80, "two people tomorrow evening, and then we │")] * 2:
        window.resize(columns, line)
    lines = window.lines()
    first = lines.index("  Good morning.")
    assert lines[first + 1].startswith("→ ")
    assert lines[first + 2] == ""
    assert lines[first + 3] == "  I would like to book a table for two people tomorrow evening, and then we │"
    assert sum("behind" in line for line in lines) == 1
    assert len(lines) == first + 6


@pytest.mark.parametrize(
    ("first", "steps"),
    [
        ((80, 24), [[(40, 24)], [(80, 24)]] * 4),
        ((80, 24), [*([(width, 24)] for width in range(74, 20, -6)), [(80, 24)]]),
        ((80, 24), [[(width, 24) for width in range(79, 39, -3)], [(width, 24) for width in range(41, 81, 3)]]),
        ((80, 24), [[(30, 24), (80, 24)] * 4]),
        ((30, 8), [[(80, 24)], [(30, 24)], [(80, 8)], [(80, 24)]]),
    ],
    ids=["to and fro", "narrower and narrower", "dragged", "quickly to and fro", "from a small one"],
)
def test_at_the_top_of_a_window_resizing_leaves_no_copy(tmp_path, first, steps):
    window = Window(tmp_path / "tmux", *first, above=0)
    try:
        window.do(
            "send-keys", "-l", "Thank you. I would like to book a table for two people tomorrow evening, and then we "
        )
        window.wait_for("we │")
        for sizes in steps:
            lines = window.settle(*sizes)
    finally:
        window.do("kill-server")
    words = Counter(" ".join(lines).split())
    once = "Thank you. would like book table two people tomorrow evening, then │ behind"
    assert {word: words[word] for word in once.split() if words[word] != 1} == {}
