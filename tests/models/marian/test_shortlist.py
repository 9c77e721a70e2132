"""Shortlists: the pieces that Marian allows, and files that are refused in one line."""

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamtrans.errors import ModelError
from streamtrans.models.marian.shortlist import MAGIC, read_shortlist

LISTS = [[4, 9], [], [3], [9, 2, 7]]


def written(lists=LISTS, always=2, magic=MAGIC):
    starts = np.cumsum([0, *map(len, lists)])
    entries = [piece for pieces in lists for piece in pieces]
    head = struct.pack("<6Q", magic, 0, always, 50, len(starts), len(entries))
    return head + struct.pack(f"<{len(starts)}Q", *starts) + struct.pack(f"<{len(entries)}I", *entries)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "lex.50.50.ende.s2t.bin"


@pytest.mark.parametrize(
    ("source", "shared", "allowed"),
    [
        ([1], False, [0, 1]),
        ([0], False, [0, 1, 4, 9]),
        ([0, 3, 0], False, [0, 1, 2, 4, 7, 9]),
        ([2, 3], True, [0, 1, 2, 3, 7, 9]),
        ([], False, [0, 1]),
    ],
)
def test_the_first_pieces_and_the_lists_of_the_source(file, source, shared, allowed):
    file.write_bytes(written())
    assert read_shortlist(file, 4, 10, shared).pieces(source).tolist() == allowed


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is no shortlist, or one of another format"),
        (written(magic=7), "is no shortlist, or one of another format"),
        (written()[:-1], "truncated or damaged: it says 5 offsets and 6 entries"),
        (written()[:40], "truncated or damaged"),
        (written(LISTS[:3]), "is for 3 source pieces, the model has 4"),
        (written([[4], [10], [], []]), "points beyond its entries, or beyond the 10 target pieces"),
        (written()[:48] + struct.pack("<5Q", 0, 9, 2, 3, 6) + written()[88:], "points beyond its entries"),
        (struct.pack("<6Q", MAGIC, 0, 1, 1, 1 << 62, 1 << 62), "truncated or damaged"),
    ],
)
def test_what_is_wrong_is_said(file, data, told):
    file.write_bytes(data)
    with pytest.raises(ModelError, match=told):
        read_shortlist(file, 4, 10, False)
    with pytest.raises(ModelError, match="No such file"):
        read_shortlist(file.with_name("none"), 4, 10, False)


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_files_are_read_or_refused(file, data):
    sound = written()
    damaged = bytearray(sound[: data.draw(st.one_of(st.just(len(sound)), st.integers(0, len(sound))))])
    for place, byte in data.draw(st.lists(st.tuples(st.integers(0, len(sound) - 1), st.integers(0, 255)), max_size=4)):
        if place < len(damaged):
            damaged[place] = byte
    file.write_bytes(damaged)
    told = ""
    try:
        allowed = read_shortlist(file, 4, 10, True).pieces([0, 1, 2, 3])
    except ModelError as error:
        told, allowed = str(error), np.zeros(1, int)
    assert "\n" not in told
    assert 0 <= allowed.min() <= allowed.max() < 10
