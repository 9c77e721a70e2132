"""Settings of a checkpoint: the `streamtrans` section of its config.json, typed and with defaults."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

from streamtrans.errors import ModelError
from streamtrans.text.words import is_unspaced

LONGEST_WORDS, LONGEST_CHARACTERS = 60, 120
"""Source words of a segment, and characters where these are words, for models of whole sentences."""

CHARACTERS_PER_WORD = 6.0
"""Target characters to allow per source word, where they are words."""


@dataclass(frozen=True)
class TranslationSettings:
    """Settings for translation; a plain Qwen2 checkpoint without the section gets the defaults.

    target_position_offset: position of the first target token. tokenizer: kind of its tokenizer. trained_wait_k: the
    k's it was trained with, infinity included. max_source_words: longer sources are cut into segments; None for no
    limit. length_ratio: target words to allow per source word. policy: name and options of the policy to use when
    none is asked for. alignment_heads: (layer, head) of the attention heads, from 0, that look at the source word to
    translate.
    """

    target_position_offset: int = 0
    tokenizer: str = "huggingface"
    source_language: str | None = None
    target_language: str | None = None
    max_source_words: int | None = None
    trained_wait_k: tuple[float, ...] = ()
    length_ratio: float = 2.0
    policy: dict[str, Any] | None = None
    alignment_heads: tuple[tuple[int, int], ...] = ()

    @classmethod
    def between(cls, source: str | None, target: str | None) -> "TranslationSettings":
        """Settings for a model of whole sentences between two languages, whose words may be characters."""
        unspaced = is_unspaced(source or "")
        return cls(
            source_language=source or None,
            target_language=target or None,
            max_source_words=LONGEST_CHARACTERS if unspaced else LONGEST_WORDS,
            length_ratio=CHARACTERS_PER_WORD if is_unspaced(target or "") and not unspaced else 2.0,
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TranslationSettings":
        """Parse the section of a whole config.json; unknown keys are left to later versions.

        Raises ModelError for a value of the wrong type or out of range.
        """
        section = {} if config.get("streamtrans") is None else config["streamtrans"]
        if not isinstance(section, dict):
            raise ModelError(f"config.json: streamtrans must be an object, not {section!r}")
        values: dict[str, Any] = {}
        for name, value in section.items():
            wanted, fits = _FIELDS.get(name, ("", _anything))
            if not fits(value):
                raise ModelError(f"config.json: streamtrans.{name} must be {wanted}, not {value!r}")
            if name in _FIELDS:
                values[name] = _TUPLES[name](value) if name in _TUPLES else value
        return cls(**values)


def _anything(_value: Any) -> bool:
    return True


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**31


def _pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_whole(number, 0) for number in value)


def _policy(value: Any) -> bool:
    if value is None:
        return True
    number = (int, float)
    return (
        isinstance(value, dict)
        and isinstance(value.get("name"), str)
        and all(name == "name" or v == "inf" or (isinstance(v, number) and v is not True) for name, v in value.items())
    )


def _text(value: Any) -> bool:
    return value is None or isinstance(value, str)


_FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "target_position_offset": ("a whole number, 0 or more", lambda v: _whole(v, 0)),
    "tokenizer": ("a string", lambda v: isinstance(v, str)),
    "source_language": ("a string or null", _text),
    "target_language": ("a string or null", _text),
    "max_source_words": ("a whole number, 1 or more, or null", lambda v: v is None or _whole(v, 1)),
    "trained_wait_k": (
        'a list of whole numbers, 1 or more, or "inf"',
        lambda v: isinstance(v, list) and all(k == "inf" or _whole(k, 1) for k in v),
    ),
    "length_ratio": ("a number above 0", lambda v: _whole(v, 1) or (isinstance(v, float) and 0 < v < inf)),
    "alignment_heads": (
        "a list of pairs, layer and head",
        lambda v: isinstance(v, list) and all(map(_pair, v)),
    ),
    "policy": ('an object with a "name" and numbers (or "inf"), or null', _policy),
}

_TUPLES: dict[str, Callable[[Any], Any]] = {
    "trained_wait_k": lambda v: tuple(map(float, v)),
    "alignment_heads": lambda v: tuple(map(tuple, v)),
}
