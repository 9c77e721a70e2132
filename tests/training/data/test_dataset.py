"""Filters, batches that cover each epoch once, exact resume, and making batches ahead."""

import threading
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrans.training.data.dataset import Filters, Position, batches, prefetched
from streamtrans.training.data.mixing import Mixture

PAIRS = [("a " * (1 + i % 7) + str(i), "b " * (1 + i % 5) + str(i)) for i in range(103)]


def lengths(pair):
    return len(pair[0].split()) + 1, len(pair[1].split()) + 1


def cost(rows):
    return len(rows) * (max(lengths(row)[0] for row in rows) + max(lengths(row)[1] for row in rows))


def epoch(number, **options):
    stream = batches(PAIRS, lengths, 60, seed=3, **options)
    return [(place, rows) for place, rows, _ in _until(stream, number + 1) if place.epoch == number]


def _until(stream, epoch_number):
    for item in stream:
        if item[0].epoch == epoch_number:
            return
        yield item


@pytest.mark.parametrize(
    ("source", "target", "domain", "reason"),
    [
        ("hello", "olá", "", ""),
        ("hello", "olá", "news", ""),
        ("hello", "olá", "speech", "domain speech"),
        ("", "olá", "", "empty side"),
        ("hello", "  ", "", "empty side"),
        ("hel\ufffdo", "olá", "", "damaged text"),
        ("a " * 11, "b " * 11, "", "longer than 10 words"),
        ("ab", "abcdefghijklmnopqrstuvw", "", "length ratio"),
        ("ab", "abcdefghijklmno", "", ""),
    ],
)
def test_filters(source, target, domain, reason):
    filters = Filters(["speech"], max_words=10, max_ratio=2.5)
    assert filters.keep(source, target, domain) is not bool(reason)
    assert filters.dropped == ({reason: 1} if reason else {})


def test_filters_count_and_tell():
    filters = Filters(max_words=3)
    kept = [filters.keep(*pair) for pair in [("a", "b"), ("a", "b"), ("a", ""), ("", "b"), ("a", "c")]]
    assert kept == [True, False, False, False, True]
    assert filters.summary() == "2 empty side, 1 duplicate"
    assert Filters().summary() == "nothing"


def test_filters_count_characters_where_words_have_no_spaces():
    assert not Filters(max_words=4, languages=("zh", "en")).keep("你好吗朋友", "hi")
    assert Filters(max_words=4, languages=("zh", "en")).keep("你好吗", "hi you")


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(1, 103), st.integers(8, 200), st.integers(0, 1000), st.integers(5, 60))
def test_every_epoch_has_every_pair_once_within_the_budget(count, max_tokens, seed, chunk):
    pairs = PAIRS[:count]
    stream = batches(pairs, lengths, max_tokens, seed, chunk_size=chunk)
    seen, orders = Counter(), []
    for place, rows, _ in stream:
        if place.epoch == 2:
            break
        seen[place.epoch] += len(rows)
        assert len(rows) == 1 or cost(rows) <= max_tokens
        orders.append((place.epoch, tuple(rows)))
    assert seen == {0: count, 1: count}
    for number in (0, 1):
        assert sorted(row for e, rows in orders if e == number for row in rows) == sorted(pairs)


def test_epochs_differ_and_seeds_too():
    assert [rows for _, rows in epoch(0)] != [rows for _, rows in epoch(1)]
    other = [rows for _, rows, _ in islice(batches(PAIRS, lengths, 60, seed=4), 5)]
    assert other != [rows for _, rows in epoch(0)][:5]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 40), st.integers(5, 60))
def test_going_on_from_a_position_gives_the_same_batches(after, chunk):
    def told(stream, count):
        return [(place, rows, rng.integers(1 << 30, size=3).tolist()) for place, rows, rng in islice(stream, count)]

    whole = told(batches(PAIRS, lengths, 60, 3, chunk_size=chunk), after + 20)
    start = whole[after - 1][0] if after else Position()
    assert told(batches(PAIRS, lengths, 60, 3, start, chunk_size=chunk), 20) == whole[after:]


def test_rows_are_mixed_anew_in_each_epoch_and_the_same_when_gone_on_with():
    mixture = Mixture("en", "de", concat_share=0.4, copy_word_share=0.3)

    def told(count, start=None):
        return [(place, rows) for place, rows, _ in islice(batches(PAIRS, lengths, 60, 3, start, mixture), count)]

    whole = told(60)
    assert told(10, whole[40][0]) == whole[41:51]
    epochs = [{row for place, rows in whole for row in rows if place.epoch == epoch} - set(PAIRS) for epoch in (0, 1)]
    assert min(map(len, epochs)) > 5
    assert epochs[0] != epochs[1]
    assert all(len(rows) == 1 or cost(rows) <= 60 for _, rows in whole), "lengths are those of the rows as mixed"


def test_prefetched_gives_everything_in_order():
    assert list(prefetched(iter(range(50)), lambda i: i * i)) == [i * i for i in range(50)]


def test_prefetched_raises_what_the_thread_raised():
    def make(i):
        if i == 3:
            raise ValueError("the fourth")
        return i

    made = prefetched(iter(range(10)), make)
    assert [next(made) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the fourth"):
        next(made)


def test_prefetched_ends_its_thread_when_closed():
    before = threading.active_count()
    made = prefetched(batches(PAIRS, lengths, 60, 1), lambda item: item[0], ahead=2)
    next(made)
    made.close()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon and "fill" in thread.name:
            thread.join(5)
    assert threading.active_count() == before
