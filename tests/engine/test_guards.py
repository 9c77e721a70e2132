from hypothesis import given
from hypothesis import strategies as st

from streamtrans.engine.events import Notice
from streamtrans.engine.guards import ANSWER, COPY, LONG, LOOP, SHORT, loop_continuation, suspicion
from streamtrans.policies import WaitK


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


def test_a_target_that_repeats_its_source_is_a_copy():
    assert suspicion("a casa fica longe".split(), "A casa fica longe.".split()) == COPY
    assert suspicion("the house is far".split(), "A casa fica longe.".split()) is None
    assert suspicion("Hello, Maria Silva!".split(), "Hello Maria Silva".split()) is None  # three words may be a name


def test_a_target_far_shorter_than_its_source_ended_early():
    assert suspicion(["word"] * 12, ["palavra", "casa"]) == SHORT
    assert suspicion(["word"] * 12, ["palavra", "casa", "rio"]) is None
    assert suspicion(["word"] * 7, []) is None


def notices(translator, text, policy=None):
    return [event.text for event in translator.session(policy).feed_line(text) if event.type == "notice"]


def test_a_loop_is_stopped_and_said(en_pt):
    """One word, and a phrase, that the model keeps saying."""
    events = en_pt.session().feed_line("zebra " * 30)
    said = [event.text for event in events if event.type == "write"]
    assert [event.type for event in events][-1] == "end"
    assert len(said) <= 2 * 30 + 4
    assert notices(en_pt, "lives near small " * 7) == [LOOP]


def test_a_model_that_never_ends_is_stopped_and_that_is_said_once(random_translator):
    assert notices(random_translator, "a b c d e", WaitK(2)).count(LONG) == 1


def test_good_translations_are_not_suspected(en_pt):
    assert notices(en_pt, "The government said on Monday that it would not change its policy.") == []


def test_text_in_another_language_is_copied_and_that_is_said(en_pt):
    assert notices(en_pt, "A família mora perto do rio e a casa é muito grande.") == [COPY]


def test_a_notice_as_json():
    assert Notice(0, 2, LOOP, 5).as_dict()["type"] == "notice"


def test_a_question_that_comes_out_as_none_is_noticed():
    question = "What is the capital of France?".split()
    assert suspicion(question, ["Paris."], "de") == ANSWER
    assert suspicion(["“Really?”"], ["Ja."], "de") == ANSWER
    assert suspicion(question, "Was ist die Hauptstadt von Frankreich?".split(), "de") is None
    assert suspicion(question, "Ποια είναι η πρωτεύουσα;".split(), "el") is None
    assert suspicion(question, list("フランスの首都はどこですか。"), "ja") is None
    assert suspicion(question, ["เมืองหลวงของฝรั่งเศสคืออะไร"], "th") is None
    assert suspicion("This is so.".split(), "Das ist so.".split(), "de") is None
    assert suspicion(question, [], "de") is None
