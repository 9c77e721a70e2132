"""Read budgets: how many source words the model is trained to have seen."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrans.training.data.schedules import EVERYTHING, random_schedule, wait_k_schedule

words = st.integers(1, 80)


@given(st.integers(1, 20), words)
def test_wait_k_reads_one_word_more_for_each_word_written(k, n):
    assert wait_k_schedule(k, n).tolist() == [k + i for i in range(n + 1)]


@given(words)
def test_infinite_k_reads_everything(n):
    assert (wait_k_schedule(float("inf"), n) == EVERYTHING).all()
    assert len(wait_k_schedule(float("inf"), n)) == n + 1


@settings(deadline=None, derandomize=True)
@given(words, words, st.integers(1, 15), st.integers(0, 2**31))
def test_random_schedules_never_fall_and_stay_near_the_diagonal(source, target, max_lag, seed):
    schedule = random_schedule(np.random.default_rng(seed), source, target, max_lag)
    diagonal = np.arange(target + 1) * source // target
    assert schedule.shape == (target + 1,)
    assert (np.diff(schedule) >= 0).all()
    assert (schedule >= np.maximum(1, diagonal + 1)).all()
    assert (schedule <= diagonal + max_lag + max_lag).all()  # a lag may be carried on until the diagonal catches up
    assert schedule[0] <= max_lag


def test_random_schedules_vary_and_follow_the_generator():
    def draw(seed):
        return random_schedule(np.random.default_rng(seed), 20, 20, 9).tolist()

    assert draw(1) == draw(1)
    assert len({tuple(draw(seed)) for seed in range(50)}) > 45
    lags = [draw(seed)[0] for seed in range(300)]
    assert set(lags) == set(range(1, 10))
