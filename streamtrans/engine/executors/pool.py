"""Live streams on the streaming Qwen2 that share passes: each comes and goes, and none waits for another."""

from collections.abc import Sequence

import numpy as np

from streamtrans.engine.executors.instruments import Instrument
from streamtrans.engine.executors.single import predict, prepare
from streamtrans.engine.passes import Forward, Prediction
from streamtrans.models.qwen2_streaming.attention_recorder import AttentionRecorder, RaggedRecorder
from streamtrans.models.qwen2_streaming.masks import SOURCE
from streamtrans.models.qwen2_streaming.model import Model
from streamtrans.models.qwen2_streaming.ragged import NewTokens, hidden_of
from streamtrans.models.qwen2_streaming.streaming_cache import DualStreamingCache
from streamtrans.runtime import blas_threads, mx

Memory = list[DualStreamingCache]


class Qwen2Pool:
    """Makes one pass for all streams that wait."""

    def __init__(self, model: Model, instrument: Instrument | None = None):
        """instrument: finds the evidence that requests ask for."""
        self._model, self._instrument = model, instrument

    def memory(self) -> Memory:
        """The memory of a new stream, one cache per layer."""
        return self._model.make_cache()

    def answer(self, memories: Sequence[Memory], requests: Sequence[Forward]) -> list[Prediction]:
        """The predictions for one request of each stream."""
        rows = max(request.rows for request in requests)
        recorded = bool(self._instrument and self._instrument.heads) and any(r.evidence for r in requests)
        streams = [
            self._new_tokens(memory, request, rows if recorded else 0)
            for memory, request in zip(memories, requests, strict=True)
        ]
        recorder = RaggedRecorder([s.recorder for s in streams if s.recorder], rows) if recorded else None
        with blas_threads(1):
            hidden = hidden_of(self._model, streams)[_last_rows([len(s.ids) for s in streams], rows)]
            return predict(requests, hidden, self._model.head(hidden), self._instrument, recorder)

    def _new_tokens(self, memory: Memory, request: Forward, recorded_rows: int) -> NewTokens:
        tokens, kinds = prepare(memory, request)
        recorder = None
        if recorded_rows and self._instrument:
            columns = np.flatnonzero(np.concatenate([memory[0].kinds, kinds]) == SOURCE)
            rows = min(recorded_rows, len(tokens))
            recorder = AttentionRecorder(self._instrument.heads, columns, rows, [len(columns)])
        return NewTokens(tokens, kinds, memory, recorder)


def _last_rows(lengths: Sequence[int], rows: int) -> mx.array:
    """The places of the last `rows` tokens of each stream, (B, rows); where it has fewer, its first one again."""
    ends = np.cumsum(lengths)[:, None]
    places = ends - rows + np.arange(rows)
    return mx.array(np.maximum(places, ends - np.array(lengths)[:, None]))
