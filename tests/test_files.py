"""One wording of what is wrong with a text file, whoever reads it."""

from pathlib import Path

import pytest

from streamtrans.errors import DataError
from streamtrans.files import Lines, read_lines, read_parallel


@pytest.mark.parametrize("read", [Lines, read_lines, lambda path: read_parallel([path])])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_named(tmp_path: Path, read, encoding):
    file = tmp_path / "talk.en"
    file.write_bytes("Good morning, my friend.\nBye.\n".encode(encoding))
    with pytest.raises(DataError, match=r"talk\.en is UTF-16, not UTF-8; convert it with: iconv -f UTF-16.E"):
        read(file)


def test_a_line_that_grows_while_it_is_read_is_one_line(tmp_path: Path):
    """The rest of it would otherwise become a line of its own, and every line after it one too late."""
    file = tmp_path / "talk.en"
    file.write_text("Good morning.\nHow are")
    lines = iter(Lines(file))
    assert [next(lines), next(lines)] == ["Good morning.", "How are"]
    with file.open("a") as more:
        more.write(" you?\nBye.\n")
    assert list(lines) == []


def test_a_byte_order_mark_alone_is_empty(tmp_path: Path):
    file = tmp_path / "talk.en"
    file.write_bytes(b"\xef\xbb\xbf")
    for read in (Lines, read_lines):
        with pytest.raises(DataError, match=r"talk\.en is empty"):
            read(file)
