"""A chat model beside itself with an empty memory at each READ, as most systems of language models run."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from streamtrans.bench.workload import LONG_SENTENCE
from streamtrans.engine.events import Event
from streamtrans.engine.executors.chat import ChatExecutor
from streamtrans.engine.passes import Forward, Prediction
from streamtrans.engine.session import Session
from streamtrans.engine.translator import Translator
from streamtrans.runtime import mx

AROUND = 5
"""Source words that are measured before a depth, and after it."""


@dataclass
class ChatWords:
    """Samples for each source word, by the names `live N` and `reencode N`, N words of context.

    milliseconds: of a word. tokens: encoded for it. same: whether both ways had the same events.
    """

    milliseconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    tokens: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    same: bool = True


def measure_words(
    translator: Translator, depths: Mapping[int, int], anew: bool, advance: Callable[[str], None]
) -> ChatWords:
    """Reads one long sentence with the model's own policy, and measures the words around some depths.

    depths: words of context, by the number that names them. anew: measure re-encoding too, in a second stream that
    reads each of these words right after the first one.
    """
    found, streams = ChatWords(), {"live": _Stream(translator)} | ({"reencode": _Stream(translator)} if anew else {})
    for number, word in enumerate(LONG_SENTENCE[: max(depths.values()) + AROUND], 1):
        near = [name for name, depth in depths.items() if depth - AROUND < number <= depth + AROUND]
        events = []
        for kind, stream in streams.items():
            advance(f"{kind}, word {number}")
            start = time.perf_counter()
            events.append(stream.read(word, anew=kind == "reencode" and bool(near)))
            took = (time.perf_counter() - start) * 1000
            for depth in near:
                found.milliseconds[f"{kind} {depth}"].append(took)
                found.tokens[f"{kind} {depth}"].append(stream.tokens)
        found.same &= events[:-1] == events[1:]
    return found


class _Stream:
    """A live stream that counts; tokens: encoded for the last word."""

    def __init__(self, translator: Translator):
        executor, policy = translator.executor, translator.default_policy
        assert isinstance(executor, ChatExecutor)
        self._model = cast(Any, _Counted(executor.model))
        executor = replace(executor, model=self._model)
        self._pool, self._talk, self._anew = executor.pool(policy), executor.conversation(), False
        self._session = Session(translator.stream(policy, executor.drafts), [self])
        self.tokens = 0

    def read(self, word: str, anew: bool) -> list[tuple[str, str]]:
        """Reads a word; gives the kinds of its events and their texts. anew: with nothing in memory."""
        self._anew, self._model.tokens = anew, 0
        events: list[Event] = self._session.feed(word + " ")
        self.tokens = self._model.tokens
        return [(event.type, event.text) for event in events]

    def answer(self, requests: Sequence[Forward]) -> list[Prediction]:
        """The prediction for the one request."""
        from mlx_lm.models.cache import make_prompt_cache

        if self._anew and any(request.source for request in requests):
            self._talk.cache, self._talk.fed = make_prompt_cache(self._model), []
        return self._pool.answer([self._talk], requests)


class _Counted:
    """A model that counts the tokens it encodes."""

    def __init__(self, model: Any):
        self._model, self.tokens = model, 0

    def __call__(self, tokens: mx.array, cache: list[Any]) -> mx.array:
        self.tokens += tokens.size
        return self._model(tokens, cache=cache)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)
