"""Lines of recognisers: which words they say, when, and whether that stands."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamtrans.errors import DataError
from streamtrans.speech.hypotheses import Heard, Hypothesis, read_hypothesis, spaced_words


def read(**fields) -> Hypothesis:
    return read_hypothesis(json.dumps(fields))


def test_text_alone_is_final():
    assert read(text=" Good morning. ") == Hypothesis((Heard("Good"), Heard("morning.")))


@pytest.mark.parametrize("name", ["is_final", "final"])
def test_a_line_says_whether_it_stands(name):
    assert not read(text="Good", **{name: False}).final
    assert read(text="Good", **{name: True}).final


def test_words_of_a_segment_share_its_time_by_their_letters():
    (a, b) = read(text="ab cdef", start=1.0, end=4.0).words
    assert (a, b) == (Heard("ab", 1.0, 2.0), Heard("cdef", 2.0, 4.0))


def test_vosk():
    assert read(partial="good mor") == Hypothesis((Heard("good"), Heard("mor")), final=False)
    result = [{"word": "good", "start": 0.1, "end": 0.4, "conf": 1.0}, {"word": "day", "start": 0.4, "end": 0.8}]
    assert read(text="good day", result=result) == Hypothesis((Heard("good", 0.1, 0.4), Heard("day", 0.4, 0.8)))
    assert read(text="") == Hypothesis(())


def test_pieces_of_whisper_without_a_space_belong_to_the_word_before():
    pieces = [(" twenty", 0.0, 0.5), ("-five", 0.5, 0.8), (" dollars.", 0.9, 1.2)]
    words = [{"word": text, "start": start, "end": end, "probability": 0.9} for text, start, end in pieces]
    said = read(text=" twenty-five dollars.", start=0.0, end=1.2, words=words).words
    assert said == (Heard("twenty-five", 0.0, 0.8), Heard("dollars.", 0.9, 1.2))


def test_a_word_of_pieces_has_both_times_or_none():
    pieces = [
        Heard(" a", 0.0, 0.5),
        Heard("b"),
        Heard(" c"),
        Heard("d", 1.0, 2.0),
        Heard(" e", 2.0, 3.0),
        Heard("f", 1.0, 2.5),
    ]
    assert spaced_words(pieces) == (Heard("ab", 0.0, 0.5), Heard("cd"), Heard("ef", 2.0, 3.0))


def test_pieces_of_which_none_has_a_space_are_words():
    words = [{"word": text, "start": i, "end": i + 1} for i, text in enumerate(["今日", "は"])]
    assert read(text="今日は", words=words).words == (Heard("今日", 0, 1), Heard("は", 1, 2))


def test_lists_have_milliseconds():
    said = read(words=[["Good", 100, 400], ["day", None, None]], is_final=False, utterance_id=7)
    assert said == Hypothesis((Heard("Good", 0.1, 0.4), Heard("day")), final=False, utterance="7")


def test_text_counts_where_the_words_are_malformed():
    assert read(text="good day", words=[{"w": "good"}]).words == (Heard("good"), Heard("day"))


def test_text_counts_where_the_words_are_not_all_of_it():
    result = [{"word": "good", "start": 0.1, "end": 0.4}]
    assert read(text="good day", result=result).words == (Heard("good"), Heard("day"))


@pytest.mark.parametrize("time", [-1, "0:01", True, float("nan"), float("inf"), 10**400, None])
def test_a_time_that_cannot_be_is_none(time):
    assert read(words=[{"word": "good", "start": time, "end": 3}], text="good").words == (Heard("good"),)


def test_doubtful_are_words_in_silence_or_without_time():
    assert read(text="Thank you.", no_speech_prob=0.9).doubtful
    assert read(text="Thank you.", start=3, end=3).doubtful
    assert not read(text="Thank you.", start=3, end=4, no_speech_prob=0.1).doubtful
    assert not read(text="Thank you.").doubtful


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("good day", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('"good"', "no JSON object"),
        ("{}", "no text"),
        ('{"text": 3}', "no text"),
        ('{"partial": null}', "no text"),
        ('{"words": [1]}', "no text"),
    ],
)
def test_a_line_that_says_nothing_is_refused(line, said):
    with pytest.raises(DataError, match=f"^{said}$"):
        read_hypothesis(line)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["text", "start", "end", "words", "result"]), st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-3, 9) | st.text(max_size=5),

    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["word", "start", "end"]), inner),
    max_leaves=6,
)))  # fmt: skip
def test_any_object_gives_words_in_one_piece_or_a_complaint(fields):
    try:
        said = read(**fields)
    except DataError:
        return
    for word in said.words:
        assert word.text.split() == [word.text]
        assert (word.start is None) == (word.end is None)
        assert word.start is None or 0 <= word.start <= word.end
