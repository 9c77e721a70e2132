"""Conversations with a chat model: each is fed once, and taken back only behind the source.

What a stream has read and written is one conversation: prompt, source, the turn to the assistant, target. A new source
word comes before the turn, so turn and target are fed again after it, in the same pass; all before them stays in the
model's memory, a list of mlx-lm's caches.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import takewhile
from typing import Any

import mlx.nn as nn
import numpy as np

from streamtrans.errors import ModelError
from streamtrans.models.qwen2_streaming.attention_recorder import AttentionRecorder, Heads
from streamtrans.runtime import blas_threads, mx
from streamtrans.text.chat_tokenizer import ChatTokenizer

PROMPT_PIECE = 512
"""Tokens of the prompt that are fed at once; a glossary may have many."""


@dataclass
class Conversation:
    """The memory of one stream.

    cache: mlx-lm's, one per layer, of the tokens `fed`. said: the target where the last pass ended it, without the turn
    that opens it; None if it goes on. earlier: finished sentences, source and target, without prompt and end mark.
    """

    cache: list[Any]
    fed: list[int]
    source: list[int] = field(default_factory=list)
    target: list[int] = field(default_factory=list)
    said: list[int] | None = None
    earlier: list[tuple[list[int], list[int]]] = field(default_factory=list)


@dataclass(frozen=True)
class Conversations:
    """Feeds conversations to a model of mlx-lm's."""

    model: nn.Module
    tokenizer: ChatTokenizer

    @cached_property
    def prompt_cache(self) -> list[Any]:
        """The memory after the prompt, which every conversation starts with.

        Raises ModelError for weights that are no numbers, or too few for the tokenizer.
        """
        cache = self.new_cache()
        prompt = self.tokenizer.prompt_ids
        with blas_threads(1):
            for start in range(0, len(prompt), PROMPT_PIECE):
                logits = self.model(mx.array([prompt[start : start + PROMPT_PIECE]]), cache=cache)
                mx.eval([layer.state for layer in cache])  # the logits of a long prompt would be gigabytes
        if max(prompt + self.tokenizer.start_ids) >= logits.shape[-1]:
            raise ModelError(f"the tokenizer has other tokens than the model, which has {logits.shape[-1]:,}")
        if not mx.isfinite(logits).all():
            raise ModelError("the weights of this model are damaged: it computes what is no number")
        return cache

    def new_cache(self) -> list[Any]:
        """An empty memory."""
        from mlx_lm.models.cache import make_prompt_cache

        return make_prompt_cache(self.model)

    @cached_property
    def shares_passes(self) -> bool:
        """Whether mlx-lm can join the memories of several streams for one pass."""
        return all(hasattr(layer, "merge") for layer in self.prompt_cache)

    def conversation(self) -> Conversation:
        """The memory of a new stream."""
        return Conversation(copy.deepcopy(self.prompt_cache), list(self.tokenizer.prompt_ids))

    def talk_of(self, source: list[int], target: list[int]) -> Conversation:
        """A conversation at these tokens of an unfinished source and of its target."""
        start = self.conversation()
        return replace(start, source=[*self.tokenizer.prompt_ids, *source], target=[*self.tokenizer.start_ids, *target])

    def source_of(self, talk: Conversation) -> list[int]:
        """The source read, without prompt and end mark, as a whole text has it."""
        return self._joined(talk)[0]

    def origins_of(self, talk: Conversation) -> list[int]:
        """For each of these tokens the stream's source token that it begins in."""
        return [len(self.tokenizer.prompt_ids) + origin for origin in self._joined(talk)[1]]

    def _joined(self, talk: Conversation) -> tuple[list[int], list[int]]:
        words = talk.source[len(self.tokenizer.prompt_ids) :]
        return self.tokenizer.joined([token for token in words if token != self.tokenizer.end_id])

    def written_of(self, talk: Conversation) -> list[int]:
        """The target, without the turn that opens it."""
        return talk.target[len(self.tokenizer.start_ids) :]

    def has_all_source(self, talk: Conversation) -> bool:
        """Whether the source has ended: its end mark was read."""
        return talk.source[-1:] == [self.tokenizer.end_id]

    def said(self, talk: Conversation, best: Sequence[int]) -> list[int] | None:
        """The target up to the end mark among these best tokens after the last ones; None if they go on.

        A best token that differs from the target's own makes those after it void.
        """
        written = self.written_of(talk)
        first = len(written) + 1 - len(best)
        for place, token in enumerate(best, first):
            if token == self.tokenizer.end_id:
                return written[:place]
            if written[place : place + 1] != [token]:
                return None
        return None

    def tokens_of(self, talk: Conversation) -> list[int]:
        """The whole conversation: prompt, finished sentences, source, turn and target."""
        tokens = list(self.tokenizer.prompt_ids)
        for source, target in talk.earlier:
            tokens += [*source, *self.tokenizer.earlier_turn_ids, *target, *self.tokenizer.next_ids]
        return tokens + self.source_of(talk) + talk.target

    def recorder(self, talk: Conversation, rows: int, heads: Heads) -> AttentionRecorder:
        """The recorder of where heads look in the source, for the last `rows` tokens."""
        source = self.source_of(talk)
        end = len(self.tokens_of(talk)) - len(talk.target)
        columns = np.arange(end - len(source), end)
        return AttentionRecorder(heads, columns, rows, [len(source)])

    def logits(self, talks: Sequence[Conversation], rows: int) -> mx.array:
        """The logits after the last `rows` tokens of each conversation, (B, rows, V); feeds what its memory lacks.

        Where less is fed than that, the first row stands for those before it.
        """
        new = [self._rewind(talk, self.tokens_of(talk), rows) for talk in talks]
        with blas_threads(1):
            if len(talks) == 1:
                found = self.model(mx.array(new), cache=talks[0].cache)
                mx.eval(found)
            else:
                found = self._pass_of_several(talks, new)
        for talk, tokens in zip(talks, new, strict=True):
            talk.fed = talk.fed + tokens
        lengths = np.array([[len(tokens)] for tokens in new])
        places = np.maximum(lengths - rows + np.arange(rows), 0)
        return mx.take_along_axis(found, mx.array(places)[..., None], axis=1)

    def best_after(self, talk: Conversation, written: list[int]) -> int:
        """The best token after these target tokens, whatever the conversation's own are."""
        ahead = replace(talk, target=[*self.tokenizer.start_ids, *written])
        best = int(self.logits([ahead], 1).argmax())
        talk.cache, talk.fed = ahead.cache, ahead.fed
        return best

    def _rewind(self, talk: Conversation, tokens: list[int], rows: int) -> list[int]:
        """Takes back what the memory holds beyond the beginning it shares with `tokens`; gives the rest of these."""
        from mlx_lm.models.cache import can_trim_prompt_cache, trim_prompt_cache

        pairs = zip(talk.fed, tokens[: len(tokens) - rows], strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        if same < len(talk.fed):
            if can_trim_prompt_cache(talk.cache):
                trim_prompt_cache(talk.cache, len(talk.fed) - same)
            else:  # a window that has begun to move
                same, talk.cache = 0, self.new_cache()
        talk.fed = talk.fed[:same]
        return tokens[same:]

    def _pass_of_several(self, talks: Sequence[Conversation], new: Sequence[list[int]]) -> mx.array:
        """The logits of new tokens (B, L, V), of each conversation at the left."""
        width = max(map(len, new))
        padding = [width - len(tokens) for tokens in new]
        layers = list(zip(*(talk.cache for talk in talks), strict=True))
        joined = [layer[0].merge(layer) for layer in layers]
        for cache in joined:
            cache.prepare(lengths=[len(tokens) for tokens in new], right_padding=padding)
        ids = mx.array([tokens + [self.tokenizer.end_id] * extra for tokens, extra in zip(new, padding, strict=True)])
        found = self.model(ids, cache=joined)
        for cache in joined:
            cache.finalize()
        for number, talk in enumerate(talks):
            talk.cache = [cache.extract(number) for cache in joined]
        mx.eval(found, [layer.state for talk in talks for layer in talk.cache])
        return found
