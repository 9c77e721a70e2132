"""From logits to what a stream asked for; the one place where the best token is chosen."""

from collections.abc import Callable, Sequence

import numpy as np

from streamtrans.engine.instruments import Instrument
from streamtrans.engine.requests import Forward, Prediction
from streamtrans.models.qwen2_streaming.attention_recorder import AttentionRecorder
from streamtrans.runtime import mx


def answers(
    requests: Sequence[Forward],
    hidden: mx.array,
    logits: mx.array,
    instrument: Instrument | None = None,
    recorder: AttentionRecorder | None = None,
) -> list[Prediction]:
    """Predictions for B requests from hidden states (B, R, H) and logits (B, R, V) of the last rows.

    A request that wants fewer than R rows takes the last ones. instrument: finds the evidence that requests ask for,
    with what the pass wrote into the recorder that `recorder_for` gave it.
    """
    if banned := [(row, request.banned) for row, request in enumerate(requests) if request.banned is not None]:
        rows, tokens = (mx.array(column) for column in zip(*banned, strict=True))
        logits[rows, -1, tokens] = -mx.inf
    best = mx.argmax(logits, axis=-1)
    wanted = [row[-request.rows :] for row, request in zip(np.array(best).tolist(), requests, strict=True)]
    if instrument is None or not _asked(requests):
        return [Prediction(tokens) for tokens in wanted]
    readings = instrument.read(hidden[:, -1], logits[:, -1], recorder)
    mx.eval(readings)
    numbers = {name: np.array(values).tolist() for name, values in readings.items()}
    return [
        Prediction(tokens, **{name: values[row] for name, values in numbers.items()})
        if request.evidence
        else Prediction(tokens)
        for row, (request, tokens) in enumerate(zip(requests, wanted, strict=True))
    ]


def recorder_for(
    requests: Sequence[Forward], instrument: Instrument | None, source: Callable[[], tuple[np.ndarray, list[int]]]
) -> AttentionRecorder | None:
    """What a pass must record for these requests.

    source: finds the columns of the source tokens, in order, (S,), and how many of them each row has read, (B,).
    """
    if instrument and instrument.heads and _asked(requests):
        columns, read = source()
        return AttentionRecorder(instrument.heads, columns, read=read)
    return None


def _asked(requests: Sequence[Forward]) -> bool:
    return any(request.evidence for request in requests)
