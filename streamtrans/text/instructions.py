"""The instruction that a chat model gets in front of the text: strings in, strings out."""

from dataclasses import dataclass

from streamtrans.text.languages import english_name

Terms = tuple[tuple[str, str], ...]
"""Terms of the source with the translations that they must have."""


@dataclass(frozen=True)
class Instructions:
    """Says what a chat model is asked to do.

    instruction: in place of the default one; `{source}` and `{target}` in it become the languages' names.
    glossary: terms and their translations. context: finished sentences that stay visible.
    """

    instruction: str = (
        "Translate the following text from {source} to {target}. Answer with the translation only, without comments."
    )
    glossary: Terms = ()
    context: int = 0

    def before_text(self, source: str, target: str) -> str:
        """The user's message in front of the text, of languages with these codes; it ends with a line break."""
        asked = self.instruction.replace("{source}", english_name(source)).replace("{target}", english_name(target))
        terms = "\n".join(f"{term} → {translation}" for term, translation in self.glossary)
        return f"{asked}\nUse these terms:\n{terms}\n\n" if terms else f"{asked}\n\n"
