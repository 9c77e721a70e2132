from hypothesis import given
from hypothesis import strategies as st

from streamtrans.engine.guards import loop_continuation


def test_a_word_is_said_three_times_at_most():
    assert loop_continuation("a no no".split(), []) is None
    assert loop_continuation("a no no no".split(), []) == "no"


def test_a_phrase_is_said_twice_at_most():
    assert loop_continuation("thank you thank".split(), []) is None
    assert loop_continuation("so thank you thank you".split(), []) == "thank"


def test_as_often_as_the_source_says_it_is_no_loop():
    assert loop_continuation(["não"] * 4, ["no"] * 5 + ["way"]) is None
    assert loop_continuation(["não"] * 5, ["no"] * 5 + ["way"]) == "não"


@given(st.lists(st.sampled_from("abc"), max_size=20), st.lists(st.sampled_from("abc"), max_size=10))
def test_the_continuation_is_a_word_of_the_target(target, source):
    assert loop_continuation(target, source) in (None, *target)
