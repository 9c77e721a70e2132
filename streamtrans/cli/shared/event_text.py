"""Events as text that only ever grows: words, words between typed text, JSON lines."""

import json
from collections.abc import Callable

from streamtrans.engine.events import End, Event, Read, Revise, Write
from streamtrans.text.words import is_unspaced

Writer = Callable[[Event], str]
"""Gives the text to append for an event, often none."""


def json_line(event: Event) -> str:
    """Every event as one line of JSON."""
    return json.dumps(event.as_dict(), ensure_ascii=False) + "\n"


class Words:
    """The words of a sentence, each as soon as it is written, and a line end after the last.

    With a policy that revises, a line is held back until nothing in it can change.
    """

    def __init__(self, target_language: str, revises: bool = False):
        self._gap = "" if is_unspaced(target_language) else " "
        self._revises = revises

    def __call__(self, event: Event) -> str:
        """The text to append."""
        if isinstance(event, End):
            return f"{event.text}\n" if self._revises else "\n"
        if isinstance(event, Write) and not self._revises:
            return (self._gap if event.index else "") + event.text
        return ""


class Spoken:
    """The words that were heard, translated ones in brackets between them; then the translation on a line."""

    def __call__(self, event: Event) -> str:
        """The text to append."""
        return f"{event.text} " if isinstance(event, Read) else between(event)


def between(event: Event) -> str:
    """Words in brackets, to stand between typed text; after a sentence its whole translation on a line."""
    if isinstance(event, Write | Revise):
        return f"[{event.text}] "
    return f"\n{event.text}\n" if isinstance(event, End) else ""
