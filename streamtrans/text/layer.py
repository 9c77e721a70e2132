"""Whatever stands between the words of one sentence and a model."""

from typing import Protocol


class Layer(Protocol):
    """Takes source words to the model and its words to the reader.

    foreign: the number of words so far that were copied, since the source language does not use their script.
    """

    foreign: int

    def read(self, word: str) -> str:
        """The words that the model reads for a source word; "" for none, or for none yet."""

    def finish(self) -> str:
        """The words that were not read yet; the source ends here."""

    def write(self, word: str) -> list[str]:
        """The words to show for one that the model wrote; none if it waits for the next, or stands for nothing."""

    def owed(self) -> list[str]:
        """The words to show at the end of the target that nothing written so far stood for."""

    def leave(self, text: str) -> list[str]:
        """Forgets what is not in `text`, all that the model still sees of both sides; the words to show for it."""

    def shown(self, words: list[str], finished: bool) -> list[str]:
        """The words to show for a whole target, which may be another one next time; `write` is not concerned."""


class Plain:
    """Carries nothing: the model reads each word as it is, and what it writes is shown."""

    foreign = 0

    def read(self, word: str) -> str:
        """The word."""
        return word

    def finish(self) -> str:
        """Nothing."""
        return ""

    def write(self, word: str) -> list[str]:
        """The word."""
        return [word]

    def owed(self) -> list[str]:
        """Nothing."""
        return []

    def leave(self, text: str) -> list[str]:
        """Nothing."""
        return []

    def shown(self, words: list[str], finished: bool) -> list[str]:
        """The words."""
        return words
