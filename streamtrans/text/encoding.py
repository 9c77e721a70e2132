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
            refuse_utf16(self._start)
        try:
            return self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            self._decoder.reset()
            raise DataError(
                f"the input is not UTF-8: byte 0x{error.object[error.start]:02x} ({error.reason})"
            ) from error


def refuse_utf16(start: bytes, name: str = "the input") -> None:
    """Raises DataError if the first bytes of `name` are those of UTF-16: up to 64 are looked at."""
    if order := _utf16_order(start[:_LOOKED_AT]):
        raise DataError(f"{name} is UTF-16, not UTF-8; convert it with: iconv -f UTF-16{order} -t UTF-8")


def _utf16_order(start: bytes) -> str:
    """LE or BE for the first bytes of UTF-16, else "": half of its mark is enough, which UTF-8 never has."""
    if start[:2] in (b"\xff", codecs.BOM_UTF16_LE):
        return "LE"
    if start[:2] in (b"\xfe", codecs.BOM_UTF16_BE):
        return "BE"
    low, high = start[0::2].count(0), start[1::2].count(0)
    if len(start) < _ENOUGH or 4 * max(low, high) < len(start) or min(low, high):
        return ""
    return "BE" if low else "LE"
