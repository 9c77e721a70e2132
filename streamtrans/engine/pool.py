"""Live streams on the streaming Qwen2 that share passes: each comes and goes, and none waits for another."""

from collections.abc import Sequence

import numpy as np

from streamtrans.engine.instruments import Instrument
from streamtrans.engine.passes import Forward, Prediction
from streamtrans.engine.single import kinds_of, predict
from streamtrans.models.qwen2_streaming.attention_recorder import AttentionRecorder, GatheredRecorder
from streamtrans.models.qwen2_streaming.masks import SOURCE
from streamtrans.models.qwen2_streaming.model import Model
from streamtrans.models.qwen2_streaming.ragged import NewTokens, hidden_of
from streamtrans.models.qwen2_streaming.slots import Slot, Slots, columns_of
from streamtrans.runtime import blas_threads, mx


class Memory:
    """A slot, from the first pass on: only the thread that makes the passes may touch the slots."""

    def __init__(self) -> None:
        self._slot: Slot | None = None

    def place(self, slots: Slots) -> Slot:
        """The slot."""
        if self._slot is None:
            self._slot = slots.open()
        return self._slot


class Qwen2Pool:
    """Makes one pass for all streams that wait."""

    def __init__(self, model: Model, instrument: Instrument | None = None):
        """instrument: finds the evidence that requests ask for."""
        self._model, self._instrument = model, instrument
        self._slots = Slots(len(model.layers))

    def memory(self) -> Memory:
        """The memory of a new stream."""
        return Memory()

    def answer(self, memories: Sequence[Memory], requests: Sequence[Forward]) -> list[Prediction]:
        """The predictions for one request of each stream."""
        places = [memory.place(self._slots) for memory in memories]
        for slot, request in zip(places, requests, strict=True):
            if request.fresh:
                self._slots.forget(slot)
            self._slots.take_back(slot, request.take_back)
        streams = [
            NewTokens(request.source + request.target, kinds_of(request), slot)
            for slot, request in zip(places, requests, strict=True)
        ]
        lengths, rows = [len(stream.ids) for stream in streams], max(request.rows for request in requests)
        heads = self._instrument.heads if self._instrument and any(r.evidence for r in requests) else ()
        with blas_threads(1):
            recorder = AttentionRecorder(heads, None, rows) if heads else None
            hidden = hidden_of(self._model, self._slots, streams, recorder)[_last_rows(lengths, rows)]
            found = GatheredRecorder(recorder, *columns_of(self._slots, places, SOURCE), rows) if recorder else None
            return predict(requests, hidden, self._model.head(hidden), self._instrument, found)


def _last_rows(lengths: Sequence[int], rows: int) -> mx.array:
    """The places of the last `rows` tokens of each stream, (B, rows); where it has fewer, its first one again."""
    ends = np.cumsum(lengths)[:, None]
    places = ends - rows + np.arange(rows)
    return mx.array(np.maximum(places, ends - np.array(lengths)[:, None]))
