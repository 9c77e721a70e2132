import io
import json
import threading
from collections.abc import Iterator

import pytest

from streamtrans.cli.live.display import EchoDisplay, LiveDisplay
from streamtrans.cli.live.screen import Screen
from streamtrans.cli.live.worker import Cut, Opened, Task, Worker
from streamtrans.cli.shared.event_text import Words, between, json_line
from streamtrans.cli.shared.stderr import CUT, OnceWarning
from streamtrans.engine.events import Done, End, Read, Revise, Write
from streamtrans.policies import WaitK

EVENTS = [
    Read(0, 0, "Good", 1, 1.0),
    Read(0, 1, "day.", 2, 2.0),
    Write(0, 0, "Bom", 2, 3.0),
    Revise(0, 0, "Boa", 2, 3.5),
    Write(0, 1, "dia.", 2, 4.0),
    End(0, 2, "Boa dia.", 2, 5.0),
    Done(1, 0, "", 0, 6.0),
]


def written(writer) -> str:
    return "".join(map(writer, EVENTS))


def test_words_and_lines():
    assert written(Words("pt")) == "Bom dia.\n"
    assert written(Words("ja")) == "Bomdia.\n"
    assert written(Words("pt", revises=True)) == "Boa dia.\n"


def test_words_between_what_is_typed():
    assert written(between) == "[Bom] [Boa] [dia.] \nBoa dia.\n"


def test_events_as_json_lines():
    lines = written(json_line).splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["read", "read", "write", "revise", "write", "end", "done"]
    assert json_line(Write(0, 0, "à", 1, 0.0)).startswith('{"type": "write", "sentence": 0, "index": 0, "text": "à"')


def test_an_echo_lets_unread_letters_step_aside():
    stream = io.StringIO()
    display = EchoDisplay(stream, stream, lambda _: between, together=True)
    display.opened(Opened("en", "pt", WaitK(1)))
    display.typed("day fo")
    display.event(EVENTS[2], "fo")
    assert stream.getvalue() == "day fo" + "\b \b" * 2 + "[Bom] fo"


class FakeSession:
    """Gives an event per character, and counts a cut at each full stop."""

    class settings:
        source_language, target_language = "en", None

    policy = WaitK(3)

    def __init__(self):
        self.finished, self.cuts, self.fed = False, 0, ""

    def events(self, text: str) -> Iterator:
        for character in text:
            if character == "!":
                raise ValueError("a bug")
            self.fed += character
            self.cuts += character == "."
            yield Write(0, len(self.fed), character, 0, 0.0)

    def end_sentence(self) -> list:
        return [End(0, 0, self.fed, 0, 0.0)]

    def finish(self) -> list:
        self.finished = True
        return [*self.end_sentence(), Done(1, 0, "", 0, 0.0)]


def collect(worker: Worker, woken: threading.Event, last: type) -> list:
    messages = []
    while not any(isinstance(message, last) for message in messages):
        assert woken.wait(60)
        woken.clear()
        messages += worker.take()
    return messages


def test_a_worker_answers_in_order():
    woken = threading.Event()
    worker = Worker(FakeSession, woken.set)
    for task in ("ab", ".", Task.END_SENTENCE, Task.FINISH):
        worker.send(task)
    opened, *messages = collect(worker, woken, Done)
    assert opened == Opened("en", "", FakeSession.policy)
    assert [getattr(message, "text", message) for message in messages] == ["a", "b", ".", Cut(), "ab.", "ab.", ""]
    worker.stop()


@pytest.mark.parametrize("make", [FakeSession, lambda: list(FakeSession().events("!"))])
def test_an_error_of_a_worker_is_its_last_message(make):
    woken = threading.Event()
    worker = Worker(make, woken.set)
    worker.send("ok!")
    assert str(collect(worker, woken, ValueError)[-1]) == "a bug"
    worker.stop()


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


def test_the_warning_of_long_sentences_comes_once_and_at_once(capsys):
    warn = OnceWarning(CUT)
    told = []
    for cuts in (0, 1, 1, 2):
        warn(cuts)
        told.append(capsys.readouterr().err)
    assert told == ["", f"streamtrans: warning: {CUT}\n", "", ""]
