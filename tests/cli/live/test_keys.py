import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrans.cli.live.keys import Key, KeyDecoder


def decode(data: bytes) -> list:
    return KeyDecoder().feed(data)


@pytest.mark.parametrize(
    ("data", "strokes"),
    [
        (b"ab c", ["a", "b", " ", "c"]),
        ("é日😀".encode(), ["é", "日", "😀"]),
        (b"\t", [" "]),
        (b"\r\n", [Key.ENTER, Key.ENTER]),
        (b"\x7f\x08", [Key.BACKSPACE, Key.BACKSPACE]),
        (b"\x17\x15", [Key.ERASE_WORD, Key.ERASE_WORD]),
        (b"\x04", [Key.FINISH]),
        (b"\x0c", [Key.REDRAW]),
        (b"\x00\x01\x1f", []),
        (b"\xff\xfea", ["a"]),
    ],
)
def test_text_and_keys(data, strokes):
    assert decode(data) == strokes


@pytest.mark.parametrize(
    "sequence",
    [b"\x1b[A", b"\x1b[1;5C", b"\x1b[3~", b"\x1bOP", b"\x1b[<0;10;20M", b"\x1b]11;rgb:00/00/00\x07", b"\x1b]0;t\x1b\\"],
)
def test_sequences_are_not_typed(sequence):
    assert decode(b"a" + sequence + b"b") == ["a", "b"]


def test_the_escape_key_swallows_nothing_if_the_next_key_comes_later():
    keys = KeyDecoder()
    assert keys.feed(b"\x1b") == []
    assert keys.waiting
    keys.give_up()
    assert keys.feed(b"[A") == ["[", "A"]


def test_a_key_with_alt_types_nothing():
    assert decode(b"a\x1bx\x1b\x7f\x1b\xc3\xa9\x1b\rb") == ["a", "b"]
    assert decode(b"a\x1b\x1b[Ab") == ["a", "b"]  # Alt and an arrow


def test_pasted_text_is_text():
    assert decode(b"\x1b[200~a\tb\x04\x7f\nc\x1b[201~\x04") == ["a", " ", "b", Key.ENTER, "c", Key.FINISH]


@given(
    st.lists(st.sampled_from(["a", "é", "😀", " ", "\r", "\x7f", "\x1b[A", "\x1b[200~", "\x1b[201~", "\x1bOP"])),
    st.data(),
)
def test_any_cut_gives_the_same_strokes(pieces, data):
    whole = "".join(pieces).encode()
    cut = data.draw(st.integers(0, len(whole)))
    keys = KeyDecoder()
    assert keys.feed(whole[:cut]) + keys.feed(whole[cut:]) == decode(whole)
