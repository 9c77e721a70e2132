"""Finds the alignment heads of a chat model, which policy alignatt goes by."""

import random
from collections.abc import Callable, Sequence

import numpy as np

from streamtrans.engine.executors.chat import ChatExecutor
from streamtrans.errors import ModelError
from streamtrans.models.chat_attention import attention_noted, layer_heads
from streamtrans.models.qwen2_streaming.attention_recorder import Heads
from streamtrans.runtime import mx
from streamtrans.text.words import join, stream_units
from streamtrans.training.calibration.alignment_heads import Looks, best_heads
from streamtrans.training.calibration.decisions import PATIENCE
from streamtrans.training.data.dataset import Pair

DECISIONS = 4
"""Places per pair."""

MOST_WORDS_AHEAD = 8
"""Source words read beyond target words written, at a place."""


def find_chat_heads(
    executor: ChatExecutor,
    languages: tuple[str, str],
    pairs: Sequence[Pair],
    advance: Callable[[int], None],
    seed: int = 0,
) -> tuple[Heads, float]:
    """Finds the heads that tell best, by how far back they look, whether three more words would change the next token.

    languages: codes of source and target. advance: called with the number of pairs done. Returns them with the area
    under the ROC curve, as `alignment_heads.find_heads`. Raises ModelError for a model that hides its attention,
    DataError for pairs that are too few.
    """
    counts = layer_heads(executor.model, executor.tokenizer.prompt_ids, executor.conversation().cache)
    if not counts:
        raise ModelError("this model does not let its attention be seen, so that it cannot have alignment heads")
    heads = [(layer, head) for layer, count in enumerate(counts) for head in range(count)]
    drawn = random.Random(seed)
    parts = []
    for pair in pairs:
        source, target = (stream_units(text, code) for text, code in zip(pair, languages, strict=True))
        parts += _looks(executor, heads, source, target, languages[1], drawn)
        advance(1)
    return best_heads(parts, heads, pairs)


def _looks(
    executor: ChatExecutor, heads: Heads, source: list[str], target: list[str], language: str, drawn: random.Random
) -> list[Looks]:
    """Where heads look at places of one pair, each as a part of its own; none if it is too short."""
    tokenizer, found = executor.tokenizer, []
    words = [tokenizer.encode_word(word, first=number == 0) for number, word in enumerate(source)]
    for _ in range(DECISIONS):
        written = drawn.randrange(len(target)) if target else 0
        read = written + drawn.randint(1, MOST_WORDS_AHEAD)
        if read + PATIENCE > len(words):
            continue
        text = tokenizer.encode(join(target[:written], language))
        now, later = (
            executor.talk_of([token for word in words[:count] for token in word], text)
            for count in (read, read + PATIENCE)
        )
        numbers = np.array([number for number, word in enumerate(words[:read], 1) for _ in word])
        recorder = executor.recorder(now, 1, heads)
        with attention_noted(executor.model, recorder.note):
            best = int(executor.logits([now], 1).argmax())
        origins = [origin - len(tokenizer.prompt_ids) for origin in executor.origins_of(now)]
        changed = best != int(executor.logits([later], 1).argmax())
        weights = np.array(recorder.by_row().astype(mx.float32))
        found.append(Looks(weights, numbers[origins][None], np.array([read]), np.array([changed])))
    return found
