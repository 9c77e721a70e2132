"""Languages as people write them, by name or as a BCP-47 tag, and the closest of those that are there."""

import re
from collections.abc import Collection, Iterable

from streamtrans.errors import UsageError

HUB = "en"
"""The language that models go from or to, and through which any two others are chained."""

_NAMES = """
af Afrikaans, ar Arabic, as Assamese, az Azerbaijani, be Belarusian, bg Bulgarian, bn Bangla, bs Bosnian, ca Catalan,
cs Czech, cy Welsh, da Danish, de German, el Greek, en English, eo Esperanto, es Spanish, et Estonian, eu Basque,
fa Persian, fi Finnish, fr French, ga Irish, gd Scottish Gaelic, gl Galician, gu Gujarati, he Hebrew, hi Hindi,
hr Croatian, hu Hungarian, hy Armenian, id Indonesian, is Icelandic, it Italian, ja Japanese, ka Georgian, kk Kazakh,
km Khmer, kn Kannada, ko Korean, lt Lithuanian, lv Latvian, mk Macedonian, ml Malayalam, mr Marathi, ms Malay,
mt Maltese, my Burmese, nb Norwegian Bokmål, ne Nepali, nl Dutch, nn Norwegian Nynorsk, no Norwegian, oc Occitan,
or Odia, pa Punjabi, pl Polish, ps Pashto, pt Portuguese, pt-BR Brazilian Portuguese, ro Romanian, ru Russian,
si Sinhala, sk Slovak, sl Slovenian, sq Albanian, sr Serbian, sv Swedish, sw Swahili, ta Tamil, te Telugu, th Thai,
tl Filipino, tr Turkish, uk Ukrainian, ur Urdu, uz Uzbek, vi Vietnamese, xh Xhosa, zh Chinese,
zh-Hans Simplified Chinese, zh-Hant Traditional Chinese
"""
_OTHER_NAMES = """
bn Bengali, el Modern Greek, es Castilian, fa Farsi, nb Bokmål, nl Flemish, nn Nynorsk, or Oriya, tl Tagalog,
zh Mandarin
"""


def _parsed(names: str) -> list[tuple[str, str]]:
    return [(code, name) for code, _, name in (entry.strip().partition(" ") for entry in names.split(","))]


NAMES = dict(_parsed(_NAMES))
"""The English name of each language that models are known for, by its code."""
_CODES = {name.casefold(): code for code, name in [*_parsed(_OTHER_NAMES), *NAMES.items()]} | {
    code.casefold(): code for code in NAMES
}
_TAG = r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-[A-Z]{2})?"
_NEAR_ENOUGH, _OF_NO_USE = 7, 80
"""Distances in CLDR's terms: another region or the default script is nearer than 7, a language that helps than 80."""


def primary(code: str) -> str:
    """Return the part of a code that names the language, in small letters: pt for pt-BR, zh for zh-Hant."""
    return code.split("-")[0].lower()


def code_of(text: str) -> str:
    """Find the BCP-47 code for a name or a tag: German, pt_BR, zh-tw, deu. Raises UsageError with the nearest."""
    if code := _CODES.get(text.strip().casefold()):
        return code
    import langcodes

    try:
        tag = langcodes.Language.get(text.strip())
        if tag.is_valid():
            return str(tag)
    except ValueError:
        pass
    raise UsageError(f"{text!r} is no language{_did_you_mean(text, NAMES)}")


def closest(code: str, available: Collection[str]) -> str | None:
    """Find the code among those available that means the same language: pt for pt-BR, zh-Hant for zh-TW; else None."""
    if code in available or not available:
        return code if code in available else None
    import langcodes

    found, distance = langcodes.closest_match(code, list(available), max_distance=_NEAR_ENOUGH)
    return found if distance <= _NEAR_ENOUGH else None


def nearest(text: str, codes: Iterable[str]) -> list[str]:
    """Rank the codes whose code or name is spelled most like a text; three at most."""
    import difflib

    spelled = {spelling: code for code in codes for spelling in (code.casefold(), english_name(code).casefold())}
    near = difflib.get_close_matches(text.casefold(), spelled, n=6)
    return list(dict.fromkeys(spelled[spelling] for spelling in near))[:3]


def related(code: str, codes: Iterable[str]) -> list[str]:
    """Rank the codes that help speakers of a language, as CLDR has it, before ones that are spelled like its name."""
    import langcodes

    distances = sorted((langcodes.tag_distance(code, other), other) for other in codes)
    useful = [other for distance, other in distances if distance < _OF_NO_USE]
    return list(dict.fromkeys(useful + nearest(english_name(code), (other for _, other in distances))))[:3]


def english_name(code: str) -> str:
    """Return the English name of a language, or its code where none is known."""
    return NAMES.get(code, code)


def described(code: str) -> str:
    """Return name and code, as messages have them: German (de)."""
    return f"{NAMES[code]} ({code})" if code in NAMES else code


def pair_of(text: str) -> tuple[str, str]:
    """Split en-de, pt-BR-en or German-English into source and target. Raises UsageError where that cannot be."""
    if strict := tags_of(text):
        return strict
    parts = text.split("-")
    for cut in range(1, len(parts)):
        try:
            return code_of("-".join(parts[:cut])), code_of("-".join(parts[cut:]))
        except UsageError:
            continue
    raise UsageError(f"{text!r} is no pair of languages; write it as en-de or English-German")


def tags_of(name: str) -> tuple[str, str] | None:
    """Split a directory's name like en-de or zh-Hans-en, each half a tag of a known language; None for others."""
    halves = re.fullmatch(f"({_TAG})-({_TAG})", name)
    if halves and all(half.split("-")[0] in NAMES for half in halves.groups()):
        return halves[1], halves[2]
    return None


def _did_you_mean(text: str, codes: Iterable[str]) -> str:
    near = nearest(text, codes)
    return f"; nearest: {', '.join(map(described, near))}" if near else "; write its name or code: German, de"
