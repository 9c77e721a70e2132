"""Bytes that arrive in pieces, to text."""

import codecs

from streamtrans.errors import DataError

_LOOKED_AT = 64
_ENOUGH = 8


class Utf8Decoder:
    """Decodes UTF-8, cut anywhere; a byte order mark at the start is no text.

    Where a piece cannot be text, nothing of it is taken, and DataError says why; UTF-16 is told by its mark, or by the
    NUL bytes at every other place of its beginning.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._start = b""

    def feed(self, data: bytes, final: bool = False) -> str:
        """The text that is complete now; with `final`, half a character at the end is an error too."""
        if len(self._start) < _LOOKED_AT:
            self._start += data[: _LOOKED_AT - len(self._start)]
            if order := _utf16_order(self._start):
                raise DataError(f"the input is UTF-16, not UTF-8; convert it with: iconv -f UTF-16{order} -t UTF-8")
        try:
            return self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            self._decoder.reset()
            raise DataError(
                f"the input is not UTF-8: byte 0x{error.object[error.start]:02x} ({error.reason})"
            ) from error


def _utf16_order(start: bytes) -> str:
    """LE or BE for the first bytes of UTF-16, else ""."""
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "LE" if start[:2] == codecs.BOM_UTF16_LE else "BE"
    low, high = start[0::2].count(0), start[1::2].count(0)
    if len(start) < _ENOUGH or 4 * max(low, high) < len(start) or min(low, high):
        return ""
    return "BE" if low else "LE"
