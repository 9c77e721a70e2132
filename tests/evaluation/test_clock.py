import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrans.errors import UsageError
from streamtrans.evaluation.clock import simulate


def test_computation_adds_up_while_the_source_waits():
    elapsed, elapsed_ms = simulate([1, 1, 2, 5], [[(1, 100)], [(1, 500)], [(2, 50)], [(5, 20)]], word_ms=400)
    assert elapsed_ms == (500, 1000, 1050, 2020)  # 400+100; 500+500; the third word waits for its turn; 2000+20
    assert elapsed == (1.25, 2.5, 2.625, 5.05)


def test_without_computation_elapsed_is_the_delays():
    assert simulate([1, 3, 3], [[(1, 0)], [(3, 0)], []])[0] == (1, 3, 3)


def test_work_that_leads_to_nothing_counts_from_the_arrival_of_its_word():
    work = [[(1, 300), (2, 500), (3, 50)], [(3, 10)]]
    assert simulate([3, 3], work, word_ms=400)[1] == (1350, 1360)  # 700, idle, 800 + 500, late for the third at 1200


def test_refuses_what_cannot_be():
    with pytest.raises(UsageError, match="0 ms"):
        simulate([1], [[(1, 1)]], word_ms=0)
    with pytest.raises(ValueError, match="shorter"):
        simulate([1, 2], [[(1, 1)]])


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 5000)), max_size=20), st.floats(1, 2000))
def test_never_before_its_delay_never_backwards(words, word_ms):
    delays = sorted(delay for delay, _ in words)
    elapsed, elapsed_ms = simulate(delays, [[(d, cost)] for d, (_, cost) in zip(delays, words, strict=True)], word_ms)
    assert list(elapsed_ms) == sorted(elapsed_ms)
    assert all(e >= d - 1e-9 for e, d in zip(elapsed, delays, strict=True))
