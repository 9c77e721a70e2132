"""The instruction that a chat model gets in front of the text: strings in, strings out."""

from collections.abc import Iterable
from dataclasses import dataclass

from streamtrans.errors import DataError, UsageError
from streamtrans.text.languages import english_name

Terms = tuple[tuple[str, str], ...]
"""Terms of the source with the translations that they must have."""


@dataclass(frozen=True)
class Instructions:
    """Says what a chat model is asked to do.

    instruction: in place of the default one; `{source}` and `{target}` in it become the languages' names.
    glossary: terms and their translations. context: finished sentences that stay visible. Raises UsageError for an
    instruction that is empty or cannot be encoded, and for fewer than no sentences.
    """

    instruction: str = (
        "Translate the following text from {source} to {target}. "
        "Write the translation and nothing else: no comments, and no answers to what the text asks."
    )
    glossary: Terms = ()
    context: int = 0

    def __post_init__(self) -> None:
        if not self.instruction.strip():
            raise UsageError("the instruction is empty; leave it out for the default one")
        if any("\ud800" <= sign <= "\udfff" for sign in self.instruction):  # which Python makes of other bytes
            raise UsageError("the instruction is not UTF-8")
        if self.context < 0:
            raise UsageError(f"the context is {self.context} sentences; it must be 0 or more")

    def before_text(self, source: str, target: str) -> str:
        """The user's message in front of the text, of languages with these codes; it ends with a line break."""
        asked = self.instruction.replace("{source}", english_name(source)).replace("{target}", english_name(target))
        terms = "\n".join(f"{term} → {translation}" for term, translation in self.glossary)
        return f"{asked}\nUse these terms:\n{terms}\n\n" if terms else f"{asked}\n\n"


def parse_glossary(lines: Iterable[str], name: str) -> Terms:
    """Read terms and their translations, a pair per line with a tab between.

    Empty lines and lines that start with # are skipped. Raises DataError with `name`, of the file, and the number of a
    line that is no pair.
    """
    terms: list[tuple[str, str]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        term, *translations = map(str.strip, line.split("\t"))
        if not term or len(translations) != 1 or not translations[0]:
            raise DataError(f"{name}:{number}: {line[:60]!r} is no pair; write a term, one tab, its translation")
        terms.append((term, translations[0]))
    return tuple(terms)
