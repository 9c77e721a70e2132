"""The words of a tentative continuation."""

import copy
from collections.abc import Callable

from streamtrans.text.tokenizer import Detokenizer, Tokenizer
from streamtrans.text.words import TargetWords


def word_ends(
    tokens: list[int], tokenizer: Tokenizer, detokenizer: Detokenizer, words: TargetWords
) -> tuple[list[int], list[str]]:
    """The complete words of a continuation: for each the number of tokens up to its end, and its text.

    detokenizer and words: the state in which the target is now; they are copied, not changed. The end mark completes
    the word before it.
    """
    detokenizer, words = copy.copy(detokenizer), copy.copy(words)
    ends: list[int] = []
    found: list[str] = []

    def note(complete: Callable[[], list[str]], size: int) -> None:
        for word in complete():
            ends.append(size)
            found.append(word)

    for size, token in enumerate(tokens, 1):
        if token == tokenizer.end_id:
            note(lambda: words.feed(detokenizer.flush()) + words.flush(), size - 1)
            break
        if not tokenizer.space_after and tokenizer.begins_word(token):
            note(words.flush, size - 1)
        note(lambda token=token: words.feed(detokenizer.push(token)), size)  # type: ignore[misc]
    return ends, found
