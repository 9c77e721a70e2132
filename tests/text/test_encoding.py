from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrans.errors import DataError
from streamtrans.text.encoding import Utf8Decoder


def decode(pieces):
    decoder, text = Utf8Decoder(), ""
    for piece in pieces:
        found, fault = decoder.feed(piece)
        text += found
        if fault:
            raise fault
    return text + decoder.feed(b"", final=True)[0]


@given(st.text(), st.lists(st.integers(0, 40)))
def test_utf8_cut_anywhere(text, cuts):
    data = text.encode()
    if data.count(0):
        return
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert decode([data[a:b] for a, b in pairwise(edges)]) == text.removeprefix("\ufeff")


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_utf16_is_named(order, size, mark):
    data = (mark + "Good morning, my friend.\n").encode(f"utf-16-{order}")
    with pytest.raises(DataError, match=f"is UTF-16, .* iconv -f UTF-16{order.upper()} "):
        decode([data[i : i + size] for i in range(0, len(data), size)])


def test_a_few_nul_bytes_are_no_utf16():
    assert decode([b"The bus\0 is late.\0"]) == "The bus\0 is late.\0"


def test_half_a_character_at_the_end_is_said_once():
    decoder = Utf8Decoder()
    assert decoder.feed(b"th\xc3") == ("th", None)
    text, fault = decoder.feed(b"", final=True)
    assert text == ""
    assert "byte 0xc3 (unexpected end" in str(fault)
    assert decoder.feed(b"", final=True) == ("", None)


def test_text_before_a_fault_is_not_lost():
    decoder = Utf8Decoder()
    assert decoder.feed(b"\xc3") == ("", None)
    text, fault = decoder.feed(b"\xa9t\xc3\xa9 \xff lost")
    assert text == "été "
    assert "byte 0xff" in str(fault)
    assert decoder.feed(b"on") == ("on", None)


def test_utf16_is_never_text():
    decoder = Utf8Decoder()
    for piece in ("Good morning".encode("utf-16"), "Good".encode("utf-16-le")):
        text, fault = decoder.feed(piece)
        assert text == ""
        assert "is UTF-16" in str(fault)
    assert decoder.feed(b"", final=True) == ("", None)


@pytest.mark.parametrize("part", [b"\xef", b"\xef\xbb"])
def test_a_part_of_a_mark_is_half_a_character(part):
    decoder = Utf8Decoder()
    assert decoder.feed(part) == ("", None)
    text, fault = decoder.feed(b"", final=True)
    assert text == ""
    assert "not UTF-8: byte 0xef" in str(fault)
    assert decoder.feed(b"", final=True) == ("", None)  # it is forgotten
