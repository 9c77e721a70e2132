"""A window over sound that grows: each word once, at its time, and bounded work."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrans.speech.agreement import Agreement
from streamtrans.speech.hypotheses import Heard
from streamtrans.speech.sound import RATE
from streamtrans.speech.window import LONGEST_STEP, Window


class Reader:
    """Reads the numbers of words in the samples; one that is cut off at the end is heard as "um"."""

    def __init__(self):
        self.longest, self.calls = 0.0, 0

    def speech(self, samples):
        at = np.flatnonzero(samples)
        return [(at[0] / RATE, (at[-1] + 1) / RATE)] if len(at) else []

    def words(self, samples):
        self.longest, self.calls = max(self.longest, len(samples) / RATE), self.calls + 1
        found = []
        for number in dict.fromkeys(samples[samples > 0].tolist()):
            at = np.flatnonzero(samples == number)
            whole = len(at) > 0.45 * RATE or at[0] == 0
            found.append(Heard(str(int(number)) if whole else "um", at[0] / RATE, (at[-1] + 1) / RATE))
        return found


def talk(gaps: list[float]) -> np.ndarray:
    """A word of half a second after each gap, the words numbered from 1."""
    parts = [np.zeros(0, np.float32)]
    for number, gap in enumerate(gaps, 1):
        parts += [np.zeros(int(gap * RATE), np.float32), np.full(RATE // 2, number, np.float32)]
    return np.concatenate(parts)


def heard(samples: np.ndarray, size: int, reader=None) -> list[Heard]:
    window = Window(reader or Reader(), Agreement())
    steps = [s for at in range(0, len(samples), size) for s in window.hear(samples[at : at + size])]
    return [word for step in [*steps, window.finish()] for word in step.words]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.1, 0.4, 1.5, 30.0]), max_size=60), st.integers(RATE // 2, 3 * RATE))
def test_every_word_comes_once_and_at_its_time(gaps, size):
    samples = talk(gaps)
    words = heard(samples, size)
    assert [word.text for word in words] == [str(number) for number in range(1, len(gaps) + 1)]
    for number, word in enumerate(words, 1):
        at = np.flatnonzero(samples == number)
        assert abs(word.start - at[0] / RATE) < 0.01 or word.start >= at[0] / RATE
        assert abs(word.end - (at[-1] + 1) / RATE) < 0.01


def test_sound_that_is_all_there_is_taken_in_steps_that_a_recogniser_can_bear():
    reader = Reader()
    words = heard(talk([0.0] * 240), 10**9, reader)
    assert [word.text for word in words] == [str(number) for number in range(1, 241)]
    assert reader.longest <= 30


def test_speech_without_a_pause_is_cut_so_that_a_step_stays_bounded():
    reader = Reader()
    heard(talk([0.0] * 240), RATE, reader)
    assert reader.longest <= 22


def test_ten_minutes_of_silence_say_nothing_and_are_never_recognised():
    reader = Reader()
    assert heard(np.zeros(600 * RATE, np.float32), LONGEST_STEP, reader) == []
    assert reader.calls == 0


def test_words_that_were_held_back_are_given_up_without_recognising_more():
    reader = Reader()
    window = Window(reader, Agreement())
    assert not [word for step in window.hear(talk([0.0, 0.0])) for word in step.words]
    calls = reader.calls
    assert [word.text for word in window.give_up().words] == ["1", "2"]
    assert reader.calls == calls
