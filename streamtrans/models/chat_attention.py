"""The attention of a model of mlx-lm's, seen from outside: its architectures all call one function for it."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import mlx.nn as nn

from streamtrans.runtime import mx

_NAME = "scaled_dot_product_attention"

Note = Callable[[mx.array, mx.array, mx.array | None], None]
"""Takes queries (B, heads, L, D), times the scale, keys (B, KV, N, D) and mask of each layer, in order."""


class _Listener(threading.local):
    note: Note | None = None


_listener = _Listener()


@contextmanager
def attention_noted(model: nn.Module, note: Note) -> Iterator[None]:
    """Has `note` called by each layer of the passes that this thread makes meanwhile."""
    for module in _modules(model):
        if not hasattr(attend := getattr(module, _NAME), "listens"):
            setattr(module, _NAME, _listening(attend))
    before, _listener.note = _listener.note, note
    try:
        yield
    finally:
        _listener.note = before


def layer_heads(model: nn.Module, tokens: list[int], cache: list[Any]) -> list[int]:
    """The number of attention heads per layer, none for a model that does not let its attention be seen.

    tokens: fed into the cache to find out.
    """
    found: list[int] = []
    with attention_noted(model, lambda queries, keys, mask: found.append(queries.shape[1])):
        mx.eval(model(mx.array([tokens]), cache=cache))
    return found if len(found) == len(cache) else []


def _modules(model: nn.Module) -> list[Any]:
    names = {type(part).__module__ for _, part in model.named_modules()}
    return [sys.modules[name] for name in sorted(names) if hasattr(sys.modules[name], _NAME)]


def _listening(attend: Callable[..., mx.array]) -> Callable[..., mx.array]:
    """The function of a module, which tells the listener, if there is one, and is otherwise as it was."""

    def noted(queries: mx.array, keys: Any, values: Any, *rest: Any, **named: Any) -> mx.array:
        if _listener.note:
            _, scale, mask = (*rest, *(named.get(name) for name in ("cache", "scale", "mask")[len(rest) :]))[:3]
            if isinstance(keys, mx.array):
                _listener.note(queries * scale, keys, _as_array(mask, queries.shape[2], keys.shape[2]))
        return attend(queries, keys, values, *rest, **named)

    noted.listens = True  # type: ignore[attr-defined]
    return noted


def _as_array(mask: mx.array | str | None, new: int, seen: int) -> mx.array | None:
    """The mask, (1, 1, L, N) where it is only said to be causal."""
    if not isinstance(mask, str):
        return mask
    return (mx.arange(seen - new, seen)[:, None] >= mx.arange(seen))[None, None]
