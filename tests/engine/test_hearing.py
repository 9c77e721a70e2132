"""Words as a recogniser heard them: their times come back in the events, and nothing else changes."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamtrans.policies import WaitK

quick = settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


def untimed(events):
    return [(e.type, e.sentence, e.index, e.text, e.delay) for e in events]


def heard(session, words):
    events = [e for i, word in enumerate(words) for e in session.hear(word, 400.0 * i, 400.0 * i + 300)]
    return events + session.finish()


@quick
@given(st.lists(st.text("abé.,U", min_size=1, max_size=6), max_size=12))
def test_heard_words_give_the_events_of_their_text(random_translator, words):
    session = random_translator.session(WaitK(2))
    assert untimed(heard(random_translator.session(WaitK(2)), words)) == untimed(
        session.feed(" ".join(words)) + session.finish()
    )


def test_each_word_keeps_its_own_times_even_if_it_waits_for_what_follows(random_translator):
    words = "In the U.S. people say so. Others do not.".split()
    reads = [e for e in heard(random_translator.session(WaitK(1)), words) if e.type == "read"]
    assert [(e.text, e.start_ms, e.end_ms) for e in reads] == [
        (word, 400.0 * i, 400.0 * i + 300) for i, word in enumerate(words)
    ]


def test_characters_have_the_times_of_their_word(random_translator):
    from dataclasses import replace

    translator = replace(random_translator, settings=replace(random_translator.settings, source_language="ja"))
    session = translator.session(WaitK(1))
    events = [*session.hear("今日", 0.0, 500.0), *session.hear("は。", 500.0, 800.0), *session.finish()]
    assert [(e.text.strip(), e.end_ms) for e in events if e.type == "read"] == [
        ("今", 500.0), ("日", 500.0), ("は", 800.0), ("。", 800.0)
    ]  # fmt: skip


def test_a_translated_word_tells_what_had_been_said_by_then(en_pt):
    words = "Thank you very much for your help.".split()
    for event in heard(en_pt.session(WaitK(3)), words):
        if event.type == "write":
            assert event.end_ms == 400.0 * (event.delay - 1) + 300


def test_json_has_times_of_speech_only_where_there_are_some(en_pt):
    (read, *_) = en_pt.session(WaitK(1)).hear("Hello", 100.0, 400.00049)
    assert read.as_dict() | {"time_ms": 0} == {
        "type": "read", "sentence": 0, "index": 0, "text": "Hello", "delay": 1, "time_ms": 0,
        "start_ms": 100.0, "end_ms": 400.0,
    }  # fmt: skip
