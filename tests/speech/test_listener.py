"""A recogniser in a thread: what it heard is handed out, whatever happens to it."""

import threading

import numpy as np

from streamtrans.errors import DataError
from streamtrans.speech.agreement import Agreement
from streamtrans.speech.hypotheses import Heard
from streamtrans.speech.listener import Listener
from streamtrans.speech.sound import RATE


class Pieces:
    """A sound of given pieces of a second each; `stop` ends it."""

    live, began = True, 0.0

    def __init__(self, count, error=None):
        self._left, self._error, self.stopped = count, error, threading.Event()

    def read(self, least, most):
        if self.stopped.is_set():
            return np.zeros(0, np.float32)
        self._left -= 1
        if self._left < 0 and self._error:
            raise self._error
        return np.ones(RATE if self._left >= 0 else 0, np.float32)

    def stop(self):
        self.stopped.set()


class Counting:
    """Hears a number for each second; dies when there are more than `most` of them."""

    def __init__(self, most=100, hears=None):
        self._most, self._hears = most, hears

    def speech(self, samples):
        return [(0.0, len(samples) / RATE)]

    def words(self, samples):
        count = len(samples) // RATE
        if self._hears:
            self._hears()
        if count > self._most:
            raise RuntimeError("out of luck")
        return [Heard(f"w{second}", second, second + 0.9) for second in range(count)]


def listened(sound, recogniser, **more):
    listener = Listener(sound, recogniser, Agreement(), lambda: None)
    assert listener.ended.wait(10)
    return listener, [word.text for heed in listener.take() for word in heed.step.words]


def test_all_is_handed_out():
    listener, words = listened(Pieces(5), Counting)
    assert (listener.error, words) == (None, [f"w{second}" for second in range(5)])
    assert listener.heard_until == 5


def test_what_was_heard_before_the_recogniser_died():
    listener, words = listened(Pieces(9), lambda: Counting(most=3))
    assert words == ["w0", "w1", "w2"]
    assert str(listener.error) == "out of luck"


def test_what_was_heard_before_the_sound_failed():
    listener, words = listened(Pieces(3, DataError("the sound broke")), Counting)
    assert words == ["w0", "w1", "w2"]
    assert str(listener.error) == "the sound broke"


def test_a_recogniser_that_cannot_be_made():
    def make():
        raise DataError("no model")

    listener, words = listened(Pieces(3), make)
    assert (str(listener.error), words) == ("no model", [])


def test_when_stopped_it_gives_what_it_held_back():
    sound, calls = Pieces(50), []

    def stop_at_the_third():
        calls.append(1)
        if len(calls) == 3:
            sound.stop()
            listener._stopping = True

    ready = threading.Event()
    make = lambda: ready.wait(10) and Counting(hears=stop_at_the_third)  # noqa: E731
    listener = Listener(sound, make, Agreement(), lambda: None)
    ready.set()
    assert listener.ended.wait(10)
    words = [word.text for heed in listener.take() for word in heed.step.words]
    assert words == [f"w{second}" for second in range(len(words))]
    assert len(words) == len(calls) == 3
    assert not listener.error
