"""Many lines, one after the other, with times: what computation-aware scores and comparisons need."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from streamtrans.engine.events import Event
from streamtrans.policies import Policy

if TYPE_CHECKING:
    from streamtrans.engine.translator import Translator


class SequentialEngine:
    """`BatchEngine` with one session a line, whose events have times since the line began."""

    def __init__(self, translator: "Translator", policy: Policy | None = None):
        self.translator = translator
        self.policy = policy or translator.default_policy
        self.cuts = 0

    def translate(self, lines: Iterable[str]) -> Iterator[tuple[int, list[Event]]]:
        """(number from 0, events) of each line, in order."""
        for number, line in enumerate(lines):
            session = self.translator.session(self.policy)
            events = session.feed_line(line)
            self.cuts += session.cuts > 0
            yield number, events
