"""`streamtrans live` in tmux, which wraps lines again when a window is resized, as many terminals do."""

import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import COMMAND, TIMEOUT

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")


class Window:
    """The command in a tmux of its own, below ten lines of something else."""

    def __init__(self, socket: Path):
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        command = f"seq 10; exec {shlex.join([*COMMAND, 'live'])}"
        self.do("new-session", "-d", "-x", "80", "-y", "24", f"sh -c {shlex.quote(command)}")
        self.wait_for("Ctrl-D the session")

    def do(self, *words: str) -> str:
        return subprocess.run([*self._tmux, *words], capture_output=True, text=True, timeout=TIMEOUT).stdout

    def lines(self) -> list[str]:
        """The scrollback and the screen, without the ten lines."""
        return self.do("capture-pane", "-p", "-S", "-1000").rstrip().split("\n")[10:]

    def wait_for(self, text: str) -> None:
        end = time.monotonic() + TIMEOUT
        while text not in "\n".join(self.lines()):
            assert time.monotonic() < end, self.lines()
            time.sleep(0.05)

    def resize(self, columns: int, last_line: str) -> None:
        """Another width; waits until the line that only a drawing at that width has is shown."""
        self.do("resize-window", "-x", str(columns), "-y", "24")
        self.wait_for(last_line)


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
