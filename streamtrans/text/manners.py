"""Rules that keep a chat model to translating: strings in, decisions out.

An opening that no translation has (a comment, the instruction, a quotation mark of its own) is refused, so that the
next best token is taken; a target that is complete, and a line break in it, end it.
"""

from collections.abc import Sequence

from streamtrans.text.instructions import Instructions
from streamtrans.text.languages import english_name, primary
from streamtrans.text.sentences import ends_sentence
from streamtrans.text.words import is_unspaced, units

_COMMENTS = (
    "Here is the translation",
    "Here is a translation",
    "Here is your translation",
    "Here is the translated",
    "Here's the translation",
    "Here's a translation",
    "Here's your translation",
    "Here's the translated",
    "Translation:",
    "Translated text:",
)
"""Openings of an answer that speaks about a translation."""

_ASSISTANT = (
    "The translation of",
    "The translation is",
    "The translated text",
    "The text translates",
    "Sure, here",
    "Sure! Here",
    "Certainly! Here",
    "Certainly, here",
    "Of course! Here",
    "Of course, here",
    "As an AI",
    "I'm sorry, but I can",
    "I am sorry, but I can",
    "I cannot translate",
    "I can't translate",
)
"""Openings of an assistant's answer, which may be a translation into English."""

_QUOTES, _MARKUP = '"“”‘„‚«»‹›「『《〈', "*#>_`<["
_INSTRUCTION_WORDS = 4
_COMPLETE = 0.75
"""Words of a complete target per word of its source, at least."""


class Manners:
    """The rules for one pair of languages and one instruction."""

    def __init__(self, instructions: Instructions, source: str, target: str):
        """source, target: codes of the languages."""
        self._source, self._target = source, target
        asked = instructions.before_text(source, target).split()
        labels = {f"{name}:" for code in (source, target) for name in (english_name(code), code) if name}
        openings = {*_COMMENTS, *labels}
        if len(asked) >= _INSTRUCTION_WORDS:
            openings.add(" ".join(asked[:_INSTRUCTION_WORDS]))
        if primary(target) != "en":
            openings.update(_ASSISTANT)
        self._openings = sorted(opening.casefold() for opening in openings if opening)

    def may_open(self, text: str, source: str) -> bool | None:
        """Whether a target may begin like this; None where more of it must be seen.

        source: what was read of the source. An opening that the source has too is the source's.
        """
        begun, said = text.lstrip(" ").replace("’", "'").casefold(), source.lstrip().casefold()
        if not begun:
            return True
        if begun[0].isspace():
            return False
        if any(begun[0] in marks and not (said and said[0] in marks) for marks in (_QUOTES, _MARKUP)):
            return False
        if any(begun.startswith(opening) and not said.startswith(opening) for opening in self._openings):
            return False
        return None if any(opening.startswith(begun) for opening in self._openings) else True

    def is_complete(self, source: str, target: str) -> bool:
        """Whether nothing can follow a target: it has as many ends of sentences as its source, and is not too short.

        source: all of it. A source without one may have any number; what follows its last one counts as one more.
        """
        read, written = units(source, self._source), units(target, self._target)
        wanted, found = _ends(read, self._source), _ends(written, self._target)
        if not wanted or not written or not ends_sentence(written[-1], self._target):
            return False
        if found < wanted + (not ends_sentence(read[-1], self._source)):
            return False
        alike = is_unspaced(self._source) == is_unspaced(self._target)
        return not alike or len(written) >= _COMPLETE * len(read)


def _ends(words: Sequence[str], language: str) -> int:
    return sum(ends_sentence(word, language, number == 0) for number, word in enumerate(words))
