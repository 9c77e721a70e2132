"""Slots against plain lists: whatever comes, goes and is taken back, a stream sees its own entries in order."""

import gc

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrans.models.qwen2_streaming.masks import SOURCE, TARGET, Entries, streaming_mask
from streamtrans.models.qwen2_streaming.slots import BLOCK, Slots, columns_of
from streamtrans.runtime import mx

STEP = st.tuples(
    st.integers(0, 4), st.sampled_from(["add", "add", "add", "back", "forget", "leave"]), st.integers(1, 30)
)


@settings(deadline=None, max_examples=30)
@given(st.lists(STEP, max_size=60), st.randoms(use_true_random=False))
def test_slots_hold_what_lists_hold(steps, random):
    slots, streams, serial = Slots(1), {}, 0
    for name, step, size in steps:
        if name not in streams:
            streams[name] = (slots.open(), [])  # entries: kind and a number that its key has
        slot, entries = streams[name]
        if step == "add":
            kinds = np.array([random.choice([SOURCE, TARGET]) for _ in range(size)], np.uint8)
            before = np.array([kind for kind, _ in entries], np.uint8)
            new = [(int(kind), serial + number) for number, kind in enumerate(kinds)]
            serial += size
            assert slots.positions(slot, kinds, 5).tolist() == positions(before, kinds)
            columns = slots.place(slot, kinds)
            everything = np.concatenate([before, kinds])
            wanted = streaming_mask(Entries.arrived(kinds, len(before)), Entries.arrived(everything))
            used = np.flatnonzero(slots.kinds[slot.number])
            assert (slots.seen(slot, columns)[:, used] == wanted).all()
            assert slots.seen(slot, columns).sum() == wanted.sum(), "holes are not seen"
            keys = mx.array([[[float(number)], [0.0]] for _, number in new])
            numbers = mx.array([slot.number] * size)
            found, _ = slots.append(0, numbers, mx.array(columns), keys, mx.array([slot.number]))
            entries += new
            assert np.array(found)[0, 0, used, 0].tolist() == [number for _, number in entries]
        elif step == "back":
            targets = [entry for entry in entries if entry[0] == TARGET]
            count = min(size, len(targets))
            slots.take_back(slot, count)
            for entry in targets[len(targets) - count :]:
                entries.remove(entry)
        elif step == "forget":
            slots.forget(slot)
            entries.clear()
        else:
            del streams[name], slot
    own = [(slot, [kind for kind, _ in entries]) for slot, entries in streams.values()]
    if own:
        columns, counts = columns_of(slots, [slot for slot, _ in own], SOURCE)
        assert counts == [kinds.count(SOURCE) for _, kinds in own]
        assert columns.shape == (len(own), max(1, *counts))


def positions(before, kinds):
    found, counts = [], {SOURCE: int((before == SOURCE).sum()), TARGET: 5 + int((before == TARGET).sum())}
    for kind in kinds:
        found.append(counts[kind])
        counts[kind] += 1
    return found


def test_a_slot_that_nobody_has_is_used_again():
    slots = Slots(1)
    numbers = set()
    for _ in range(100):
        slot = slots.open()
        numbers.add(slot.number)
        del slot
        gc.collect()
    assert len(slots.kinds) == 4
    assert len(numbers) <= 4


def test_holes_are_closed_before_the_slots_grow():
    slots = Slots(1)
    slot = slots.open()
    for _ in range(20):
        slots.place(slot, np.array([TARGET] * 10 + [SOURCE], np.uint8))
        slots.take_back(slot, 10)
    assert np.count_nonzero(slots.kinds[slot.number]) == 20
    assert slots.kinds.shape[1] == BLOCK
