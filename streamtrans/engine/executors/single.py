"""One stream on the streaming Qwen2, and the step from logits to predictions that all runners share."""

from collections.abc import Callable, Sequence

import numpy as np

from streamtrans.engine.executors.instruments import Instrument
from streamtrans.engine.passes import Evidence, Forward, Prediction
from streamtrans.models.qwen2_streaming.attention_recorder import AttentionRecorder, Recorded
from streamtrans.models.qwen2_streaming.masks import SOURCE, TARGET
from streamtrans.models.qwen2_streaming.model import Model
from streamtrans.models.qwen2_streaming.streaming_cache import DualStreamingCache
from streamtrans.runtime import blas_threads, mx


class SingleRunner:
    """Makes the passes of one stream, with a cache of its own."""

    def __init__(self, model: Model, instrument: Instrument | None = None):
        """instrument: finds the evidence that requests ask for."""
        self._model, self._instrument = model, instrument
        self._cache = model.make_cache()

    def answer(self, requests: Sequence[Forward]) -> list[Prediction]:
        """The prediction for the one request."""
        (request,) = requests
        tokens, kinds = prepare(self._cache, request)
        rows = range(len(tokens) - request.rows, len(tokens))

        def source() -> tuple[np.ndarray, list[int]]:
            columns = np.flatnonzero(np.concatenate([self._cache[0].kinds, kinds]) == SOURCE)
            return columns, [len(columns)]

        with blas_threads(1):
            recorder = recorder_for(requests, self._instrument, source)
            hidden = self._model.hidden([tokens], kinds=kinds, cache=self._cache, rows=rows, recorder=recorder)
            return predict(requests, hidden, self._model.head(hidden), self._instrument, recorder)


def prepare(memory: Sequence[DualStreamingCache], request: Forward) -> tuple[list[int], np.ndarray]:
    """Has a stream's memory forget what a request says; gives the new tokens, and their kinds, uint8 (L,)."""
    for layer in memory:
        if request.fresh:
            layer.reset()
        layer.trim(request.take_back)
    kinds = np.array([SOURCE] * len(request.source) + [TARGET] * len(request.target), np.uint8)
    return request.source + request.target, kinds


def predict(
    requests: Sequence[Forward],
    hidden: mx.array,
    logits: mx.array,
    instrument: Instrument | None = None,
    recorder: Recorded | None = None,
) -> list[Prediction]:
    """Predictions for B requests from hidden states (B, R, H) and logits (B, R, V) of the last rows.

    The one place where the best token is chosen. A request that wants fewer than R rows takes the last ones.
    recorder: made by `recorder_for` and filled by the pass.
    """
    if banned := [(row, request.banned) for row, request in enumerate(requests) if request.banned is not None]:
        rows, tokens = (mx.array(column) for column in zip(*banned, strict=True))
        logits[rows, -1, tokens] = -mx.inf
    best = mx.argmax(logits, axis=-1)
    readings: dict[str, mx.array] = {}
    if instrument and _asked(requests):
        readings = instrument.read(hidden.reshape(-1, hidden.shape[-1]), logits.reshape(-1, logits.shape[-1]), recorder)
    mx.eval(best, readings)
    chosen = np.array(best).tolist()
    numbers = {name: np.array(values).reshape(best.shape).tolist() for name, values in readings.items()}
    predictions = []
    for row, request in enumerate(requests):
        places = range(best.shape[1] - request.rows, best.shape[1])
        evidence: list[Evidence] = []
        if numbers and request.evidence:
            evidence = [{name: values[row][place] for name, values in numbers.items()} for place in places]
        predictions.append(Prediction(chosen[row][-request.rows :], evidence))
    return predictions


def recorder_for(
    requests: Sequence[Forward], instrument: Instrument | None, source: Callable[[], tuple[np.ndarray, list[int]]]
) -> AttentionRecorder | None:
    """The recorder that a pass for these requests must fill, None if they ask for no attention.

    source: finds the columns of the source tokens, in order, (S,), and how many of them each stream has read, (B,).
    """
    if instrument and instrument.heads and _asked(requests):
        columns, read = source()
        return AttentionRecorder(instrument.heads, columns, max(request.rows for request in requests), read)
    return None


def _asked(requests: Sequence[Forward]) -> bool:
    return any(request.evidence for request in requests)
