"""Golden values to four digits, and what must hold for every schedule."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamtrans.evaluation import latency
from streamtrans.evaluation.instances import Instance
from streamtrans.evaluation.latency import LATENCY


def wait_k(k: int, n: int, source_length: int = 10) -> list[int]:
    return [min(k + i, source_length) for i in range(n)]


def instance(delays, source_length=10, reference_length=None, elapsed=None, index=0, deleted=0) -> Instance:
    return Instance(
        index=index,
        source=tuple("s" for _ in range(source_length)),
        source_length=source_length,
        prediction=" ".join("t" for _ in delays),
        delays=tuple(delays),
        reference=None if reference_length is None else " ".join("r" for _ in range(reference_length)),
        elapsed=elapsed,
        deleted=deleted,
    )


NAMES = ("AL", "LAAL", "AP", "DAL", "YAAL", "ATD", "CW", "EndOffset")
GOLDEN = [
    pytest.param(wait_k(3, 10), 10, (3, 3, 0.72, 3, 3, 3, 1.25, 0), id="wait-3, n=Y=10"),
    pytest.param(wait_k(3, 15), 15, (4.1667, 4.1667, 0.8133, 4.7111, 4.0, 4, 1.25, 0), id="wait-3, n=Y=15"),
    pytest.param(wait_k(3, 6), 6, (1.3333, 1.3333, 0.55, 3.0, 1.3333, 3, 1.3333, -2), id="wait-3, n=Y=6"),
    pytest.param(wait_k(12, 10), 10, (10, 10, 1, 10, None, 10, 10, 0), id="wait-12, n=Y=10"),
    pytest.param(wait_k(3, 20), 10, (3.0, 4.75, 1.72, 5.8, 4.5, 5.75, 1.25, 0), id="wait-3, n=20, Y=10"),
    pytest.param([5] * 5 + [10] * 5, 10, (3.3333, 3.3333, 0.75, 5.0, 3.0, 5, 5, 0), id="two bursts of 5"),
]


@pytest.mark.parametrize(("delays", "reference_length", "expected"), GOLDEN)
def test_golden(delays, reference_length, expected):
    for name, value in zip(NAMES, expected, strict=True):
        measured = LATENCY[name](instance(delays, reference_length=reference_length))
        assert measured == (None if value is None else pytest.approx(value, abs=5e-5)), name


@pytest.mark.parametrize(("delays", "reference_length", "expected"), GOLDEN)
def test_golden_with_elapsed_in_place_of_delays(delays, reference_length, expected):
    """Without computation the computation-aware values are the plain ones."""
    one = instance(delays, reference_length=reference_length, elapsed=tuple(map(float, delays)))
    for name, value in zip(NAMES, expected, strict=True):
        if LATENCY[name].aware:
            assert LATENCY[name].computation_aware(one) == (None if value is None else pytest.approx(value, abs=5e-5))


def test_offsets_and_longest_wait():
    one = instance([2, 2, 7, 9])
    assert LATENCY["StartOffset"](one) == 2
    assert LATENCY["EndOffset"](one) == -1
    assert LATENCY["CW"](one) == 3
    assert LATENCY["CWX"](one) == 5


def test_without_a_reference_the_prediction_gives_the_length():
    assert LATENCY["AL"](instance(wait_k(3, 15))) == pytest.approx(25 / 6)


def test_al_hides_bursts_and_dal_shows_them():
    bursts, steady = instance([5] * 5 + [10] * 5), instance(wait_k(3, 10))
    assert LATENCY["AL"](bursts) - LATENCY["AL"](steady) < 0.5
    assert LATENCY["DAL"](bursts) - LATENCY["DAL"](steady) == 2


def test_elapsed_beyond_the_source_is_the_first_time():
    one = instance([10, 10], elapsed=(12.0, 13.0))
    assert LATENCY["AL"].computation_aware(one) == 12
    assert LATENCY["LAAL"].computation_aware(one) == 12
    assert LATENCY["YAAL"].computation_aware(one) is None


def test_atd_with_computation_keeps_the_chunks_of_the_delays():
    # one chunk of two tokens read together, ready at 2.5 and 4: T = 3.5, 5; paired with source tokens 1 and 2
    assert LATENCY["ATD"].computation_aware(instance([2, 2], 4, elapsed=(2.5, 4.0))) == pytest.approx((2.5 + 3) / 2)


@pytest.mark.parametrize("name", LATENCY)
def test_nothing_written_or_nothing_to_read_has_no_value(name):
    assert LATENCY[name](instance([])) is None
    assert LATENCY[name](instance([], source_length=0)) is None
    assert LATENCY[name].computation_aware(instance([2])) is None
    if name in ("AL", "LAAL", "AP", "DAL", "YAAL"):
        assert LATENCY[name](instance([0], source_length=0)) is None


def test_corpus_means_leave_out_sentences_without_a_value():
    values = latency.corpus([instance([3, 4]), instance([]), instance([10])])
    assert values["StartOffset"] == 6.5
    assert values["YAAL"] == LATENCY["YAAL"](instance([3, 4]))
    assert values["AL_CA"] is None
    assert "CW_CA" not in values


def test_corpus_is_computation_aware_only_when_all_sentences_are():
    timed, empty = instance([3], elapsed=(4.0,)), instance([], index=1)
    assert latency.corpus([timed, empty])["StartOffset_CA"] == 4
    assert latency.corpus([timed, empty, instance([3], index=2)])["StartOffset_CA"] is None


def test_normalized_erasure():
    assert latency.normalized_erasure([3, 0], [4, 2]) == 0.5
    assert latency.normalized_erasure([0], [0]) is None


def test_degeneracy_of_an_honest_and_of_a_degenerate_policy():
    assert latency.degeneracy([instance([10])]) is None
    honest = latency.degeneracy([instance(wait_k(3, 10)), instance([10, 10]), instance([])])
    assert honest == latency.Degeneracy(swf=70, efsw=70)
    assert not honest.suspicious
    degenerate = latency.degeneracy([instance([1] + [10] * 9)])
    assert degenerate == latency.Degeneracy(swf=10, efsw=90)
    assert degenerate.suspicious


@st.composite
def schedules(draw):
    source_length = draw(st.integers(1, 20))
    delays = sorted(draw(st.lists(st.integers(0, source_length), min_size=1, max_size=25)))
    return delays, source_length, draw(st.integers(1, 25))


@given(schedules())
def test_laal_is_never_below_al(schedule):
    """γ only grows from Y to max(n, Y), so the ideal it is compared with only comes earlier."""
    assert latency.length_adaptive_average_lagging(*schedule) >= latency.average_lagging(*schedule) - 1e-9


@given(schedules())
def test_laal_is_al_unless_the_prediction_is_longer(schedule):
    delays, _, reference_length = schedule
    assume(len(delays) <= reference_length)
    assert latency.length_adaptive_average_lagging(*schedule) == latency.average_lagging(*schedule)


@given(schedules())
def test_dal_is_at_least_the_mean_lag_and_the_first_delay(schedule):
    delays, source_length, _ = schedule
    rate = source_length / len(delays)
    dal = latency.differentiable_average_lagging(*schedule)
    assert dal >= sum(d - i * rate for i, d in enumerate(delays)) / len(delays) - 1e-9
    assert delays[0] - 1e-9 <= dal <= source_length + 1e-9


@given(schedules())
def test_ap_with_the_prediction_as_reference_is_a_proportion(schedule):
    delays, source_length, _ = schedule
    assert 0 <= latency.average_proportion(delays, source_length, len(delays)) <= 1


@given(schedules())
def test_atd_is_at_least_one_unit_for_real_translations(schedule):
    """A token ends at least one unit after the source token it is paired with was read."""
    assert latency.average_token_delay(*schedule) >= 1


@given(schedules(), st.integers(0, 24))
def test_later_writing_never_lowers_ap_and_dal(schedule, position):
    delays, source_length, reference_length = schedule
    later = [max(d, source_length) if i >= position else d for i, d in enumerate(delays)]
    for metric in (latency.average_proportion, latency.differentiable_average_lagging):
        assert metric(later, source_length, reference_length) >= metric(*schedule) - 1e-9


@given(schedules())
def test_waits_add_up_to_what_was_read(schedule):
    delays, *_ = schedule
    cw, longest = latency.consecutive_wait(*schedule), latency.longest_wait(*schedule)
    assert (cw is None) == (longest is None) == (delays[-1] == 0)
    if cw is not None:
        assert cw <= longest
        assert math.isclose(delays[-1] / cw, round(delays[-1] / cw))


@given(st.integers(1, 12), st.integers(1, 20))
def test_wait_k_at_equal_lengths_lags_k(k, length):
    delays = wait_k(k, length, length)
    for metric in (latency.average_lagging, latency.differentiable_average_lagging):
        assert metric(delays, length, length) == pytest.approx(min(k, length))
