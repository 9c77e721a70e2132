"""Of hypotheses that are revised only what is stable is passed on, once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrans.speech.agreement import Agreement
from streamtrans.speech.hypotheses import Heard, Hypothesis


def said(text: str, final: bool = False, **more) -> Hypothesis:
    return Hypothesis(tuple(map(Heard, text.split())), final, **more)


def timed(text: str, start: float = 0.0, final: bool = False, **more) -> Hypothesis:
    """Half a second for each word."""
    words = [Heard(word, start + i / 2, start + (i + 1) / 2) for i, word in enumerate(text.split())]
    return Hypothesis(tuple(words), final, **more)


def passed(agreement: Agreement, *hypotheses: Hypothesis) -> list[str]:
    return [" ".join(word.text for word in agreement.take(hypothesis).words) for hypothesis in hypotheses]


def revisions(agreement: Agreement, *hypotheses: Hypothesis) -> list[str]:
    return [said for hypothesis in hypotheses if (said := agreement.take(hypothesis).revised)]


def test_two_hypotheses_must_share_a_word_and_the_last_is_held_back():
    steps = passed(Agreement(), said("we"), said("we go"), said("we go to"), said("we go two miles"))
    assert steps == ["", "we", "go", ""]


def test_without_unstable_words_all_that_is_shared_is_passed_on():
    assert passed(Agreement(0), said("we go"), said("we go to")) == ["", "we go"]


def test_a_final_one_is_passed_on_whole():
    assert passed(Agreement(), said("we go"), said("we go to"), said("we go two miles.", True)) == [
        "",
        "we go",
        "two miles.",
    ]


def test_case_and_signs_are_no_difference():
    agreement = Agreement()
    assert passed(agreement, said("well go"), said("Well, go on"), said("Well; go on.", True)) == [
        "",
        "Well, go",
        "on.",
    ]
    assert not revisions(Agreement(), said("well go on"), said("Well, go on"), said("Well; go on.", True))


def test_silence_and_lines_said_twice_change_nothing():
    agreement = Agreement()
    assert passed(agreement, said("we go"), said("we go"), said(""), said("we go"), said("we go on")) == [
        "",
        "",
        "",
        "",
        "we go",
    ]


def test_a_final_one_said_twice_with_its_times_is_passed_on_once():
    assert passed(Agreement(), timed("no", final=True), timed("no", final=True)) == ["no", ""]
    assert passed(Agreement(), timed("no", final=True), timed("no", 2.0, final=True)) == ["no", "no"]


def test_an_utterance_that_has_ended_is_over():
    late = said("no no", utterance="1"), said("no", True, utterance="1")
    assert passed(Agreement(), said("no", True, utterance="1"), *late) == ["no", "", ""]


def test_an_utterance_that_gives_way_to_another_counts_as_final():
    assert passed(Agreement(), said("we go", utterance="1"), said("no", True, utterance="2")) == ["", "we go no"]


def test_what_a_recogniser_held_when_it_fell_silent():
    agreement = Agreement()
    agreement.take(said("we go home"))
    assert agreement.pending
    assert [word.text for word in agreement.flush()] == ["we", "go", "home"]
    assert not agreement.pending
    assert passed(agreement, said("we go home now", True)) == ["now"]


def test_words_that_repeat_in_silence_are_dropped_once_said():
    loop = Hypothesis(timed("Thank you.", 9).words, doubtful=True)
    assert passed(Agreement(), loop, loop, timed("Thank you.", 20.0, True)) == ["Thank you.", "", "Thank you."]


def test_a_revision_is_said_once_and_not_passed_on_again():
    agreement = Agreement(0)
    hypotheses = said("I see two"), said("I see two"), said("I see two"), said("I see two blue")
    assert not revisions(agreement, *hypotheses)
    assert revisions(agreement, said("I sea too blue"), said("I sea too blue birds")) == [
        "revised: fed 'see two', recogniser now says 'sea too'"
    ]
    assert passed(agreement, said("I sea too blue birds fly", True)) == ["birds fly"]


@pytest.mark.parametrize("make", [said, timed])
def test_a_word_more_or_less_before_what_was_passed_on_shifts_the_rest(make):
    agreement = Agreement(0)
    passed(agreement, make("we go home"), make("we go home now"))
    assert passed(agreement, make("so we go home now then", final=True)) == ["now then"]
    agreement = Agreement(0)
    passed(agreement, make("so we go home"), make("so we go home now"))
    assert passed(agreement, make("we go home now then", final=True)) == ["now then"]


def test_by_their_times_words_that_split_another_are_not_passed_on():
    agreement = Agreement(0)
    passed(agreement, timed("to day"), timed("to day is"))
    split = Hypothesis((Heard("to", 0, 0.5), Heard("a", 0.5, 0.7), Heard("d", 0.7, 0.9), Heard("is", 1.1, 1.5)))
    assert passed(agreement, split) == ["is"]


def test_the_same_word_may_be_timed_anew():
    agreement = Agreement(0)
    passed(agreement, timed("very very"), timed("very very good"))
    assert passed(agreement, timed("very very very good", 0.4, final=True)) == ["very good"]


def test_a_hypothesis_that_begins_later_goes_on_after_what_was_passed_on():
    agreement = Agreement(0)
    passed(agreement, timed("no we go no"), timed("no we go no no"))
    assert passed(agreement, timed("no no yes", 4.0, final=True)) == ["no no yes"]


def test_an_utterance_without_end_is_bounded():
    agreement = Agreement(0)
    for minute in range(100):
        agreement.take(timed("a b c " * 50, 75.0 * minute))
        agreement.take(timed("a b c " * 50 + "d", 75.0 * minute))
    assert len(agreement._passed) == 2000


words = st.lists(st.sampled_from(["a", "b", "B.", "c", "dd"]), max_size=8)
streams = st.lists(st.tuples(words, st.booleans()), max_size=8)


@given(words, st.lists(st.integers(0, 8), max_size=12), st.integers(0, 3), st.booleans())
def test_a_recogniser_that_only_adds_words_gives_its_final_words(spoken, lengths, unstable, with_times):
    agreement, make = Agreement(unstable), timed if with_times else said
    hypotheses = [make(" ".join(spoken[:length])) for length in sorted(lengths)]
    steps = passed(agreement, *hypotheses, make(" ".join(spoken), final=True))
    assert " ".join(steps).lower().replace(".", "").split() == " ".join(spoken).lower().replace(".", "").split()


@given(streams, st.integers(0, 3))
def test_no_time_of_the_speech_is_passed_on_twice(stream, unstable):
    agreement, end = Agreement(unstable), 0.0
    for text, final in stream:
        for word in agreement.take(timed(" ".join(text), final=final, utterance="1")).words:
            assert word.middle > end
            end = word.end


@given(streams, st.integers(0, 3))
def test_not_more_words_are_passed_on_than_the_longest_hypothesis_has(stream, unstable):
    agreement = Agreement(unstable)
    count = sum(len(agreement.take(said(" ".join(text), utterance="1")).words) for text, _ in stream)
    assert count <= max((len(text) for text, _ in stream), default=0)


@given(streams, st.integers(0, 3))
def test_lines_said_twice_change_nothing_anywhere(stream, unstable):
    once, twice = Agreement(unstable), Agreement(unstable)
    for text, _final in stream:
        hypothesis = said(" ".join(text))
        assert once.take(hypothesis) == twice.take(hypothesis)
        assert not twice.take(hypothesis).words
        assert not twice.take(said("")).words
