"""Slips of the tongue in speech that was written down as it was said: fillers, and small words said twice."""

_FILLERS = {"en": frozenset("um umm uh uhh uhm erm".split())}
_SMALL = {  # not "a", which is a letter too
    "en": frozenset(
        "i we you he she it they the an and but or so to of in on at for with from by is are was were am be do does "
        "did can could should would will must my your our his her their this these if when because not".split()
    )
}


def is_slip(word: str, previous: str, language: str) -> bool:
    """Whether a word says nothing: a filler, or the same small word as the one before it."""
    code = language.split("-")[0].lower()
    lower = word.lower()
    if lower.rstrip(",") in _FILLERS.get(code, ()):
        return True
    return lower == previous.lower() and lower in _SMALL.get(code, ())
