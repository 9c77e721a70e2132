from copy import copy
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamtrans.engine.passes import Prediction
from streamtrans.engine.session import Session
from streamtrans.engine.stream import Stream
from streamtrans.errors import DataError, UsageError
from streamtrans.policies import Boundary, Confident, MaxLag, WaitK, WaitKFlush

SENTENCE = "I would like to book a table for two people tomorrow evening."
TEXT = st.text("abc .,\nÉ€", max_size=40)
POLICY = st.sampled_from([WaitK(1), WaitK(3), WaitK(float("inf")), Boundary(4), WaitKFlush(2), MaxLag(Boundary(), 2)])
quick = settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


def events(session, pieces):
    found = [event for piece in pieces for event in session.feed(piece)] + session.finish()
    return [(event.type, event.sentence, event.index, event.text, event.delay) for event in found]


@quick
@given(text=TEXT, policy=POLICY, cuts=st.lists(st.integers(0, 80), max_size=8))
def test_any_cut_of_the_bytes_gives_the_same_events(random_translator, text, policy, cuts):
    data = text.encode()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    assert events(random_translator.session(policy), pieces) == events(random_translator.session(policy), [text])


@quick
@given(text=TEXT, policy=POLICY)
def test_every_word_is_read_once_and_nothing_is_written_before_it_could_be(random_translator, text, policy):
    found = events(random_translator.session(policy), [text])
    assert [e[3] for e in found if e[0] == "read"] == text.split()
    for sentence in range(found[-1][1]):
        own = [e for e in found if e[1] == sentence and e[0] != "done"]
        assert own[-1][0] == "end"
        written = [e for e in own if e[0] == "write"]
        assert [e[2] for e in written] == list(range(len(written)))
        assert [e[4] for e in written] == sorted(e[4] for e in written)
        assert own[-1][3] == " ".join(e[3] for e in written)
        assert all(1 <= e[4] <= own[-1][4] for e in written)


@pytest.mark.parametrize("k", [1, 3, 5, 40])
def test_wait_k_delays_on_the_embedded_model(en_pt, k):
    found = en_pt.session(WaitK(k)).feed(SENTENCE + "\n")
    written = [event for event in found if event.type == "write"]
    assert all(e.delay >= min(k + e.index, 12) for e in written)
    assert written[0].delay == min(k, 12)


def test_it_translates(en_pt):
    text = en_pt.translate(SENTENCE, WaitK(3)).lower()
    assert "mesa" in text
    assert "duas pessoas" in text
    assert "amanhã" in text


def test_the_first_word_comes_before_the_source_ends(en_pt):
    kinds = [event.type for event in en_pt.session(WaitK(3)).feed("I would like to book")]
    assert kinds == ["read", "read", "read", "write", "read", "write"]


def test_each_sentence_starts_afresh(en_pt):
    alone = [e.text for e in en_pt.session(WaitK(3)).feed("Where is the station?\n") if e.type == "write"]
    session = en_pt.session(WaitK(3))
    session.feed(SENTENCE + " ")
    assert [e.text for e in session.feed("Where is the station?\n") if e.type == "write"] == alone


def test_a_line_is_one_instance(en_pt):
    session = en_pt.session(WaitK(3))
    found = session.feed_line("It rains. We stay at home.")
    assert [e.type for e in found].count("end") == 1
    assert session.feed_line("   ") == []


def test_end_of_sentence_before_the_end_of_source_reads_on(en_pt):
    found = en_pt.session(WaitK(1)).feed_line("We went home because it had begun to rain heavily in the afternoon.")
    assert found[-1].type == "end"
    assert found[-1].delay == 13


def test_long_input_without_punctuation_is_segmented(random_translator):
    session = random_translator.session(WaitK(2))
    found = session.feed_line("word " * 100) + session.finish()
    assert [e.delay for e in found if e.type == "read"] == list(range(1, 101))
    assert session.cuts == 6
    assert [e.type for e in found].count("end") == 1
    assert max(e.delay for e in found if e.type == "write") == 100


def test_a_segment_closes_at_the_first_clause_mark_beyond_its_limit(random_translator):
    session = random_translator.session(WaitK(float("inf")))
    found = session.feed("a b c d e f g h i, j k l m, n o p\n")
    assert next(e.delay for e in found if e.type == "write") == 13
    assert session.cuts == 1


def test_a_sentence_within_the_limit_is_never_cut(random_translator):
    session = random_translator.session(WaitK(float("inf")))
    found = session.feed("a b c d e f g h i, j, k, l\n")
    assert next(e.delay for e in found if e.type == "write") == 12
    assert session.cuts == 0


def test_end_mark_right_after_a_full_segment_writes_nothing_new(random_translator):
    session = random_translator.session(WaitK(2))
    before = [event for _ in range(15) for event in session.feed_word("word")]
    after = session.end_sentence()
    assert [e.type for e in before if e.type != "notice"][-1] == "write"
    assert [e.type for e in after] == ["end"]


def test_a_newline_ends_the_sentence_with_its_last_word(en_pt):
    line = "hello my dear old friend"
    live = en_pt.session(WaitK(3)).feed(line + "\n")
    file = en_pt.session(WaitK(3)).feed_line(line)
    assert [(e.type, e.text, e.delay) for e in live] == [(e.type, e.text, e.delay) for e in file]


def test_words_that_the_model_cannot_see_write_nothing(en_pt):
    for k in (1, 3):
        found = en_pt.session(WaitK(k)).feed("\u200b \u200b \u200b \u200b\n")
        assert [e.type for e in found] == ["read"] * 4 + ["end"]


def test_a_byte_order_mark_is_no_text(en_pt):
    found = en_pt.session(WaitK(1)).feed(b"\xef\xbb\xbfHello my friend.\n")
    assert [e.text for e in found if e.type == "read"] == ["Hello", "my", "friend."]


@pytest.mark.parametrize("long", ["1234567890" * 9, "https://example.com/" + "9a8b7c6d" * 9])
def test_a_word_of_many_tokens_does_not_end_the_sentence(en_pt, long):
    found = en_pt.session(WaitK(3)).feed_line(f"Please open {long} and send me the report tomorrow morning.")
    lengths = [len(e.text) for e in found if e.type == "write"]
    assert len(lengths) - lengths.index(next(n for n in lengths if n > 40)) > 3


def test_an_endless_word_is_cut(random_translator):
    runner = Noting(random_translator.executor.runner(WaitK(1)))
    session = Session(Stream(random_translator.tokenizer, random_translator.settings, WaitK(1)), [runner])
    assert session.feed("x" * 5000 + " and more\n")[-1].type == "end"
    assert session.cuts >= 1
    assert sum(len(request.source) + len(request.target) - request.take_back for request in runner.requests) < 1000


def test_bytes_that_are_not_utf8(random_translator):
    session = random_translator.session(WaitK(1))
    session.feed(b"ok ")
    with pytest.raises(DataError, match="0xff"):
        session.feed(b"\xff")
    assert session.finish()[-1].type == "done"


def test_ending_inside_a_character_loses_nothing_before_it(random_translator):
    session = random_translator.session(WaitK(3))
    session.feed(b"ok th\xc3")
    with pytest.raises(DataError, match="unexpected end"):
        session.finish()
    found = session.finish()
    assert [e.text for e in found if e.type == "read"] == ["th"]
    assert [e.type for e in found][-2:] == ["end", "done"]


def test_a_finished_session_takes_nothing(random_translator):
    session = random_translator.session(WaitK(1))
    assert session.finish()[-1].type == "done"
    assert session.finish() == []
    with pytest.raises(UsageError):
        session.feed("more")


def test_events_as_json(en_pt):
    first = en_pt.session(WaitK(1)).feed("Hello ")[0].as_dict()
    assert list(first) == ["type", "sentence", "index", "text", "delay", "time_ms"]


def test_the_clock_is_the_callers(en_pt):
    session = en_pt.session(WaitK(1), clock=lambda: 7.0)
    assert {event.time_ms for event in session.feed("Hello there ")} == {0.0}


class Noting:
    """A runner that notes what another one is asked."""

    def __init__(self, runner):
        self._runner, self.requests = runner, []

    def answer(self, requests):
        self.requests += requests
        return self._runner.answer(requests)


class ScriptedRunner:
    """A model that says what a function of (source tokens read, target tokens before) says."""

    def __init__(self, says):
        self._says = says
        self._source = self._target = 0

    def answer(self, requests):
        (request,) = requests
        self._source += len(request.source)
        self._target += len(request.target) - request.take_back
        return [Prediction([self._says(self._source, self._target - 1)])]


def test_what_opens_the_target_is_read_again_with_more_source(en_pt):
    """Training lets all of it see what the first word sees; afterwards only the last token is fed again."""
    tokenizer = copy(en_pt.tokenizer)
    tokenizer.start_ids = [7, 8, 2]
    policy = Confident(1.0, min_wait=1, max_wait=3)
    runner = Noting(en_pt.executor.runner(policy))
    events = Session(Stream(tokenizer, en_pt.settings, policy), [runner]).feed_line("the cat sat on a mat")
    assert next(e.delay for e in events if e.type == "write") == 3
    passes = [(request.take_back, request.target) for request in runner.requests]
    assert passes[:3] == [(0, [7, 8, 2]), (3, [7, 8, 2]), (3, [7, 8, 2])]
    assert all(take_back <= 1 for take_back, _ in passes[3:])


def test_an_end_mark_before_the_end_of_source_is_one_read(en_pt):
    """The model has nothing to say for just one moment; wait-k goes on where it was."""
    word, other = (en_pt.tokenizer.encode_word(text, True) for text in ("a", "de"))
    assert len(word) == len(other) == 1

    def says(read, written):
        if (read, written) == (3, 1) or written == 8:
            return en_pt.tokenizer.end_id
        return (word if written % 2 else other)[0]

    session = Session(Stream(en_pt.tokenizer, en_pt.settings, WaitK(2)), [ScriptedRunner(says)])
    found = session.feed_line("a a a a a a a a")
    assert [e.delay for e in found if e.type == "write"] == [2, 4, 4, 5, 6, 7, 8, 8]


def test_what_was_translated_before_an_error_is_not_lost(random_translator):
    given = random_translator.session(WaitK(1)).feed("ok then ")
    session = random_translator.session(WaitK(1))
    with pytest.raises(DataError, match="0xff"):
        session.feed(b"ok then \xff more")
    assert [(e.type, e.text) for e in session.feed("")] == [(e.type, e.text) for e in given]
    one_by_one = random_translator.session(WaitK(1)).events(b"ok then \xff more")
    assert [next(one_by_one).text for _ in given] == [e.text for e in given]
    with pytest.raises(DataError, match="0xff"):
        next(one_by_one)


def test_an_iterator_left_early_owes_nothing_to_the_next_call(random_translator):
    """Whoever stops listening in the middle of a word's work still gets the rest of it, in order."""
    whole = random_translator.session(WaitK(1))
    expected = whole.feed("one ") + whole.finish()
    for stop in range(len(expected) - 2):
        session = random_translator.session(WaitK(1))
        events = session.events("one ")
        taken = [event for _, event in zip(range(stop), events, strict=False)]
        events.close()
        if not stop:
            taken += session.feed("one ")
        assert [(e.type, e.text) for e in taken + session.finish()] == [(e.type, e.text) for e in expected]


def test_a_line_does_not_overtake_text_that_still_waits(random_translator):
    session = random_translator.session(WaitK(1))
    found = session.feed("one two") + session.feed_line("good day") + session.finish()
    assert [(e.sentence, e.text) for e in found if e.type == "read"] == [
        (0, "one"),
        (0, "two"),
        (1, "good"),
        (1, "day"),
    ]


def test_a_pass_that_failed_is_not_made_again(random_translator):
    class Failing(Noting):
        def answer(self, requests):
            super().answer(requests)
            raise KeyboardInterrupt

    stream = Stream(random_translator.tokenizer, random_translator.settings, WaitK(1))
    session = Session(stream, [Failing(random_translator.executor.runner(WaitK(1)))])
    with pytest.raises(KeyboardInterrupt):
        session.feed("one ")
    with pytest.raises(UsageError, match="failed"):
        session.feed("two ")


def test_a_policy_that_answers_nonsense_is_told(random_translator):
    class Undecided(WaitK):
        def decide(self, state):
            return "read"

    with pytest.raises(UsageError, match="policy wait-k says 'read'"):
        random_translator.session(Undecided(1)).feed("one two ")


@pytest.mark.parametrize("policy", [3, "wait-k", 0, WaitK])
def test_something_else_than_a_policy_is_told(en_pt, policy):
    with pytest.raises(UsageError, match=r"is not a policy; give one, such as WaitK\(3\)"):
        en_pt.session(policy)


def test_dir_lists_the_public_names():
    import streamtrans

    assert {"load", "WaitK", "Session"} <= set(dir(streamtrans))
