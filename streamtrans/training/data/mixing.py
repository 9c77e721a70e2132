"""Makes training rows of sentence pairs: as a recogniser gives them, several as one, words and text to copy.

Everything here is text in, text out, and drawn anew in each epoch; both trainers use it.
"""

import random
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from streamtrans.text.words import is_unspaced, units

Pair = tuple[str, str]
"""Source and target."""

_JOINED = (2, 2, 3, 4, 5)  # sentences in a row of several: two more often than any other number
_IN_FRONT = 0.4  # share of the words to copy that stand before the sentence

_NAMES = "anna info jo lee maria news office paulo peter sales team".split()
_PLACES = "bank book city example garden hotel library market museum school travel".split()
_ENDINGS = ".com .net .org .eu .io .com.br .co.uk".split()
_EMOJI = "😀 😂 👍 🙏 🎉 😊 😢 🔥 👏 🤔 ✅ 🚀 🌍 🐶".split()


@dataclass(frozen=True)
class Mixture:
    """Draws what each row is made of; shares are of all rows, and the rest are the pairs as they are.

    recogniser_share: source as a speech recogniser gives it. concat_share: two to five neighbouring pairs as one;
    concat_recogniser_share: the same, with the source as a recogniser gives it. copy_word_share: a word to copy (e-mail
    address, URL, emoji, code) before or after both sides. copy_target_share: the target as its own source.
    max_words: no row that is made has a longer side; where it would, the pair stays as it is.
    """

    source_language: str = ""
    target_language: str = ""
    max_words: int = 60
    recogniser_share: float = 0.0
    concat_share: float = 0.0
    concat_recogniser_share: float = 0.0
    copy_word_share: float = 0.0
    copy_target_share: float = 0.0

    def rows(self, pairs: Sequence[Pair], which: Sequence[int], rng: random.Random) -> list[Pair]:
        """A row for each index of `which` into `pairs`, whose neighbours are there too."""
        makers = [
            (self.recogniser_share, lambda i: _recognised(pairs[i])),
            (self.concat_share, lambda i: self._several(pairs, i, rng)),
            (self.concat_recogniser_share, lambda i: _recognised(self._several(pairs, i, rng))),
            (self.copy_word_share, lambda i: self._with_word(pairs[i], rng)),
            (self.copy_target_share, lambda i: (pairs[i][1], pairs[i][1])),
        ]
        edges = list(accumulate(share for share, _ in makers))
        if not edges[-1]:
            return [pairs[i] for i in which]
        made = []
        for i in which:
            drawn = rng.random()
            make = next((maker for edge, (_, maker) in zip(edges, makers, strict=True) if drawn < edge), None)
            made.append(make(i) if make else pairs[i])
        return made

    def _several(self, pairs: Sequence[Pair], first: int, rng: random.Random) -> Pair:
        row = pairs[first]
        for pair in pairs[first + 1 : first + rng.choice(_JOINED)]:
            longer = self._joined(row, pair)
            if not self._fits(longer):
                break
            row = longer
        return row

    def _with_word(self, pair: Pair, rng: random.Random) -> Pair:
        word = word_to_copy(rng)
        parts = [(word, word), pair] if rng.random() < _IN_FRONT else [pair, (word, word)]
        row = self._joined(*parts)
        return row if self._fits(row) else pair

    def _joined(self, first: Pair, second: Pair) -> Pair:
        gaps = ("" if is_unspaced(language) else " " for language in (self.source_language, self.target_language))
        source, target = (gap.join(side) for gap, *side in zip(gaps, first, second, strict=True))
        return source, target

    def _fits(self, row: Pair) -> bool:
        languages = self.source_language, self.target_language
        return all(len(units(side, language)) <= self.max_words for side, language in zip(row, languages, strict=True))


def as_recognised(text: str) -> str:
    """The text as a speech recogniser gives it: lower case, no punctuation outside words and numbers."""
    return " ".join(re.sub(r"(?<!\w)[^\w\s]+|[^\w\s]+(?!\w)|[^\w\s.,:'’-]", " ", text.lower()).split())


def _recognised(pair: Pair) -> Pair:
    return as_recognised(pair[0]) or pair[0], pair[1]


def word_to_copy(rng: random.Random) -> str:
    """A word that every language leaves as it is: an e-mail address, URL, emoji, hashtag, code or file name."""
    name, place, number = rng.choice(_NAMES), rng.choice(_PLACES), str(rng.randint(1, 9999))
    host = place + rng.choice(["", number, "-" + rng.choice(_PLACES)]) + rng.choice(_ENDINGS)
    code = "".join(rng.choices(string.ascii_uppercase + string.digits, k=rng.randint(2, 4)))
    path = rng.choice(["", f"/{name}", f"/{place}/{number}", f"/a?id={number}"])
    kinds = [
        f"{name}{rng.choice(['', number, '.' + rng.choice(_NAMES)])}@{host}",
        f"{rng.choice(['https://', 'https://www.', 'www.', ''])}{host}{path}",
        rng.choice(_EMOJI) * rng.choice([1, 1, 2, 3]),
        rng.choice("#@") + rng.choice([name, place, place + number]),
        code + rng.choice(["", "-"]) + number,
        f"{name}{rng.choice('_.-')}{place}{rng.choice(['.txt', '.py', '.pdf', '()', '_id'])}",
    ]
    return rng.choice(kinds)
