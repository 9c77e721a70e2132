"""A recogniser's hypotheses, one JSON object per line: the fields that Vosk, Whisper and others write."""

import json
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from streamtrans.errors import DataError

UNSPOKEN = 0.6
"""From this `no_speech_prob` Whisper itself takes a segment for silence."""


@dataclass(frozen=True)
class Heard:
    """A word that a recogniser heard; `start` and `end` in seconds of the speech, None where it does not tell."""

    text: str
    start: float | None = None
    end: float | None = None

    @property
    def middle(self) -> float | None:
        """The middle of the word, in seconds."""
        return None if self.start is None or self.end is None else (self.start + self.end) / 2


@dataclass(frozen=True)
class Hypothesis:
    """The words of an utterance, as a recogniser takes them for now.

    final: they will not change any more. utterance: its name; None where the next one begins after a final hypothesis.
    doubtful: the recogniser has heard no speech, or gives the words no time at all.
    """

    words: tuple[Heard, ...]
    final: bool = True
    utterance: str | None = None
    doubtful: bool = False


def read_hypothesis(line: str | bytes) -> Hypothesis:
    """The hypothesis of a line of JSON; one that does not say whether it is final is.

    Raises DataError if it is no JSON object, or has no text.
    """
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise DataError("no JSON") from None
    if not isinstance(fields, dict):
        raise DataError("no JSON object")
    final = fields.get("is_final", fields.get("final", "partial" not in fields))
    name = fields.get("utterance_id", fields.get("utterance"))
    words = _words(fields)
    return Hypothesis(
        words,
        final=bool(final),
        utterance=str(name) if isinstance(name, str | int) else None,
        doubtful=(_number(fields.get("no_speech_prob")) or 0) > UNSPOKEN or _timeless(fields, words),
    )


def _words(fields: dict[str, Any]) -> tuple[Heard, ...]:
    """The words with their times; where these are malformed, or are not all that the text has, those of the text."""
    text = fields.get("partial", fields.get("text"))
    for key in ("words", "result", "partial_result"):
        if isinstance(pieces := fields.get(key), list) and pieces:
            heard = [_heard(piece) for piece in pieces]
            if None not in heard:
                words = spaced_words([word for word in heard if word])
                if not isinstance(text, str) or "".join(text.split()) == "".join(word.text for word in words):
                    return words
    if not isinstance(text, str):
        raise DataError("no text")
    return _spread(text.split(), _number(fields.get("start")), _number(fields.get("end")))


def _heard(piece: Any) -> Heard | None:
    """A word as an object with times in seconds, or as a list of text and times in milliseconds."""
    if isinstance(piece, list) and len(piece) == 3:
        text, start, end = piece[0], _number(piece[1], 1000), _number(piece[2], 1000)
    elif isinstance(piece, dict):
        text, start, end = piece.get("word", piece.get("text")), _number(piece.get("start")), _number(piece.get("end"))
    else:
        return None
    if not isinstance(text, str):
        return None
    known = start is not None and end is not None and start <= end
    return Heard(text, start, end) if known else Heard(text)


def spaced_words(pieces: list[Heard]) -> tuple[Heard, ...]:
    """The words of pieces; where pieces begin with a space, as Whisper's do, one that does not belongs to the last."""
    spaced = any(piece.text[:1].isspace() for piece in pieces)
    words: list[Heard] = []
    for piece in pieces:
        if words and spaced and not piece.text[:1].isspace():
            before = words[-1]
            ends = [end for end in (before.end, piece.end) if end is not None and before.end is not None]
            words[-1] = replace(before, text=before.text + piece.text, end=max(ends, default=None))
        else:
            words.append(piece)
    # a space within a word would make two of it
    return tuple(replace(word, text="".join(word.text.split())) for word in words if word.text.strip())


def _spread(words: list[str], start: float | None, end: float | None) -> tuple[Heard, ...]:
    """Words without times of their own share the time of their segment, by their letters."""
    if start is None or end is None or end < start:
        return tuple(map(Heard, words))
    letters, before, heard = sum(map(len, words)), 0, []
    for word in words:
        times = [start + (end - start) * part / letters for part in (before, before + len(word))]
        heard.append(Heard(word, *times))
        before += len(word)
    return tuple(heard)


def _number(value: Any, per_second: float = 1) -> float | None:
    """A time in seconds; None for anything but a finite number from 0."""
    sound = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9 and isfinite(value)
    return value / per_second if sound else None


def _timeless(fields: dict[str, Any], words: tuple[Heard, ...]) -> bool:
    """Whether the words take no time at all."""
    start, end = _number(fields.get("start")), _number(fields.get("end"))
    return bool(words) and all(
        w.start == w.end if w.start is not None else start is not None and start == end for w in words
    )
