"""Parts of a word that are no language: addresses, tags, placeholders, code, amounts, signs and emoji."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from streamtrans.text.fold import MARKS

LONGEST = 2000
"""Letters; a longer word is not looked at."""

CURRENCIES = "$€£¥₹₩₽₺₴₦₱₫₪฿¢₡₲₵₸₿"
_ENDINGS = (
    "com|org|net|edu|gov|info|io|dev|app|pt|br|uk|de|fr|es|it|eu|ch|nl|jp|cn|in|au|ca|ru|ua|by|bg|cz|sk|si|hr|rs|pl|"
    "gr|tr|az|il|ir|hu|ro|se|dk|fi|ee|lv|lt|ie|mt|vn|th|kr|tw"
)
_FILES = (
    "py|js|ts|json|ya?ml|toml|ini|cfg|conf|log|txt|md|csv|tsv|html?|xml|css|pdf|jpe?g|png|gif|svg|zip|gz|tar|exe|sh|bat|"
    "dll|so|c|h|cpp|rs|go|java|rb|php|sql|docx?|xlsx?|pptx?|odt|mp3|mp4|wav|mov|iso|apk"
)

_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<!--|-->|&(?:#\d+|#x[0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]+);")
_EMOJI = re.compile(
    "(?:[0-9#*]\ufe0f?\u20e3|[\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
    "[\ufe0e\ufe0f\u20e3\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*)+"
)
_PLACEHOLDER = re.compile(
    r"(?<!\d)%(?:\d+\$)?[-+0#]*\d*(?:\.\d+)?(?:l{0,2}[diu]|[sdifgeExXcur@])(?![^\W\d_])|%\(\w+\)[a-z]|"
    r"\{\{[^{}]*\}\}|\$?\{+[^\s{}]*\}+|\$\([\w.-]+\)"
)
_WHOLE = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://|www\.|mailto:)\S+"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    rf"|(?:[A-Za-z0-9-]+\.)+(?:{_ENDINGS})(?:[/:?#]\S*)?"
    r"|(?:[A-Za-z0-9-]+\.)+[a-z]{2,}/\S*"
    r"|@\w[\w.-]*"
    rf"|#(?=\w*[^\W\d])[\w{MARKS}]+"
    r"|[\w.-]*[A-Za-z0-9]_\w[\w.-]*|_{1,2}\w+"
    r"|(?:~|\.{1,2})?/(?=\S*[A-Za-z])[\w.+-]+(?:/[\w.+-]*)*"
    r"|[A-Za-z]:\\\S+"
    rf"|[\w.-]+\.(?:{_FILES})"
    r"|--[a-z][\w-]*(?:=\S+)?"
    r"|[A-Za-z][\w:.-]*=[^\s=]+"
    r"|[\w.:]+\(\)"
    r"|[A-Za-z]*[a-z][A-Z]\w*\d\w*"
    r"|`[^`\s]+`"
)
_AMOUNT = re.compile(rf"[-+~−]?(?:[A-Z]{{1,3}})?[{CURRENCIES}]\d[\d.,]*[A-Za-z]{{0,3}}|\d[\d.,]*[{CURRENCIES}]")
_INSIDE = re.compile(
    f"{_TAG.pattern}|{_PLACEHOLDER.pattern}|(?P<emoji>{_EMOJI.pattern})|</?[A-Za-z][^<>\\s]*$|\\{{\\{{[^{{}}\\s]*$"
)
"""The last two are cut off: nothing closes them."""
_SIGNS = "=<>@+*|~^\\"
UNCLOSED = re.compile(r"(?:</?[A-Za-z][^<>]*|\{\{[^{}]*)$")
"""A tag or a template that white space divides, up to here."""
OPENING = "([{\"'“”‘’„‚«»¿¡‹「『（【〈《"
CLOSING = ".,;:!?…)]}\"'“”‘’«»‹›。！？、，；：．」』）】〉》،؛؟۔।॥։፣።\u037e"
_HINT = re.compile(rf"[^\w\s,;!?'\"().:-]|[._:-]\w|[a-z][A-Z]|\(\)|[{CURRENCIES}]")


@dataclass(frozen=True)
class Piece:
    """A part of a word; `opaque` if it is no language."""

    text: str
    opaque: bool = False


def pieces(word: str, known: Callable[[str], bool]) -> list[Piece]:
    """The parts of a word, which together are the word; punctuation that clings to an opaque part is text.

    known: whether the vocabulary spells a text; signs and emoji that it knows are left to the model.
    """
    if not _HINT.search(word):
        return [Piece(word)]
    start, end = _core(word)
    return whole(word) if _is_whole(word[start:end], known) else _filled(_inside(word, known))


def whole(word: str) -> list[Piece]:
    """The parts of a word that is opaque but for the punctuation around it."""
    start, end = _core(word)
    return _filled([Piece(word[:start]), Piece(word[start:end], opaque=True), Piece(word[end:])])


def _filled(parts: Iterable[Piece]) -> list[Piece]:
    return [part for part in parts if part.text]


def _core(word: str) -> tuple[int, int]:
    """Where the word without the punctuation around it starts and ends; brackets of its own stay."""
    start, end = 0, len(word)
    while start < end and word[start] in OPENING:
        start += 1
    while end > start and word[end - 1] in CLOSING:
        opener = {")": "(", "]": "[", "}": "{"}.get(word[end - 1])
        if opener and word.count(opener, start, end) >= word.count(word[end - 1], start, end):
            break
        end -= 1
    return start, end


def _is_whole(core: str, known: Callable[[str], bool]) -> bool:
    """Whether the whole of it is opaque: an address, code, an amount in a currency that the model cannot spell."""
    if not core or _WHOLE.fullmatch(core):
        return bool(core)
    if len(core) == 1 and core in _SIGNS:
        return not known(core)
    if core.isascii() or (_EMOJI.search(core) and not _AMOUNT.fullmatch(core)):
        return False
    return any(_is_sign(c) and not known(c) for c in core)


def _is_sign(character: str) -> bool:
    """Whether it is a sign beyond ASCII: a currency, degrees, arrows, bullets; neither letter nor digit."""
    return not character.isascii() and unicodedata.category(character)[0] in "SP"


def _inside(word: str, known: Callable[[str], bool]) -> Iterator[Piece]:
    """Tags, placeholders and emoji wherever they stand in the word."""
    position = 0
    for match in _INSIDE.finditer(word):
        if match.lastgroup == "emoji" and known(match[0]):
            continue
        yield Piece(word[position : match.start()])
        yield Piece(match[0], opaque=True)
        position = match.end()
    yield Piece(word[position:])
