"""The law everything rests on: a stream, however it is cut into reads and writes, equals one pass with the mask."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import difference, tiny_model

from streamtrans.models.qwen2_streaming.lockstep_cache import LockstepCache
from streamtrans.models.qwen2_streaming.masks import SOURCE, TARGET, Entries, streaming_mask
from streamtrans.models.qwen2_streaming.packed import pack
from streamtrans.runtime import mx

SHAPES = [(4, 4, 0), (4, 2, 0), (4, 1, 3), (6, 2, 17)]  # heads, key-value heads, first target position
_models: dict = {}


def models(shape, packed):
    if (shape, packed) not in _models:
        heads, kv_heads, offset = shape
        model = tiny_model(
            hidden_size=heads * 8,
            num_attention_heads=heads,
            num_key_value_heads=kv_heads,
            target_position_offset=offset,
        )
        _models[shape, packed] = pack(model) if packed else model
    return _models[shape, packed]


def positions_of(kinds, first_target):
    own = np.where(kinds == SOURCE, np.cumsum(kinds == SOURCE), np.cumsum(kinds == TARGET)) - 1
    return own + np.where(kinds == TARGET, first_target, 0)


def in_one_pass(model, ids, kinds):
    """Logits (L, V) of one row computed without any cache."""
    entries = Entries.arrived(kinds)
    positions = positions_of(kinds, model.args.target_position_offset)
    return model.forward(ids[None], positions=positions, mask=streaming_mask(entries, entries))[0]


def cuts(draw, length):
    """Cut points that divide a row of tokens into passes."""
    inner = draw(st.sets(st.integers(1, length - 1))) if length > 1 else set()
    return [0, *sorted(inner), length]


@st.composite
def schedules(draw):
    kinds = draw(st.lists(st.sampled_from([SOURCE, TARGET]), min_size=1, max_size=24))
    return np.array(kinds, np.uint8), cuts(draw, len(kinds)), draw(st.integers(0, 2**31))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(schedules(), st.sampled_from(SHAPES), st.booleans())
def test_any_schedule_equals_one_pass(schedule, shape, packed):
    """Passes may mix reading and writing, as the engine does when it reads and writes at once."""
    kinds, ends, seed = schedule
    ids = np.random.default_rng(seed).integers(0, 61, len(kinds))
    model = models(shape, packed)
    cache = model.make_cache()
    steps = [model.forward(ids[None, a:b], kinds=kinds[a:b], cache=cache) for a, b in pairwise(ends)]
    assert difference(mx.concatenate(steps, axis=1)[0], in_one_pass(models(shape, False), ids, kinds)) < 1e-4


@settings(max_examples=40, deadline=None, derandomize=True)
@given(schedules(), st.sampled_from(SHAPES), st.booleans())
def test_reading_and_writing_calls_equal_one_pass(schedule, shape, packed):
    kinds, _, seed = schedule
    ids = np.random.default_rng(seed).integers(0, 61, len(kinds))
    model = models(shape, packed)
    cache, steps = model.make_cache(), []
    turns = [0, *(np.flatnonzero(np.diff(kinds)) + 1), len(kinds)]
    for a, b in pairwise(turns):
        steps.append(model(mx.array(ids[None, a:b]), cache=cache, is_reading=kinds[a] == SOURCE))
    assert difference(mx.concatenate(steps, axis=1)[0], in_one_pass(models(shape, False), ids, kinds)) < 1e-4


class Lockstep:
    """Rows that read their own source, write, take back and leave, over one `LockstepCache` per layer.

    It does with masks and positions what the engine does. `history` of each row: its ids and kinds in order of arrival.
    """

    def __init__(self, model, random, rows):
        self.model, self.random = model, random
        self.sources = [random.integers(0, 61, random.integers(1, 7)) for _ in range(rows)]
        cut = random.integers(1, rows + 1)
        parts = [self.read_ahead(part) for part in (self.sources[:cut], self.sources[cut:]) if part]
        self.caches = [LockstepCache.stacked(layer) for layer in zip(*parts, strict=True)]
        self.width = len(self.caches[0])
        self.seen = np.zeros((rows, self.width), bool)
        self.history = [([], []) for _ in range(rows)]

    def read_ahead(self, sources):
        width, caches = max(map(len, sources)), [LockstepCache() for _ in self.model.layers]
        ids = np.array([[*source, *[0] * (width - len(source))] for source in sources])
        self.model.forward(ids, np.arange(width), mask=np.tri(width, dtype=bool), cache=caches)
        mx.eval([cache.state for cache in caches])
        return caches

    def read(self, row):
        """Some more source, perhaps none."""
        ids, kinds = self.history[row]
        start = kinds.count(SOURCE)
        end = self.random.integers(start, len(self.sources[row]) + 1)
        self.seen[row, start:end] = True
        ids.extend(self.sources[row][start:end])
        kinds.extend([SOURCE] * (end - start))

    def write(self):
        """One to three target tokens per row, padded at the left: logits (B, L, V) and how many each row wrote."""
        counts = self.random.integers(1, 4, len(self.history))
        length = counts.max()
        new = np.arange(length) >= length - counts[:, None]
        written = np.array([kinds.count(TARGET) for _, kinds in self.history])
        positions = np.maximum(np.arange(length) - (length - counts)[:, None] + written[:, None], 0)
        ids = self.random.integers(0, 61, new.shape)
        before = np.repeat(self.seen[:, None], length, axis=1)
        among = np.tri(length, dtype=bool) & new[:, None]
        mask = np.concatenate([before, among], axis=2) | ~new[:, :, None]
        positions += self.model.args.target_position_offset
        logits = self.model.forward(ids, positions, mask=mask, cache=self.caches)
        self.seen = np.concatenate([self.seen, new], axis=1)
        for (of_row, kinds), tokens, count in zip(self.history, ids, counts, strict=True):
            of_row.extend(tokens[length - count :])
            kinds.extend([TARGET] * count)
        return logits, counts

    def take_back(self, row):
        ids, kinds = self.history[row]
        columns = self.width + np.flatnonzero(self.seen[row, self.width :])
        count = int(self.random.integers(0, len(columns) + 1))
        self.seen[row, columns[len(columns) - count :]] = False
        for place in np.flatnonzero(np.array(kinds) == TARGET)[len(columns) - count :][::-1]:
            del ids[place], kinds[place]

    def compact(self):
        """Keep as many target columns as the row with most of them needs."""
        targets = self.seen[:, self.width :]
        order = self.width + np.argsort(~targets, axis=1, kind="stable")[:, : targets.sum(axis=1).max()]
        columns = np.concatenate([np.broadcast_to(np.arange(self.width), (len(order), self.width)), order], axis=1)
        self.seen = np.take_along_axis(self.seen, columns, axis=1)
        for cache in self.caches:
            cache.gather(mx.array(columns))
            assert len(cache) == columns.shape[1]

    def leave(self):
        """Go on with all rows but one, in another order."""
        stay = self.random.permutation(len(self.history))[1:]
        self.seen = self.seen[stay]
        self.sources, self.history = ([rows[row] for row in stay] for rows in (self.sources, self.history))
        for cache in self.caches:
            cache.keep(mx.array(stay))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from(SHAPES), st.booleans())
def test_rows_in_lockstep_equal_each_row_alone(data, shape, packed):
    random = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    batch, plain = Lockstep(models(shape, packed), random, data.draw(st.integers(1, 4))), models(shape, False)
    for _ in range(data.draw(st.integers(1, 6))):
        for row in range(len(batch.history)):
            batch.read(row)
        logits, counts = batch.write()
        assert not mx.isnan(logits).any()
        for row, ((ids, kinds), count) in enumerate(zip(batch.history, counts, strict=True)):
            alone = in_one_pass(plain, np.array(ids), np.array(kinds, np.uint8))[-count:]
            assert difference(logits[row, -count:], alone) < 1e-4
        action = data.draw(st.sampled_from(["go on", "take back", "compact", "leave"]))
        if action == "take back":
            for row in range(len(batch.history)):
                batch.take_back(row)
        elif action == "compact":
            batch.compact()
        elif action == "leave" and len(batch.history) > 1:
            batch.leave()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(schedules(), st.data(), st.sampled_from(SHAPES))
def test_taking_back_equals_never_having_written(schedule, data, shape):
    kinds, _, seed = schedule
    ids = np.random.default_rng(seed).integers(0, 61, len(kinds))
    model = models(shape, True)
    cache = model.make_cache()
    model.forward(ids[None], kinds=kinds, cache=cache)
    written = np.flatnonzero(kinds == TARGET)
    n = data.draw(st.integers(0, len(written)))
    for layer in cache:
        layer.trim(n)
    left = np.delete(np.arange(len(kinds)), written[len(written) - n :])
    more, of_kind = np.array([7, 8]), np.array([TARGET, SOURCE], np.uint8)
    after = model.forward(more[None], kinds=of_kind, cache=cache)[0]
    fresh = in_one_pass(models(shape, False), np.concatenate([ids[left], more]), np.concatenate([kinds[left], of_kind]))
    assert difference(after, fresh[-2:]) < 1e-4


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("rows", [[4], range(2, 4), np.arange(5)])
@pytest.mark.parametrize("cached", [False, True])
def test_wanted_rows_are_the_rows_of_all(packed, rows, cached):
    model = models(SHAPES[1], packed)
    ids = np.random.default_rng(0).integers(0, 61, (3, 5))
    kinds = np.array([SOURCE, SOURCE, TARGET, TARGET, SOURCE], np.uint8)
    caches = [model.make_cache() if cached else None for _ in range(2)]
    everything = model.forward(ids, kinds=kinds, cache=caches[0])
    some = model.forward(ids, kinds=kinds, cache=caches[1], rows=rows)
    assert some.shape == (3, len(rows), 61)
    assert difference(some, everything[:, rows[0] : rows[-1] + 1]) < 1e-4
    if cached:  # what is remembered does not depend on which rows are wanted
        assert difference(caches[0][-1].state[0], caches[1][-1].state[0]) < 1e-5


@pytest.mark.parametrize("rows", [[0, 3], [4, 3], [-1], [5]])
def test_wanted_rows_are_neighbours(rows):
    with pytest.raises(ValueError, match="neighbours among 5 tokens"):
        models(SHAPES[1], False).forward(np.zeros((1, 5), int), rows=rows)
