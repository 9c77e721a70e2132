"""Sentences out of cues."""

from hypothesis import given
from hypothesis import strategies as st

from streamtrans.captions.cues import Cue
from streamtrans.captions.joining import LONGEST, join_cues


def joined(*cues, language="en"):
    numbered = [Cue(number, *times, lines) for number, (times, *lines) in enumerate(cues, 1)]
    return list(join_cues(numbered, language))


def texts(*cues, language="en"):
    return [sentence.text for sentence in joined(*cues, language=language)]


def test_a_sentence_goes_on_in_the_next_cue():
    found = joined(((0, 1000), "I have never", "seen it."), ((1000, 2000), "Not"), ((2000, 3000), "once. Never."))
    assert [sentence.text for sentence in found] == ["I have never seen it.", "Not once.", "Never."]
    assert [sentence.cues for sentence in found] == [(1, 1), (2, 3), (3, 3)]


def test_words_share_the_time_of_their_cue_by_characters():
    (sentence,) = joined(((1000, 2000), "ab", "cdefgh"), ((3000, 3500), "i."))
    assert sentence.spans == [(1000, 1250), (1250, 2000), (3000, 3500)]


def test_a_pause_ends_a_sentence():
    assert texts(((0, 1000), "and then"), ((3000, 4000), "we go")) == ["and then", "we go"]
    assert texts(((0, 1000), "and then"), ((2900, 4000), "we go")) == ["and then we go"]


def test_a_dash_is_another_speaker():
    found = joined(((0, 1000), "- How are you", "- Very well"), ((1000, 2000), "-5 degrees"))
    assert [(sentence.text, sentence.dash) for sentence in found] == [
        ("How are you", True), ("Very well -5 degrees", True),
    ]  # fmt: skip


def test_text_without_punctuation_ends_with_a_cue():
    found = joined(*[((1000 * i, 1000 * i + 1000), "seven words and not a single mark") for i in range(30)])
    assert [len(sentence.words) for sentence in found] == [63, 63, 63, 21]
    assert LONGEST == 60


def test_characters():
    assert texts(((0, 1000), "今日は", "いい天気"), ((1000, 2000), "ですね。はい。"), language="ja") == [
        "今日は いい天気 ですね。", "はい。",
    ]  # fmt: skip


cues = st.lists(
    st.tuples(
        st.tuples(st.integers(0, 9000), st.integers(9000, 20000)),
        st.lists(st.text("ab.! -\"'", max_size=20), min_size=1, max_size=3),
    ),
    max_size=8,
)


@given(cues)
def test_every_word_once(cues):
    found = joined(*[(times, *lines) for times, lines in cues])
    words = " ".join(line for _, lines in cues for line in lines).split()
    assert [w.strip("- ") for s in found for w in s.words if w.strip("- ")] == [
        w.strip("- ") for w in words if w.strip("- ")
    ]
    for sentence in found:
        assert len(sentence.words) == len(sentence.spans)
