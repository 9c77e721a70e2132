"""Cues in time: never over each other, never too short, each where its words are."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from streamtrans.captions.cues import Cue, TimedWord
from streamtrans.captions.timeline import MINIMUM_MS, Timeline, spread

times = st.floats(-1e3, 1e6)
sentences = st.lists(
    st.lists(st.tuples(st.text("abc,.", min_size=1, max_size=12), times, times), max_size=40), max_size=6
)


def shown(sentences: list[list[TimedWord]]) -> list[Cue]:
    """The cues when all of these are added."""
    timeline, found = Timeline(), {}
    for words in sentences:
        changed = timeline.add(words, "pt")
        assert all(cue.number >= len(found) for cue in changed)  # only the last one is ever given again
        found |= {cue.number: cue for cue in changed}
    assert list(found) == list(range(1, len(found) + 1))
    return list(found.values())


@given(sentences)
def test_no_word_is_lost_and_no_cue_stands_over_another(given_words):
    words = [[TimedWord(*word) for word in sentence] for sentence in given_words]
    cues = shown(words)
    assert " ".join(line for cue in cues for line in cue.lines).split() == [w.text for s in words for w in s]
    for cue in cues:
        assert cue.start_ms >= 0
        assert cue.end_ms - cue.start_ms >= MINIMUM_MS - 1e-6
    for cue, following in itertools.pairwise(cues):
        assert cue.end_ms <= following.start_ms


def test_a_cue_lasts_while_it_is_said_and_read():
    (cue,) = shown([[TimedWord("Bom", 1000, 1400), TimedWord("dia.", 1400, 9000)]])
    assert (cue.start_ms, cue.end_ms, cue.lines) == (1000, 9000, ("Bom dia.",))
    (cue,) = shown([[TimedWord("Sim.", 1000, 1001)]])
    assert cue.end_ms == 2000
    (cue,) = shown([[TimedWord("x" * 30, 1000, 1001)]])
    assert cue.end_ms == 3000  # 15 columns per second


def test_the_next_cue_ends_the_one_before():
    first, second = shown([[TimedWord("x" * 30, 1000, 1001)], [TimedWord("Sim.", 2500, 2600)]])
    assert (first.end_ms, second.start_ms) == (2500, 2500)


def test_words_that_come_faster_than_can_be_shown_move_back():
    cues = shown([[TimedWord("Sim.", 100, 200)], [TimedWord("Não.", 300, 400)], [TimedWord("Sim.", 5000, 5100)]])
    assert [(cue.start_ms, cue.end_ms) for cue in cues] == [(100, 1100), (1100, 2100), (5000, 6000)]


def test_translated_words_stand_where_their_source_words_do():
    spans = [(0.0, 10.0), (10.0, 20.0), (20.0, 30.0), (30.0, 40.0)]
    assert spread(spans, ["a", "b"]) == [("a", 0, 20), ("b", 20, 40)]
    assert spread(spans[:2], ["a", "b", "c", "d"]) == [("a", 0, 10), ("b", 0, 10), ("c", 10, 20), ("d", 10, 20)]
    assert spread(spans, ["a", "b", "c"]) == [("a", 0, 20), ("b", 10, 30), ("c", 20, 40)]
    assert spread(spans, []) == []


def test_reading_speed_counts_characters_per_second():
    assert Cue(1, 1000, 3000, ("Bom dia,", "José.")).speed == 6.5
    assert Cue(1, 1000, 1000, ("Bom dia,",)).speed == 0
