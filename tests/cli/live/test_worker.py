import threading
from collections.abc import Iterator

import pytest

from streamtrans.cli.live.worker import Opened, Task, Warned, Worker
from streamtrans.cli.shared.stderr import COPIED, CUT
from streamtrans.engine.events import Done, End, Write
from streamtrans.policies import WaitK


class FakeSession:
    """Gives an event per character, and counts a cut at each full stop, and each ж as a foreign word."""

    class settings:
        source_language, target_language = "en", None

    policy = WaitK(3)

    def __init__(self):
        self.finished, self.cuts, self.foreign, self.fed = False, 0, 0, ""

    def events(self, text: str) -> Iterator:
        for character in text:
            if character == "!":
                raise ValueError("a bug")
            self.fed += character
            self.cuts += character == "."
            self.foreign += character == "ж"
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
    assert [getattr(message, "text", message) for message in messages] == ["a", "b", ".", Warned(CUT), "ab.", "ab.", ""]
    worker.stop()


def test_a_worker_tells_once_of_words_that_were_copied():
    woken = threading.Event()
    worker = Worker(FakeSession, woken.set)
    for task in ("aж", "ж", Task.FINISH):
        worker.send(task)
    _, *messages = collect(worker, woken, Done)
    assert [message for message in messages if isinstance(message, Warned)] == [Warned(COPIED)]
    worker.stop()


@pytest.mark.parametrize("make", [FakeSession, lambda: list(FakeSession().events("!"))])
def test_an_error_of_a_worker_is_its_last_message(make):
    woken = threading.Event()
    worker = Worker(make, woken.set)
    worker.send("ok!")
    assert str(collect(worker, woken, ValueError)[-1]) == "a bug"
    worker.stop()
