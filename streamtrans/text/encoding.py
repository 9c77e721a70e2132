"""Bytes that arrive in pieces, to text."""

import codecs

from streamtrans.errors import DataError

_LOOKED_AT = 64
_ENOUGH = 8


class Utf8Decoder:
    """Decodes UTF-8, cut anywhere; a byte order mark at the start is no text.

    Text up to a fault is not lost. UTF-16 is told by its mark, or by NUL bytes at every other place of its beginning.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._start: bytes | None = b""  # the first bytes; None when they have been judged
        self._utf16 = ""

    def feed(self, data: bytes, final: bool = False) -> tuple[str, DataError | None]:
        """The text that is complete now, and the fault behind it, if any, with which the rest of the piece is dropped.

        final: half a character at the end is a fault too.
        """
        if self._start is not None:
            self._start += data[: _LOOKED_AT - len(self._start)]
            self._utf16 = utf16_order(self._start)
            if self._utf16 or len(self._start) == _LOOKED_AT:
                self._start = None
        if self._utf16:
            return "", not_utf8("the input", self._utf16) if data else None
        try:
            text = self._decoder.decode(data, final)
            if final and (mark := self._decoder.getstate()[0]):  # a part of a byte order mark, which it would forgive
                mark.decode()
            return text, None
        except UnicodeDecodeError as error:
            self._decoder.reset()
            byte = error.object[error.start]
            text = error.object[: error.start].decode()
            return text, DataError(f"the input is not UTF-8: byte 0x{byte:02x} ({error.reason})")


def not_utf8(name: str, order: str) -> DataError:
    """The complaint about a text that is UTF-16 of this byte order."""
    return DataError(f"{name} is UTF-16, not UTF-8; convert it with: iconv -f UTF-16{order} -t UTF-8")


def utf16_order(start: bytes) -> str:
    """LE or BE for the first bytes of UTF-16, else "": half of its mark is enough, which UTF-8 never has."""
    if start[:2] in (b"\xff", codecs.BOM_UTF16_LE):
        return "LE"
    if start[:2] in (b"\xfe", codecs.BOM_UTF16_BE):
        return "BE"
    low, high = start[0::2].count(0), start[1::2].count(0)
    if len(start) < _ENOUGH or 4 * max(low, high) < len(start) or min(low, high):
        return ""
    return "BE" if low else "LE"
