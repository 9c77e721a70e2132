import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrans.text.clean import SequenceFilter, without_invisible, without_sequences


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\x1b[2K\r Good morning", "\r Good morning"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;my title\x07hello", "hello"),
        ("\x1b]8;;https://x.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b(B\x1b[mhello", "hello"),
        ("\x1b7a\x1b8b\x1bMc", "abc"),
        ("\x1b]never closed\nhello", "\nhello"),
        ("\x1b[31\nhello", "\nhello"),
        ("a\x1b\x1b[1mb", "ab"),
        ("\x1b héllo", " héllo"),
        ("[2K", "[2K"),
        ("hi \ud800 there", "hi \ufffd there"),
    ],
)
def test_sequences_that_drive_a_terminal_are_no_text(text, plain):
    assert without_sequences(text) == plain


@given(st.lists(st.text("\x1b[]()2;Km\x07\\ \na\ud800", max_size=8), max_size=8))
def test_any_cut_gives_the_same_text(pieces):
    one = SequenceFilter()
    assert "".join(map(one.feed, pieces)) == without_sequences("".join(pieces))


@given(st.text())
def test_text_without_sequences_stays(text):
    text = text.replace("\x1b", "")
    assert without_sequences(text) == text


@pytest.mark.parametrize(
    ("word", "seen"),
    [
        ("com\u00admu\u00adnity", "community"),
        ("\ufeffhello\u200b", "hello"),
        ("bus\0", "bus"),
        ("a\u200db", "ab"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क्\u200dष", "क्\u200dष"),
        ("plain", "plain"),
    ],
)
def test_what_nobody_sees(word, seen):
    assert without_invisible(word) == seen
