"""Streams whose source is known beforehand, answered together: one pass of the model a step for all of them.

Two observations make it fast. Source tokens see earlier source only, so all of a segment can be read in one pass before
anything is written: what a stream has not read yet, its mask hides. And then every step is one target token a row, or a
few: nothing is padded, whatever the streams decide.
"""

from collections.abc import Sequence

import numpy as np

from streamtrans.engine.executors.instruments import Instrument
from streamtrans.engine.executors.single import predict, recorder_for
from streamtrans.engine.passes import Forward, Prediction
from streamtrans.models.qwen2_streaming.lockstep_cache import LockstepCache
from streamtrans.models.qwen2_streaming.model import Model
from streamtrans.runtime import mx

_TOKENS_READ = 256  # source tokens a pass: more of them no longer fit into a CPU's cache between two operations
_SLACK = 32  # columns that it does not pay to take out


class LockstepRunner:
    """Makes the passes of B streams, whose whole segments are in the cache from the start.

    It belongs to the thread that made it, as the streams of mlx do: several run side by side in as many threads.
    """

    def __init__(self, model: Model, sources: Sequence[Sequence[int]], instrument: Instrument | None = None):
        """Read the source tokens of every row: B sequences, of similar lengths if padding is to be cheap."""
        self._model, self._instrument, self._sources = model, instrument, [list(source) for source in sources]
        width = max(map(len, self._sources))
        self._read = np.zeros(len(sources), np.int64)
        self._written = np.zeros(len(sources), np.int64)
        self._seen = np.zeros((len(sources), width), bool)  # the columns that a row's next token sees
        self._first_target = width
        rows = max(1, _TOKENS_READ // width)
        parts = [self._read_ahead(self._sources[row : row + rows]) for row in range(0, len(sources), rows)]
        self._caches = [LockstepCache.stacked(layer) for layer in zip(*parts, strict=True)]

    def _read_ahead(self, sources: Sequence[list[int]]) -> list[LockstepCache]:
        """The memory, one a layer, of rows that have read all of their source."""
        width = max(map(len, sources))
        ids = np.array([source + [0] * (width - len(source)) for source in sources])
        caches = [LockstepCache() for _ in self._model.layers]
        # lazy: the logits are never asked for, so that the last layer computes keys and values only
        self._model.forward(ids, np.arange(width), mask=np.tri(width, dtype=bool)[None, None], cache=caches)
        mx.eval([cache.state for cache in caches])
        return caches

    def answer(self, requests: Sequence[Forward]) -> list[Prediction]:
        """The predictions for one request of each row, by one pass."""
        for row, request in enumerate(requests):
            self._show_source(row, request.source)
            if request.take_back:
                targets = self._first_target + np.flatnonzero(self._seen[row, self._first_target :])
                self._seen[row, targets[-request.take_back :]] = False
                self._written[row] -= request.take_back
        self._compact()
        lengths = np.array([len(request.target) for request in requests])
        width, most_rows = int(lengths.max()), max(request.rows for request in requests)
        # tokens stand at the right, padding at the left: the last rows are the wanted ones
        ids = np.array([[0] * (width - len(r.target)) + r.target for r in requests])
        new = np.arange(width) >= width - lengths[:, None]
        positions = np.maximum(np.arange(width) - (width - lengths)[:, None] + self._written[:, None], 0)
        positions += self._model.args.target_position_offset
        rows = list(range(width - most_rows, width))
        recorder = recorder_for(
            requests, self._instrument, lambda: (np.arange(self._first_target), self._read.tolist())
        )
        hidden = self._model.hidden(
            ids, positions, mask=self._mask(new), cache=self._caches, rows=rows, recorder=recorder
        )
        self._written += lengths
        self._seen = np.concatenate([self._seen, new], axis=1)
        return predict(requests, hidden, self._model.head(hidden), self._instrument, recorder)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, in this order."""
        self._sources = [self._sources[row] for row in rows]
        self._read, self._written, self._seen = self._read[rows], self._written[rows], self._seen[rows]
        chosen = mx.array(list(rows))
        for cache in self._caches:
            cache.keep(chosen)

    def _show_source(self, row: int, tokens: list[int]) -> None:
        start = int(self._read[row])
        end = start + len(tokens)
        if self._sources[row][start:end] != tokens:
            raise RuntimeError("a stream read other source tokens than those it was planned with")
        self._seen[row, start:end] = True
        self._read[row] = end

    def _compact(self) -> None:
        """Takes out target columns that no row sees, once they are more than the others: drafts leave many."""
        targets = self._seen[:, self._first_target :]
        used = int(targets.sum(axis=1).max(initial=0))
        if targets.shape[1] <= 2 * used + _SLACK:
            return
        order = self._first_target + np.argsort(~targets, axis=1, kind="stable")[:, :used]
        sources = np.broadcast_to(np.arange(self._first_target), (len(order), self._first_target))
        columns = np.concatenate([sources, order], axis=1)
        self._seen = np.take_along_axis(self._seen, columns, axis=1)
        for cache in self._caches:
            cache.gather(mx.array(columns))

    def _mask(self, new: np.ndarray) -> np.ndarray:
        """The mask of the new columns (B, L): bool (B, 1, L, N + L). Padding sees all, its result is not used:
        a row of nothing would give NaN, and NaN would spread through products with masked weights of 0."""
        length = new.shape[1]
        if length == 1:
            return np.concatenate([self._seen, new], axis=1)[:, None, None]
        before = np.repeat(self._seen[:, None], length, axis=1)
        among = np.tri(length, dtype=bool) & new[:, None]
        return (np.concatenate([before, among], axis=2) | ~new[:, :, None])[:, None]
