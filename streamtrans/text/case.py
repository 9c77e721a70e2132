"""Capital and small letters as a language has them."""

import unicodedata

from streamtrans.text.languages import primary

_DOTTED = frozenset({"tr", "az"})
"""Languages with an i without a dot, which is another letter."""
_ONE_CASE = frozenset({"ka"})
"""Written without capitals, though Unicode has some."""
_TONOS = "\u0301"


def upper(text: str, language: str) -> str:
    """The text in capitals: i becomes İ in Turkish, Greek loses its accents, ß becomes SS."""
    code = primary(language)
    if code in _ONE_CASE:
        return text
    if code in _DOTTED:
        text = text.replace("i", "İ")
    if code == "el":
        text = unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).replace(_TONOS, ""))
    return text.upper()


def lower(text: str, language: str) -> str:
    """The text in small letters: I becomes ı in Turkish, a Greek sigma at the end of a word ς."""
    if primary(language) in _DOTTED:
        text = text.replace("I", "ı").replace("İ", "i")
    return text.lower()
