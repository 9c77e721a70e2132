"""Batches give the events of sessions; where they do not, two tokens must have been as good as equal."""

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamtrans.engine import single
from streamtrans.engine.batch import WINDOW, BatchEngine
from streamtrans.engine.lines import SequentialEngine
from streamtrans.policies import Agree, AlignAtt, Boundary, Confident, Learned, MaxLag, Retranslate, WaitK, WaitKFlush

TIE = 1e-3
LINES = [
    "Good morning.",
    "",
    "The government said on Monday that it would not change its policy before the elections next year.",
    "We went home because it had begun to rain heavily in the afternoon.",
    "   ",
    "I would like to book a table for two people tomorrow evening.",
    "Yes",
    "He was born in 1984, in a small town near the border, and moved to the capital when he was twelve years old.",
    "The train to Lisbon leaves at 9:30 from platform 4; please have your ticket ready.",
    "Dr. Smith said that 3.5 million people were affected. Most of them live in the U.S.",
]
POLICIES = [
    WaitK(1), WaitK(3), WaitK(float("inf")), WaitK(2, catch_up=0.25), Boundary(), WaitKFlush(2), MaxLag(Boundary(), 3),
    Agree(2), Confident(0.6), Learned(0.05), AlignAtt(1), AlignAtt(3), Retranslate(1),
]  # fmt: skip


def translated(translator, lines, policy, batch_size=None):
    return BatchEngine(translator, policy, batch_size).translate(lines)


def seen(events):
    return [(e.type, e.sentence, e.index, e.text, e.delay) for e in events]


def smallest_margin(translator, policy, line, monkeypatch):
    """How close the two best tokens of any choice in a session come, or what is judged to where it would be judged
    otherwise; choices of a banned token aside."""
    margins, predict = [np.inf], single.predict

    def noting(requests, hidden, logits, instrument, recorder):
        best = np.sort(np.array(logits[0]), axis=-1)[-requests[0].rows :]
        margins.append(float((best[:, -1] - best[:, -2]).min()))
        found = predict(requests, hidden, logits, instrument, recorder)
        if not isinstance(policy, AlignAtt):
            name = "regret" if isinstance(policy, Learned) else "probability"
            margins.extend(abs(evidence[name] - policy.threshold) for evidence in found[0].evidence)
        if recorder is not None:
            looks = np.sort(np.array(recorder.by_row().mean(axis=1)), axis=-1)
            margins.append(float((looks[:, -1] - looks[:, -2]).min()) if looks.shape[1] > 1 else np.inf)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(single, "predict", noting)
        translator.session(policy).feed_line(line)
    return min(margins)


def assert_same(translator, policy, lines, found, monkeypatch):
    """Every line has the events that a session gives; gives the number of ties."""
    assert [number for number, _ in found] == list(range(len(lines)))
    ties = 0
    for line, (_, events) in zip(lines, found, strict=True):
        wanted = translator.session(policy).feed_line(line)
        if seen(events) != seen(wanted):
            margin = smallest_margin(translator, policy, line, monkeypatch)
            assert margin < TIE, f"{line!r} differs, and no choice was closer than {margin}"
            ties += 1
    return ties


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_the_embedded_model_gives_the_events_of_a_session(en_pt, policy, monkeypatch):
    found = list(translated(en_pt, LINES, policy, batch_size=6))
    assert assert_same(en_pt, policy, LINES, found, monkeypatch) <= 1
    assert not any(e.time_ms for _, events in found for e in events)


words = st.text("abcdé.,", min_size=1, max_size=5)
line = st.lists(words, max_size=30).map(" ".join)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(line, max_size=12), policy=st.sampled_from(POLICIES), batch_size=st.integers(1, 9))
def test_any_lines_and_any_batch_size(random_translator, lines, policy, batch_size, monkeypatch):
    found = list(translated(random_translator, lines, policy, batch_size))
    assert_same(random_translator, policy, lines, found, monkeypatch)


def test_long_lines_are_cut_and_counted(random_translator, monkeypatch):
    lines = ["a b c", " ".join("abcdefghij" * 5), "d e"]
    engine = BatchEngine(random_translator, WaitK(3), batch_size=4)
    found = list(engine.translate(lines))
    assert engine.cuts == 1
    assert_same(random_translator, WaitK(3), lines, found, monkeypatch)


def test_a_word_that_loses_its_end_is_counted_too(random_translator):
    line = "x" * 5000 + " and"
    engine, session = BatchEngine(random_translator, WaitK(1)), random_translator.session(WaitK(1))
    list(engine.translate([line]))
    session.feed_line(line)
    assert engine.cuts == (session.cuts > 0) == 1


@pytest.mark.parametrize("policy", [WaitK(2), Agree(2), Confident(0.6)], ids=str)
def test_a_prompt_is_read_at_the_start_of_each_segment(random_translator, policy, monkeypatch):
    tokenizer = copy(random_translator.tokenizer)
    tokenizer.prompt_ids, tokenizer.start_ids = [11, 12, 13, 14], [7, 8, 2]
    prompted = replace(random_translator, tokenizer=tokenizer)
    lines = ["a b c", " ".join("abcdefghij" * 5), "", "d e"]
    found = list(translated(prompted, lines, policy, batch_size=4))
    assert_same(prompted, policy, lines, found, monkeypatch)
    assert [seen(e) for _, e in found] != [seen(e) for _, e in translated(random_translator, lines, policy)]


def test_results_come_in_order_and_no_more_is_read_than_a_window(en_pt):
    read = []

    def source():
        for number in range(1000):
            read.append(number)
            yield "Good morning, my friend." if number % 2 else "Yes"

    results = translated(en_pt, source(), WaitK(1), batch_size=4)
    assert next(results)[0] == 0
    assert len(read) <= WINDOW * 4
    assert [next(results)[0] for _ in range(30)] == list(range(1, 31))
    assert len(read) <= 31 + WINDOW * 4


def test_a_list_may_be_read_ahead_and_gives_the_same(en_pt):
    lines = LINES * 3
    assert [seen(e) for _, e in translated(en_pt, lines, WaitK(2), 4)] == [
        seen(e) for _, e in translated(en_pt, iter(lines), WaitK(2), 4)
    ]


def test_a_margin_is_that_of_the_closest_choice(en_pt, monkeypatch):
    assert 0 < smallest_margin(en_pt, WaitK(2), "Good morning.", monkeypatch) < 5


def test_a_stream_that_reads_otherwise_than_planned_is_a_bug_and_said_so(en_pt):
    from streamtrans.engine.executors.lockstep import LockstepRunner
    from streamtrans.engine.passes import Forward

    group = LockstepRunner(en_pt.executor.model, [[10, 11, 12]])
    with pytest.raises(RuntimeError, match="planned"):
        group.answer([Forward([10, 99], [2])])


def test_copied_words_are_counted_as_in_sessions(en_pt):
    lines = ["Good morning.", "Привет, как дела?", "My friend said привет to all."]
    engines = en_pt.lines(WaitK(2), 2), SequentialEngine(en_pt, WaitK(2))
    for engine in engines:
        list(engine.translate(lines))
    assert engines[0].foreign == engines[1].foreign > 1
