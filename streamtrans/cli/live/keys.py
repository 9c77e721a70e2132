"""The bytes that a terminal sends, decoded into text and a few keys. Pure; no terminal needed."""

import codecs
from enum import Enum
from unicodedata import category


class Key(Enum):
    """A key that is not text."""

    BACKSPACE = "backspace"
    ERASE_WORD = "erase word"
    ENTER = "enter"
    FINISH = "finish"
    REDRAW = "redraw"


Stroke = str | Key

_ESCAPE = "\x1b"
_KEYS = {
    "\r": Key.ENTER,
    "\n": Key.ENTER,
    "\x7f": Key.BACKSPACE,
    "\b": Key.BACKSPACE,
    "\x17": Key.ERASE_WORD,  # Ctrl-W
    "\x15": Key.ERASE_WORD,  # Ctrl-U: nothing but the word not yet read can be taken back
    "\x04": Key.FINISH,  # Ctrl-D
    "\x0c": Key.REDRAW,  # Ctrl-L
}


class KeyDecoder:
    """Decodes bytes as they arrive, cut anywhere; arrow keys, keys with Alt and other escape sequences are dropped.

    Text that is pasted between bracketed-paste marks is text, except that its line ends are Enter.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._sequence = ""
        self._pasting = False

    @property
    def waiting(self) -> bool:
        """Whether an escape sequence has begun and not ended: it is the Escape key if nothing follows soon."""
        return bool(self._sequence)

    def give_up(self) -> None:
        """Nothing followed: what had begun was no sequence."""
        self._sequence = ""

    def feed(self, data: bytes) -> list[Stroke]:
        """The strokes that `data` completes, a character of text each."""
        strokes = [self._advance(character) for character in self._decoder.decode(data)]
        return [stroke for stroke in strokes if stroke is not None]

    def _advance(self, character: str) -> Stroke | None:
        if self._sequence:
            return self._advance_sequence(character)
        if character == _ESCAPE:
            self._sequence = _ESCAPE
            return None
        if character in _KEYS:
            key = _KEYS[character]
            return key if key is Key.ENTER or not self._pasting else None
        if character == "\t":
            return " "
        return None if category(character) == "Cc" else character

    def _advance_sequence(self, character: str) -> Stroke | None:
        """One character more of a sequence: ESC [ … final, ESC O final, or ESC ] … with its terminator."""
        kind = self._sequence[1:2]
        if not kind and character not in "[O]P_^":
            self._sequence = character if character == _ESCAPE else ""  # a key with Alt does nothing
            return None
        self._sequence += character
        if not kind:
            return None
        if kind == "[":
            ended = "@" <= character <= "~"
        else:
            ended = kind == "O" or character == "\x07" or self._sequence.endswith("\x1b\\")
        if ended:
            self._pasting = {"\x1b[200~": True, "\x1b[201~": False}.get(self._sequence, self._pasting)
            self._sequence = ""
        return None
