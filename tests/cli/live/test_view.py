import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrans.cli.live.view import LiveState, Sentence, finished_lines, frame
from streamtrans.engine.events import Done, End, Read, Revise, Write
from streamtrans.policies import WaitK
from streamtrans.policies.registry import kept_back


def state(read: str = "", unread: str = "", target: str = "", **more) -> LiveState:
    values = {"status": "wait-k 3", "loading": False, "source_language": "en", "target_language": "pt"} | more
    values.setdefault("untouched", not (read or unread))
    return LiveState(**values, read=read.split(), unread=unread, target=target.split())


def drawn(state: LiveState, width: int, height: int = 24) -> list[str]:
    return [line.plain for line in frame(state, width, height).lines]


LONG = state(
    "I would like to book a table for two people tomorrow evening, and then we",
    "wo",
    "Eu gostaria de reservar uma mesa para duas pessoas amanhã à noite, e",
    covered=13,
)


def test_a_sentence_at_80_columns():
    assert drawn(LONG, 79) == [
        "  I would like to book a table for two people tomorrow evening, and then we │wo",
        "→ Eu gostaria de reservar uma mesa para duas pessoas amanhã à noite, e",
        "  2 words behind · wait-k 3",
    ]


def test_a_sentence_at_40_columns():
    assert drawn(LONG, 39) == [
        "  I would like to book a table for two",
        "  people tomorrow evening, and then we",
        "  │wo",
        "→ Eu gostaria de reservar uma mesa para",
        "  duas pessoas amanhã à noite, e",
        "  2 words behind · wait-k 3",
    ]


def test_the_cursor_stands_behind_what_is_typed():
    assert frame(LONG, 79, 24).cursor == (0, 79 - 1)
    assert frame(LONG, 39, 24).cursor == (2, len("  │wo"))
    assert frame(state("日本", "語", source_language="ja"), 40, 24).cursor == (0, 2 + 4 + 1 + 2)


def test_nothing_typed_shows_what_to_do_where_it_fits():
    assert drawn(state(), 79) == ["  │", "→ ", "  type; Enter ends the sentence, Ctrl-D the session"]
    assert drawn(state(), 39)[-1] == "  Enter ends a sentence, Ctrl-D quits"
    assert drawn(state(), 16)[-1] == "  Ctrl-D quits"


def test_while_the_model_loads_typed_text_is_unread():
    assert drawn(state("", "I would", loading=True, status="loading en-pt …"), 40) == [
        "  │I would",
        "→ ",
        "  loading en-pt …",
    ]


@pytest.mark.parametrize(
    ("read", "covered", "said"), [("a b c", 0, "3 words"), ("a b", 1, "1 word"), ("a", 1, "0 words")]
)
def test_the_lag_in_words(read, covered, said):
    assert drawn(state(read, "", covered=covered), 60)[-1] == f"  {said} behind · wait-k 3"


def test_words_without_a_translation_are_behind_however_many_were_written():
    live = state("a b", "", "v w x y z", covered=2)
    for index, word in enumerate("cde", 2):
        live.apply(Read(0, index, word, index + 1, 0.0))
    assert live.lag == 3
    live.apply(Write(0, 5, "v", 5, 0.0))
    assert live.lag == 0


def test_fewer_target_words_are_not_behind():
    live = state("I would like to", "", "")
    live.apply(Write(0, 0, "Gostaria", 4, 0.0))
    assert live.lag == 0


def test_a_policy_that_keeps_words_back_is_behind_by_these():
    live = state("a b c", kept_back=kept_back(WaitK(3)))
    for index, word in enumerate("xyz"):
        live.apply(Write(0, index, word, 3 + index, 0.0))
        assert live.lag == 2
        live.apply(Read(0, 3 + index, "d", 4 + index, 0.0))
    assert live.lag == 3
    live.apply(Write(0, 3, "catching up", 6, 0.0))
    live.apply(Write(0, 4, "again", 6, 0.0))
    assert live.lag == 2  # target words beyond the source words do not stand for words not yet said


def test_a_late_revision_never_takes_covered_words_back():
    live = state("a b", "", "x", covered=2, kept_back=1)
    live.apply(Revise(0, 0, "y", 2, 0.0))
    assert live.lag == 0


def test_words_read_beyond_the_end_of_a_sentence_belong_to_the_next():
    live = state("a b c d", "", "x y")
    assert live.apply(End(0, 2, "x y", 3, 0.0)) == Sentence("a b c", "x y")
    assert (live.read, live.target, live.lag) == (["d"], [], 1)


def test_of_a_sentence_longer_than_the_screen_the_end_is_shown():
    lines = drawn(state("word " * 200, "", "palavra " * 200), 40, 9)
    assert len(lines) == 9
    assert lines[3].endswith("│")
    assert lines[-2].endswith("palavra")


@given(
    st.integers(1, 120),
    st.integers(1, 40),
    st.text(st.sampled_from("ab é日😀\n"), max_size=60),
    st.text(st.sampled_from("ab é日😀\n"), max_size=60),
)
def test_no_line_is_too_wide_and_the_block_never_too_high(width, height, read, unread):
    live = frame(state(read, unread, read), width, height)
    assert max(line.cell_len for line in live.lines) <= max(width, 8)
    assert len(live.lines) <= max(height, 3)
    row, column = live.cursor
    assert 0 <= row < len(live.lines)
    assert 0 <= column < max(width, 8)


def test_events_move_words_over_the_read_mark():
    live = state("", "I would lik")
    live.apply(Read(0, 0, "I", 1, 0.0))
    live.apply(Read(0, 1, "would", 2, 0.0))
    assert (live.read, live.unread) == (["I", "would"], " lik")
    live.apply(Write(0, 0, "Eu", 2, 0.0))
    live.apply(Write(0, 1, "ia", 2, 0.0))
    live.apply(Revise(0, 1, "gostaria de", 2, 0.0))
    assert live.target == ["Eu", "gostaria", "de"]
    live.erase()
    assert drawn(live, 60)[0] == "  I would │li"


def test_a_finished_sentence_leaves_what_was_typed_after_it():
    live = state("Hello.", "\nHow", "Olá.")
    assert live.apply(End(0, 1, "Olá.", 1, 0.0)) == Sentence("Hello.", "Olá.")
    assert (live.read, live.unread, live.target) == ([], "How", [])
    assert live.apply(Done(1, 0, "", 0, 0.0)) is None


def test_a_finished_sentence_stays_as_a_pair():
    lines = finished_lines(Sentence("Good morning, everyone.", "Bom dia a todos."), 20)
    assert [line.plain for line in lines] == ["  Good morning,", "  everyone.", "→ Bom dia a todos.", ""]
