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
