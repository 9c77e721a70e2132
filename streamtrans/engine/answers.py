"""From logits to what a stream asked for; the one place where the best token is chosen."""

from collections.abc import Sequence

import numpy as np

from streamtrans.engine.requests import Forward, Prediction
from streamtrans.runtime import mx


def answers(requests: Sequence[Forward], logits: mx.array, end_id: int) -> list[Prediction]:
    """Predictions for B requests from logits (B, R, V); a request that wants fewer than R rows takes the last ones."""
    if banned := [(row, request.banned) for row, request in enumerate(requests) if request.banned is not None]:
        rows, tokens = (mx.array(column) for column in zip(*banned, strict=True))
        logits[rows, -1, tokens] = -mx.inf
    best = mx.argmax(logits, axis=-1)
    wanted = [row[-request.rows :] for row, request in zip(np.array(best).tolist(), requests, strict=True)]
    if not any(request.evidence for request in requests):
        return [Prediction(tokens) for tokens in wanted]
    evidence = _evidence(logits[:, -1], best[:, -1], end_id)
    mx.eval(evidence)
    numbers = zip(*(np.array(part).tolist() for part in evidence), strict=True)
    return [
        Prediction(tokens, *its) if request.evidence else Prediction(tokens)
        for request, tokens, its in zip(requests, wanted, numbers, strict=True)
    ]


def _evidence(logits: mx.array, best: mx.array, end_id: int) -> tuple[mx.array, mx.array, mx.array]:
    """Probability of the best token, entropy in nats, probability of the end mark, each (B,), from logits (B, V)."""
    logits = logits.astype(mx.float32)
    logs = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    chances = mx.exp(logs)
    entropy = -mx.sum(chances * mx.maximum(logs, -1e9), axis=-1)  # a banned token's 0 × −inf is 0
    return mx.take_along_axis(chances, best[:, None], axis=-1)[:, 0], entropy, chances[:, end_id]
