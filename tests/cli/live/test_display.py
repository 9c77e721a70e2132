import io

from streamtrans.cli.live.display import EchoDisplay, LiveDisplay
from streamtrans.cli.live.screen import Screen
from streamtrans.cli.live.worker import Opened
from streamtrans.cli.shared.event_text import between
from streamtrans.engine.events import Write
from streamtrans.policies import WaitK


def test_an_echo_lets_unread_letters_step_aside():
    stream = io.StringIO()
    display = EchoDisplay(stream, stream, lambda _: between, together=True)
    display.opened(Opened("en", "pt", WaitK(1)))
    display.typed("day fo")
    display.event(Write(0, 0, "Bom", 2, 3.0), "fo")
    assert stream.getvalue() == "day fo" + "\b \b" * 2 + "[Bom] fo"


class FakeScreen(Screen):
    """Keeps the lines that are to scroll up."""

    size = (39, 24)

    def __init__(self):
        super().__init__(io.StringIO())
        self.above = []

    def draw(self, frame, above=()):
        self.above.append([line.plain for line in above])


def test_the_live_view_keeps_a_warning_above():
    display = LiveDisplay(screen := FakeScreen(), "en-pt")
    display.warn("too long")
    display.refresh()
    display.refresh()
    assert screen.above == [["  too long"], []]


def test_a_warning_wraps_between_words():
    display = LiveDisplay(screen := FakeScreen(), "en-pt")
    display.warn("words in a script that the source language does not use were copied")
    display.refresh()
    assert screen.above == [["  words in a script that the source", "  language does not use were copied"]]
