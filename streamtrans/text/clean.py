"""Characters that are no text: terminal control sequences, marks that nobody sees, halves of surrogate pairs."""

import re

_ESCAPE = "\x1b"
_STRINGS = "]PX^_"
"""After ESC: operating system command, device control string, and their like, which end with BEL or ESC \\."""

_JOINERS = "\u200c\u200d"
_UNSEEN = (
    "\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
)
_INVISIBLE = re.compile(rf"[{_UNSEEN}\ufeff\ufff9-\ufffb]|(?<![^\0-\u024f])[{_JOINERS}]+|[{_JOINERS}]+(?![^\0-\u024f])")
_SURROGATE = re.compile("[\ud800-\udfff]")


def without_invisible(word: str) -> str:
    """The word without soft hyphens, zero-width and direction marks, and control characters.

    Joiners stay between letters beyond Latin and between emoji, where they change how these are written.
    """
    return word if word.isascii() and word.isprintable() else _INVISIBLE.sub("", word)


class SequenceFilter:
    """Takes terminal control sequences out of text that arrives in pieces; any cut of a text gives the same result.

    ESC [ … final, ESC ] … BEL or ESC \\ (or the end of the line, so that a stray one swallows no more than that), and
    ESC with one final character, "(" and the like before it. Lone surrogates, which no encoding has, become U+FFFD.
    """

    def __init__(self) -> None:
        self._sequence = ""  # "", or how it began: ESC, ESC [, ESC ]; for strings also whether ESC came last

    def feed(self, text: str) -> str:
        """The characters of `text` that belong to no sequence."""
        text = _SURROGATE.sub("\ufffd", text)
        if not self._sequence and _ESCAPE not in text:
            return text
        return "".join(character for character in text if not self._belongs(character))

    def _belongs(self, character: str) -> bool:
        """Whether the character is part of a sequence; ESC begins one anywhere but in a string."""
        begun, self._sequence = self._sequence, ""
        if begun[1:2] == "]" and character not in "\n\x07":
            closed = begun.endswith(_ESCAPE) and character == "\\"
            self._sequence = "" if closed else f"{_ESCAPE}]" + (_ESCAPE if character == _ESCAPE else "")
            return True
        if character == _ESCAPE:
            self._sequence = _ESCAPE
        elif begun == _ESCAPE and character == "[":
            self._sequence = f"{_ESCAPE}["
        elif begun == _ESCAPE and character in _STRINGS:
            self._sequence = f"{_ESCAPE}]"
        elif begun and ("!" <= character <= "/" or (begun != _ESCAPE and " " <= character <= "?")):
            self._sequence = begun  # parameters, and what stands before the last character
        else:
            return bool(begun) and ("0" <= character <= "~" or character == "\x07")
        return True


def without_sequences(text: str) -> str:
    """The whole text without terminal control sequences and lone surrogates."""
    return SequenceFilter().feed(text)
