"""Our own cases: each runs once and gives samples in milliseconds."""

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from streamtrans.bench.timing import milliseconds
from streamtrans.bench.workload import LONG_SENTENCE, Depth, K
from streamtrans.engine.lines import Opener
from streamtrans.models.qwen2_streaming.masks import SOURCE, TARGET
from streamtrans.models.qwen2_streaming.model import Model
from streamtrans.models.qwen2_streaming.panels import multiply, panels
from streamtrans.models.qwen2_streaming.streaming_cache import DualStreamingCache
from streamtrans.policies import Policy, WaitK, make_policy
from streamtrans.runtime import blas_threads, mx

MEGABYTES = 240
"""Memory read to find its bandwidth: more than any cache holds."""

PROMPT = 20
"""Source tokens in the cache when decoding is measured."""


def tokens_for(model: Model, count: int) -> list[int]:
    """`count` token ids of the vocabulary, the same ones each time."""
    return [10 + (7919 * number) % (model.args.vocab_size - 10) for number in range(count)]


def source_read(model: Model, tokens: Sequence[int]) -> list[DualStreamingCache]:
    """Caches in which these source tokens have been read."""
    caches = model.make_cache()
    read(model, caches, tokens)
    return caches


def read(model: Model, caches: list[DualStreamingCache], tokens: Sequence[int]) -> None:
    """Reads source tokens and waits for it."""
    with blas_threads(1):
        model.forward(
            [list(tokens)], kinds=np.full(len(tokens), SOURCE, np.uint8), cache=caches, rows=[len(tokens) - 1]
        )
        mx.eval([cache.state for cache in caches])


def write(model: Model, caches: list[DualStreamingCache], source: Sequence[int], target: Sequence[int]) -> int:
    """One pass that reads and writes; the best next token."""
    kinds = np.array([SOURCE] * len(source) + [TARGET] * len(target), np.uint8)
    with blas_threads(1):
        logits = model.forward([[*source, *target]], kinds=kinds, cache=caches, rows=[len(kinds) - 1])
        return int(np.array(mx.argmax(logits[0, -1])))


def decode(model: Model, count: int = 16) -> Iterator[float]:
    """A target token, its successor known before the next begins."""
    caches = source_read(model, tokens_for(model, PROMPT))
    for token in tokens_for(model, count):
        yield milliseconds(lambda token=token: write(model, caches, [], [token]))  # type: ignore[misc]


def read_word(model: Model, count: int = 8) -> Iterator[float]:
    """A source word of two tokens, nothing written."""
    caches = source_read(model, tokens_for(model, PROMPT))
    for _ in range(count):
        yield milliseconds(lambda: read(model, caches, [11, 12]))


def prefill(model: Model, length: int) -> Iterator[float]:
    """`length` source tokens at once."""
    tokens = tokens_for(model, length)
    yield milliseconds(lambda: source_read(model, tokens))


def wait_k_word(model: Model, depth: Depth, count: int = 4) -> Iterator[float]:
    """The next word of a stream in wait-k: a source word read, a target word written."""

    def step(caches: list[DualStreamingCache]) -> None:
        for cache in caches:
            cache.trim(1)
        write(model, caches, depth.word, depth.target[-1:])
        for token in depth.next_target[:-1]:
            write(model, caches, [], [token])

    for _ in range(count):
        caches = source_read(model, depth.source)
        write(model, caches, [], depth.target)
        yield milliseconds(lambda caches=caches: step(caches))  # type: ignore[misc]


def reencoded_word(model: Model, depth: Depth, count: int = 4) -> Iterator[float]:
    """The same word if what was read and written is encoded anew for it, as most systems of language models do."""

    def step() -> None:
        caches = model.make_cache()
        write(model, caches, depth.source + depth.word, depth.target)
        for token in depth.next_target[:-1]:
            write(model, caches, [], [token])

    for _ in range(count):
        yield milliseconds(step)


def session(translator: Opener, sentence: str) -> Iterator[float]:
    """A target word, over a whole sentence with its tokens, decisions and words."""
    opened = translator.session(WaitK(K))
    start = time.perf_counter()
    written = sum(event.type == "write" for event in opened.feed_line(sentence))
    if written:
        yield (time.perf_counter() - start) * 1000 / written


def steady(translator: Opener, sentence: str) -> Iterator[float]:
    """A target word in the middle of a sentence, where each word read is followed by one written."""
    opened, total, written = translator.session(WaitK(K)), 0.0, 0
    for number, word in enumerate(sentence.split()[:-1], 1):
        start = time.perf_counter()
        events = opened.feed_word(word)
        if number > K:
            total += time.perf_counter() - start
            written += sum(event.type == "write" for event in events)
    if written:
        yield total * 1000 / written


def first_word(translator: Opener, sentence: str) -> Iterator[float]:
    """From the source word that allows it to the first target word."""
    opened = translator.session(WaitK(K))
    for word in sentence.split():
        start = time.perf_counter()
        if any(event.type == "write" for event in opened.feed_word(word)):
            yield (time.perf_counter() - start) * 1000
            return


def live_words(translator: Opener, depth: int) -> Iterator[float]:
    """A source word of a live stream with the model's own policy; the ten words around this many words of context."""
    opened = translator.session()
    for number, word in enumerate(LONG_SENTENCE[: depth + 5], 1):
        took = milliseconds(lambda word=word: opened.feed(word + " "))  # type: ignore[misc]
        if number > depth - 5:
            yield took


def agreeing(translator: Opener, sentence: str) -> Iterator[float]:
    """A source word with the policy `agree`, which looks ahead after each."""
    opened = translator.session(make_policy("agree"))
    yield milliseconds(lambda: opened.feed_line(sentence)) / len(sentence.split())


def lines(translator: Opener, sentences: Sequence[str], batch_size: int) -> Iterator[float]:
    """A sentence, in batches or, for 1, one after the other."""
    policy: Policy = WaitK(K)

    def run() -> None:
        if batch_size == 1:
            for sentence in sentences:
                translator.session(policy).feed_line(sentence)
        else:
            for _ in translator.lines(policy, batch_size).translate(sentences):
                pass

    yield milliseconds(run) / len(sentences)


def product(matrix: np.ndarray, row: bool) -> Callable[[], object]:
    """A matrix times itself, or one row times a matrix in panels as the packed layers have it."""
    if row:
        x, weight = mx.array(matrix[:1]), panels(mx.array(matrix.T))
        mx.eval(x, weight)
        return lambda: mx.eval(multiply(x, weight))
    a = mx.array(matrix)
    return lambda: mx.eval(a @ a)


def numpy_product(matrix: np.ndarray, row: bool) -> Callable[[], object]:
    """The same by numpy."""
    left = matrix[:1] if row else matrix
    return lambda: left @ matrix


def memory_read() -> Callable[[], object]:
    """The largest of `MEGABYTES` of numbers by numpy, in one thread: the time that reading them takes."""
    return np.ones(MEGABYTES * 250_000, np.float32).max


def best_of_five(action: Callable[[], object]) -> Iterator[float]:
    """The shortest of five times, after one that wakes the threads."""
    action()
    yield min(milliseconds(action) for _ in range(5))
