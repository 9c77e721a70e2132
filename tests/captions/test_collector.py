"""From events to cues."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from streamtrans.captions.collector import CueCollector
from streamtrans.engine.events import Done, End, Read, Revise, Write


def collected(events, language="pt"):
    collector, found = CueCollector(language), {}
    for event in events:
        found |= {cue.number: cue for cue in collector.feed(event)}
    return [
        (cue.start_ms, cue.end_ms, *cue.lines) for cue in (found | {c.number: c for c in collector.finish()}).values()
    ]


def read(index, at, spoken=None, sentence=0):
    return Read(sentence, index, "word", index + 1, at, *(spoken or (None, None)))


def test_words_stand_where_they_were_written():
    events = [
        read(0, 500.0), Write(0, 0, "Bom", 1, 700.0), read(1, 4000.0), Write(0, 1, "dia.", 2, 4100.0),
        End(0, 2, "Bom dia.", 2, 4200.0), Done(1, 0, "", 0, 4300.0),
    ]  # fmt: skip
    assert collected(events) == [(700, 4100, "Bom dia.")]


def test_times_of_speech_come_before_times_of_arrival():
    events = [
        read(0, 9500.0, (100.0, 400.0)), Write(0, 0, "Bom", 1, 9700.0), read(1, 9800.0, (2000.0, 3000.0)),
        Write(0, 1, "dia.", 2, 9900.0), End(0, 2, "Bom dia.", 2, 9950.0),
    ]  # fmt: skip
    assert collected(events) == [(100, 3000, "Bom dia.")]


def test_source_words_beyond_an_end_belong_to_the_next_sentence():
    events = [
        read(0, 1.0, (100.0, 400.0)), read(1, 2.0, (5000.0, 5400.0)), Write(0, 0, "Sim.", 1, 3.0),
        End(0, 1, "Sim.", 1, 3.0), Write(1, 0, "Não.", 1, 4.0), End(1, 1, "Não.", 1, 4.0),
    ]  # fmt: skip
    assert collected(events) == [(100, 1100, "Sim."), (5000, 6000, "Não.")]


def test_of_revised_words_the_final_ones_count():
    events = [
        read(0, 1.0), Revise(0, 0, "Um dia", 1, 1000.0), read(1, 2.0), Revise(0, 0, "Bom dia", 2, 2000.0),
        Revise(0, 2, "José.", 2, 2500.0), End(0, 3, "Bom dia José.", 2, 2600.0),
    ]  # fmt: skip
    assert collected(events) == [(2000, 3000, "Bom dia José.")]
    taken_back = [Write(0, 0, "Um", 1, 10.0), Revise(0, 0, "", 1, 20.0), End(0, 0, "", 1, 30.0)]
    assert collected(taken_back) == []


def test_a_sentence_that_never_ended_is_kept():
    assert collected([read(0, 1.0), Write(0, 0, "Bom", 1, 1000.0)]) == [(1000, 2000, "Bom")]


def test_a_language_may_come_late():
    collector = CueCollector()
    collector.language = "ja"
    for index, character in enumerate("はい。"):
        assert collector.feed(Write(0, index, character, 1, 5.0)) == []
    (cue,) = collector.feed(End(0, 3, "はい。", 1, 5.0))
    assert cue.lines == ("はい。",)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 30), st.booleans()), max_size=8))
def test_all_words_of_all_sentences_once(sentences):
    events, expected = [], []
    for number, (source, target, spoken) in enumerate(sentences):
        span = (400.0 * number, 400.0 * number + 300) if spoken else None
        events += [read(i, 10.0 * number, span, number) for i in range(source)]
        words = [f"w{number}.{i}" for i in range(target)]
        events += [Write(number, i, word, source, 10.0 * number) for i, word in enumerate(words)]
        events.append(End(number, target, " ".join(words), source, 10.0 * number))
        expected += words
    cues = collected(events)
    assert " ".join(line for cue in cues for line in cue[2:]).split() == expected
    assert all(one[1] <= two[0] for one, two in itertools.pairwise(cues))
