from contextlib import suppress
from math import floor, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrans.errors import UsageError
from streamtrans.policies import (
    POLICIES,
    Action,
    AlignAtt,
    Boundary,
    Learned,
    MaxLag,
    PolicyState,
    WaitK,
    WaitKFlush,
    description_of,
    make_policy,
    short_name,
)
from streamtrans.policies.base import NextToken
from streamtrans.policies.registry import options_of


def delays(policy, source_words, target_words, clause_ends=(), sentence_ends=()):
    """What the engine does around a policy, without a model: source words read before each target word."""
    state, found = PolicyState(), []
    while len(found) < target_words:
        if not state.source_finished and (state.source_read == 0 or policy.decide(state) is Action.READ):
            state.source_read += 1
            state.source_finished = state.source_read == source_words
            if state.source_read in (*clause_ends, *sentence_ends):
                state.clause_end = state.source_read
            if state.source_read in sentence_ends:
                state.sentence_end = state.source_read
        else:
            state.target_written += 1
            found.append(state.source_read)
    return found


@given(st.integers(1, 12), st.integers(1, 30), st.integers(1, 30))
def test_wait_k_delays(k, source, target):
    assert delays(WaitK(k), source, target) == [min(k + i - 1, source) for i in range(1, target + 1)]


@given(st.integers(1, 12), st.sampled_from([0.1, 0.2, 0.5]), st.integers(1, 30), st.integers(1, 30))
def test_catch_up_delays(k, c, source, target):
    expected = [max(1, min(k + i - 1 - floor(c * i), source)) for i in range(1, target + 1)]
    assert delays(WaitK(k, c), source, target) == expected


def test_infinite_k_reads_everything():
    assert delays(WaitK(inf), 7, 3) == [7, 7, 7]


def test_boundary_writes_clause_by_clause():
    assert delays(Boundary(), 9, 9, clause_ends=[4, 7]) == [4] * 4 + [7] * 3 + [9] * 2


@given(st.integers(1, 8), st.integers(1, 40))
def test_boundary_never_leaves_more_than_max_wait_unpunctuated_words(max_wait, source):
    for written, read in enumerate(delays(Boundary(max_wait), source, source)):
        assert read - written <= max_wait


def test_flush_writes_up_to_a_sentence_end():
    assert delays(WaitKFlush(3), 10, 10, sentence_ends=[5]) == [3, 4, 5, 5, 5, 8, 9, 10, 10, 10]


@given(st.integers(1, 6), st.integers(1, 40), st.sampled_from([Boundary(9), WaitK(inf), Boundary()]))
def test_max_lag_bounds_any_policy(words, source, policy):
    for written, read in enumerate(delays(MaxLag(policy, words), source, source)):
        assert read - written <= words + 1


def test_learned_waits_for_little_regret_within_its_bounds():
    policy = Learned(0.2, min_wait=2, max_wait=4)
    for read, written, regret, action in [
        (1, 0, 0.0, Action.READ), (2, 0, 0.1, Action.WRITE), (3, 0, 0.2, Action.READ), (4, 0, 0.9, Action.WRITE),
        (4, 1, 0.9, Action.READ),
    ]:  # fmt: skip
        assert (
            policy.decide(PolicyState(source_read=read, target_written=written, evidence={"regret": regret})) is action
        )


def test_alignatt_writes_while_the_last_words_are_not_looked_at():
    for last, attended, action in [
        (1, 4, Action.WRITE),
        (1, 5, Action.READ),
        (3, 2, Action.WRITE),
        (3, 3, Action.READ),
    ]:
        state = PolicyState(source_read=5, word_ends=[2, 4, 6, 8, 10], evidence={"attended": 2 * attended - 1})
        assert AlignAtt(last).decide(state) is action
        state.evidence = {"attended": 2 * attended - 2}  # the first token of the word, not its last
        assert AlignAtt(last).decide(state) is action
    with pytest.raises(UsageError, match="alignatt: last is 0"):
        AlignAtt(0)


def test_agree_holds_back_agreed_words_that_are_not_certain():
    policy = make_policy("agree", hold=1, horizon=3, certain=0.9)
    assert policy.evidence.glance == NextToken()
    assert not make_policy("agree", hold=1, horizon=3).evidence.glance, "not asked for in vain"

    def decide(agreed, probability):
        return policy.decide(PolicyState(source_read=5, evidence={"agreed": agreed, "probability": probability}))

    assert decide(0, 0.99) is Action.READ
    assert decide(1, 0.89) is Action.READ
    assert decide(1, 0.91) is Action.WRITE
    assert decide(2, 0.1) is Action.WRITE
    with pytest.raises(UsageError, match=r"agree: certain is 1\.5; it must be from 0 to 1"):
        make_policy("agree", certain=1.5)


@pytest.mark.parametrize("options", [{"threshold": 1.5}, {"threshold": float("nan")}, {"min_wait": 0}, {"max_wait": 0}])
def test_learned_refuses_what_cannot_be(options):
    with pytest.raises(UsageError, match="learned"):
        Learned(**options)


@pytest.mark.parametrize("k", [0, -1, 2.5, float("nan"), 10**400])
def test_impossible_k(k):
    with pytest.raises(UsageError, match=r"^wait-k: k is"):
        WaitK(k)
    with pytest.raises(UsageError, match=r"^wait-k-flush: k is"):
        WaitKFlush(k)


def test_registry_makes_each_policy_with_its_defaults():
    for name in POLICIES:
        assert make_policy(name).name == name
    assert make_policy("wait-k", catch_up=0.25) == WaitK(3, 0.25)


def test_registry_refuses_other_policies_options_and_unknown_names():
    with pytest.raises(UsageError, match=r"--max-wait is an option of confident, learned and boundary, not of wait-k"):
        make_policy("wait-k", max_wait=3)
    with pytest.raises(UsageError, match="did you mean 'wait-k'"):
        make_policy("waitk")
    with pytest.raises(UsageError, match=r"retranslate: --mask-words is 1\.5; it must be a whole number"):
        make_policy("retranslate", mask_words=1.5)
    with pytest.raises(UsageError, match="max-lag"):
        make_policy("wait-k", max_lag=0)
    with pytest.raises(UsageError, match="retranslate"):
        make_policy("retranslate", max_lag=3)
    with pytest.raises(UsageError, match="max-lag is 2, but wait-k keeps at least 5 words behind"):
        make_policy("wait-k", max_lag=2, k=5)
    with pytest.raises(UsageError, match="max-lag is 1, but confident keeps at least 2 words behind"):
        make_policy("confident", max_lag=1, min_wait=2)
    assert make_policy("wait-k", max_lag=2, k=inf) == MaxLag(WaitK(inf), 2)


numbers = st.one_of(st.floats(), st.integers(), st.booleans(), st.text(max_size=3), st.sampled_from([2**63, 10**400]))


@given(st.sampled_from([(name, key) for name, policy in POLICIES.items() for key in options_of(policy)]), numbers)
def test_whatever_a_file_states_makes_a_policy_or_is_refused(option, value):
    name, key = option
    for options in ({key: value}, {"max_lag": value}):
        with suppress(UsageError):
            assert make_policy(name, **options).name == name


def test_short_names():
    names = {
        "wait-3": WaitK(3),
        "wait-inf": WaitK(inf),
        "wait-3-catch-up-0.25": WaitK(3, 0.25),
        "wait-3-max-lag-4": MaxLag(WaitK(3), 4),
        "agree-2-hold-1": make_policy("agree", hold=1),
        "agree-2-hold-2-horizon-6-certain-0.95": make_policy("agree", hold=2, horizon=6, certain=0.95),
        "agree-3": make_policy("agree", agree=3),
        "confident-threshold-0.1234567": make_policy("confident", threshold=0.1234567),
        "boundary": make_policy("boundary"),
    }
    assert [short_name(policy) for policy in names.values()] == list(names)


def test_a_policy_described_makes_the_same_policy():
    assert description_of(MaxLag(WaitK(inf), 4)) == {"policy": "wait-k", "k": "inf", "catch_up": 0.0, "max_lag": 4}
    for name in POLICIES:
        options = {key: inf if value == "inf" else value for key, value in description_of(make_policy(name)).items()}
        assert make_policy(options.pop("policy"), **options) == make_policy(name)
