import pytest

from streamtrans.policies import POLICIES, make_policy
from streamtrans.policies.registry import kept_back


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("wait-k", {"k": 3}, 2),
        ("wait-k", {"k": float("inf")}, 0),
        ("wait-k-flush", {"k": 5, "max_lag": 9}, 4),
        ("learned", {}, 0),
        ("confident", {"min_wait": 3}, 2),
        ("agree", {"agree": 3, "hold": 1}, 3),
        ("boundary", {}, 0),
        ("retranslate", {"mask_words": 2}, 2),
    ],
)
def test_words_that_a_policy_keeps_back(name, options, words):
    assert kept_back(make_policy(name, **options)) == words


@pytest.mark.parametrize("name", POLICIES)
def test_no_policy_keeps_back_less_than_nothing(name):
    assert kept_back(make_policy(name)) >= 0
