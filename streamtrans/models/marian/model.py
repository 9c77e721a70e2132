"""A Firefox model on MLX: a post-norm transformer encoder, and a decoder of gated averages (SSRU) with attention.

The encoder sees all of the source, so it reads a source that has grown anew; the decoder is causal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from streamtrans.models.marian.files import MarianFiles
from streamtrans.models.marian.positions import sinusoids
from streamtrans.runtime import compute_dtype, mx

LONGEST = 1024
"""Positions of a side."""

NO_SCORE = -1e9
"""In place of −∞, which a product with 0 would make NaN."""


@dataclass(frozen=True)
class Memory:
    """Encoded sources, B of them: keys and values (B, heads, S, D) of each decoder layer, and their lengths (B,)."""

    layers: list[tuple[mx.array, mx.array]]
    lengths: np.ndarray

    @cached_property
    def mask(self) -> mx.array | None:
        """Float (B, 1, 1, S), to be added to scores; None where all sources have S tokens."""
        keys = self.layers[0][0]
        return _mask(self.lengths, keys.shape[2], keys.dtype)


def gathered(places: Sequence[tuple[Memory, int]]) -> Memory:
    """The memory of sources that stand in others, each with its row there."""
    first = places[0][0]
    lengths = np.array([memory.lengths[row] for memory, row in places])
    if all(memory is first for memory, _ in places) and [row for _, row in places] == list(range(len(first.lengths))):
        return first
    width = int(lengths.max())
    owners, order = by_owner(places)

    def whole(layer: int, part: int) -> mx.array:
        parts = [memory.layers[layer][part][rows, :, :width] for memory, rows in owners]
        return at_places([mx.pad(p, [(0, 0), (0, 0), (0, width - p.shape[2]), (0, 0)]) for p in parts], order)

    return Memory([(whole(layer, 0), whole(layer, 1)) for layer in range(len(first.layers))], lengths)


T = TypeVar("T")


def by_owner(places: Sequence[tuple[T, int]]) -> tuple[list[tuple[T, mx.array]], mx.array]:
    """Puts places of results of whole batches together: each result with the rows that are wanted of it, and the order
    that brings these, result after result, back into the order of the places."""
    numbers: dict[int, list[int]] = {}
    for number, (owner, _) in enumerate(places):
        numbers.setdefault(id(owner), []).append(number)
    owners = [(places[some[0]][0], mx.array([places[number][1] for number in some])) for some in numbers.values()]
    return owners, mx.array(np.argsort(np.concatenate(list(numbers.values()))))


def at_places(parts: list[mx.array], order: mx.array) -> mx.array:
    """The rows of parts from `by_owner`, in the order of the places."""
    return parts[0] if len(parts) == 1 else mx.concatenate(parts)[order]


def _mask(lengths: np.ndarray, width: int, dtype: mx.Dtype) -> mx.array | None:
    if lengths.min() == width:
        return None
    return mx.array(np.where(np.arange(width) >= lengths[:, None], NO_SCORE, 0)[:, None, None], dtype)


class MarianModel:
    """Weights under Marian's names, in float32 on a CPU and float16 on a GPU."""

    def __init__(self, files: MarianFiles):
        """files: its weights are taken out of it one by one, so that they are not in memory twice."""
        config = self.config = files.config
        self.dtype = compute_dtype(mx.float16)
        self._scale = (config.width // config.heads) ** -0.5
        shared = files.source_embedding == files.target_embedding
        pieces = mx.array(files.weights.pop(files.target_embedding)).astype(self.dtype)
        start = mx.zeros_like(pieces[:1])  # the target begins with no piece: an embedding of zeros, after the others
        self.target = mx.concatenate([pieces, start])
        self.source = self.target if shared else mx.array(files.weights.pop(files.source_embedding)).astype(self.dtype)
        self.w = self._joined(files.weights)
        self.positions = mx.array(sinusoids(LONGEST, config.width)).astype(self.dtype)
        mx.eval(self.w, self.target, self.source, self.positions)

    def _joined(self, weights: dict[str, np.ndarray]) -> dict[str, mx.array]:
        """The weights, those that multiply the same states in one product; biases and norms (outputs,)."""
        joined: dict[str, mx.array] = {}

        def join(name: str, *parts: str) -> None:
            arrays = [weights.pop(part) for part in parts]
            whole = np.concatenate(arrays, axis=1) if len(arrays) > 1 else arrays[0]
            joined[name] = mx.array(whole[0] if len(whole) == 1 else whole).astype(self.dtype)
            mx.eval(joined[name])

        for layer in range(1, self.config.encoder_layers + 1):
            at = f"encoder_l{layer}_self"
            join(f"{at}_W", *(f"{at}_W{part}" for part in "qkv"))
            join(f"{at}_b", *(f"{at}_b{part}" for part in "qkv"))
        for layer in range(1, self.config.decoder_layers + 1):
            at = f"decoder_l{layer}_context"
            join(f"{at}_W", *(f"{at}_W{part}" for part in "kv"))
            join(f"{at}_b", *(f"{at}_b{part}" for part in "kv"))
            at = f"decoder_l{layer}_rnn"
            join(f"{at}_WfW", f"{at}_Wf", f"{at}_W")
        for name in list(weights):
            join(name, name)
        return joined

    def encode(self, ids: np.ndarray, lengths: np.ndarray) -> Memory:
        """Reads sources: ids (B, S), padded at the right, and their lengths (B,)."""
        places = _Places(np.arange(ids.shape[1]) < lengths[:, None])
        mask = _mask(lengths, ids.shape[1], self.dtype)
        x = self._embedded(self.source, ids, np.broadcast_to(np.arange(ids.shape[1]), ids.shape), places)
        for layer in range(1, self.config.encoder_layers + 1):
            at = f"encoder_l{layer}_self"
            q, k, v = self._heads(self._linear(x, f"{at}_W", f"{at}_b"), 3, places)
            x = self._feed_forward(self._attended(x, at, q, k, v, mask, places), f"encoder_l{layer}_ffn")
        contexts = [f"decoder_l{layer}_context" for layer in range(1, self.config.decoder_layers + 1)]
        found = [self._heads(self._linear(x, f"{at}_W", f"{at}_b"), 2, places) for at in contexts]
        return Memory([(k, v) for k, v in found], lengths)

    def decode(
        self, ids: np.ndarray, valid: np.ndarray, positions: np.ndarray, cells: list[mx.array], memory: Memory
    ) -> tuple[mx.array, list[mx.array], mx.array]:
        """Reads target tokens (B, T): states (B, T, width), and each layer's cells after each token, (B, T, width).

        valid: bool (B, T), false for padding, which stands at the left. positions: (B, T). cells: of each layer,
        (B, width), before the first token. The third result are the queries (B, heads, T, D) of the last layer.
        """
        places = _Places(valid)
        keep = None if places.whole else mx.array(valid)[..., None]
        y = self._embedded(self.target, ids, positions, places)
        after, query = [], y
        for layer, ((k, v), cell) in enumerate(zip(memory.layers, cells, strict=True), 1):
            at = f"decoder_l{layer}"
            c = self._averages(places.spread(y @ self.w[f"{at}_rnn_WfW"]), f"{at}_rnn", cell, keep)
            after.append(c)
            y = self._norm(y + mx.maximum(places.packed(c), 0), f"{at}_rnn_ffn")
            (query,) = self._heads(self._linear(y, f"{at}_context_Wq", f"{at}_context_bq"), 1, places)
            y = self._attended(y, f"{at}_context", query, k, v, memory.mask, places)
            y = self._feed_forward(y, f"{at}_ffn")
        return places.spread(y), after, query

    def _embedded(self, table: mx.array, ids: np.ndarray, positions: np.ndarray, places: "_Places") -> mx.array:
        """States (N, width) of the tokens, the padding left out."""
        tokens, at = mx.array(ids[places.valid]), mx.array(positions[places.valid])
        return table[tokens] * self.config.width**0.5 + self.positions[at]

    def _averages(self, both: mx.array, at: str, cell: mx.array, keep: mx.array | None) -> mx.array:
        """The gated averages c_t = f_t·c_{t−1} + (1 − f_t)·x_t, (B, T, width).

        both: what f and x are made of, (B, T, 2·width). keep: bool (B, T, 1); where false, the cell stays.
        """
        width = self.config.width
        forget = mx.sigmoid(both[..., :width] + self.w[f"{at}_bf"])
        x = (1 - forget) * both[..., width:]
        if keep is not None:
            forget, x = mx.where(keep, forget, 1), mx.where(keep, x, 0)
        cell, after = cell[:, None], []
        for keeps, takes in zip(*(mx.split(part, both.shape[1], axis=1) for part in (forget, x)), strict=True):
            cell = takes + keeps * cell
            after.append(cell)
        return mx.concatenate(after, axis=1)

    def attention(self, query: mx.array, memory: Memory) -> mx.array:
        """The weights (B, heads, T, S) that queries of the last layer give to the source tokens."""
        scores = (query * self._scale) @ memory.layers[-1][0].swapaxes(-1, -2)
        return mx.softmax(scores if memory.mask is None else scores + memory.mask, axis=-1)

    def _attended(
        self, x: mx.array, at: str, q: mx.array, k: mx.array, v: mx.array, mask: mx.array | None, places: "_Places"
    ) -> mx.array:
        found = mx.fast.scaled_dot_product_attention(q, k, v, scale=self._scale, mask=mask)
        found = places.packed(found.swapaxes(1, 2).flatten(2))
        return self._norm(x + self._linear(found, f"{at}_Wo", f"{at}_bo"), f"{at}_Wo")

    def _feed_forward(self, x: mx.array, at: str) -> mx.array:
        inner = mx.maximum(self._linear(x, f"{at}_W1", f"{at}_b1"), 0)
        return self._norm(x + self._linear(inner, f"{at}_W2", f"{at}_b2"), f"{at}_ffn")

    def _linear(self, x: mx.array, weight: str, bias: str) -> mx.array:
        return mx.addmm(self.w[bias], x, self.w[weight])

    def _norm(self, x: mx.array, at: str) -> mx.array:
        return mx.fast.layer_norm(x, self.w[f"{at}_ln_scale"], self.w[f"{at}_ln_bias"], 1e-6)

    def _heads(self, x: mx.array, parts: int, places: "_Places") -> list[mx.array]:
        """`parts` arrays (B, heads, T, D) of states (N, parts·width)."""
        x = places.spread(x)
        x = x.reshape(*x.shape[:2], parts, self.config.heads, self.config.width // self.config.heads)
        return [x[:, :, part].swapaxes(1, 2) for part in range(parts)]


class _Places:
    """Where the tokens of B rows stand: one after the other for products (N, …), padded for attention (B, T, …)."""

    def __init__(self, valid: np.ndarray):
        """valid: bool (B, T), true for N tokens, false for padding."""
        self.valid, self.whole = valid, bool(valid.all())
        if not self.whole:
            self._tokens = mx.array(np.flatnonzero(valid))
            self._spread = mx.array(np.maximum(np.cumsum(valid) - 1, 0))  # any token will do for padding

    def packed(self, x: mx.array) -> mx.array:
        """Of (B, T, …) the tokens, (N, …)."""
        x = x.flatten(0, 1)
        return x if self.whole else x[self._tokens]

    def spread(self, x: mx.array) -> mx.array:
        """The tokens (N, …) in their rows, (B, T, …)."""
        return (x if self.whole else x[self._spread]).reshape(*self.valid.shape, *x.shape[1:])
