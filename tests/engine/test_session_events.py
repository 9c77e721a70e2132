"""`Session.events`: events as they come, and none lost when the caller stops or the input is not UTF-8."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrans.errors import DataError
from streamtrans.policies import WaitK

TEXT = "I would go. Thank you.\nAnd you?"


def seen(events):
    return [(event.type, event.sentence, event.index, event.text, event.delay) for event in events]


@pytest.fixture(scope="module")
def whole(random_translator):
    session = random_translator.session(WaitK(2))
    return seen(session.feed(TEXT) + session.finish())


def test_they_are_those_of_feed(random_translator, whole):
    session = random_translator.session(WaitK(2))
    assert seen([*session.events(TEXT), *session.finish()]) == whole


def test_each_word_is_there_before_the_next_is_read(random_translator):
    session = random_translator.session(WaitK(1))
    events = session.events("one two three ")
    assert [next(events).type for _ in range(2)] == ["read", "write"]
    assert session.cuts == 0
    assert session.settings is random_translator.settings


@settings(deadline=None, max_examples=8)
@given(stop=st.integers(0, 8))
def test_a_caller_that_stops_gets_the_rest_of_a_word_with_the_next_call(random_translator, whole, stop):
    session = random_translator.session(WaitK(2))
    events, found = session.events(TEXT), []
    for _ in range(stop):
        found.append(next(events))
    events.close()
    found += session.end_sentence()
    words = [event.text for event in found if event.type == "read"]
    assert words == TEXT.split()[: len(words)]
    again = random_translator.session(WaitK(2))
    assert seen(again.feed("".join(word + " " for word in words)) + again.end_sentence()) == seen(found)


@settings(deadline=None, max_examples=12)
@given(cut=st.integers(0, len(TEXT)))
def test_text_before_bytes_that_are_not_utf8_is_translated(random_translator, cut):
    before, after = TEXT[:cut].encode(), TEXT[cut:].encode()
    session, plain = random_translator.session(WaitK(2)), random_translator.session(WaitK(2))
    found, events = [], session.events(before + b"\xff" + after)
    with pytest.raises(DataError, match="0xff"):
        found += iter(lambda: next(events), None)
    assert seen(found + session.finish()) == seen(plain.feed(before) + plain.finish())


def test_feed_keeps_the_events_before_an_error_for_the_next_call(random_translator):
    session, plain = random_translator.session(WaitK(2)), random_translator.session(WaitK(2))
    with pytest.raises(DataError):
        session.feed(b"I would like \xff to go")
    assert seen(session.end_sentence()) == seen(plain.feed("I would like ") + plain.end_sentence())
