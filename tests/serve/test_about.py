"""What the page can offer."""

import pytest

from streamtrans.engine.translator import load
from streamtrans.errors import ModelError
from streamtrans.policies import make_policy
from streamtrans.policies.registry import POLICIES
from streamtrans.serve.about import about


@pytest.fixture(scope="module")
def translator():
    return load("en-pt")


def test_model_and_languages(translator):
    stated = about("en-pt", translator, make_policy("wait-k", k=float("inf")))
    assert (stated["model"], stated["from"], stated["to"]) == ("en-pt", "en", "pt")
    assert stated["policy"] == {"policy": "wait-k", "k": "inf", "catch_up": 0.0, "max_lag": None}


def test_policies_with_their_options(translator):
    policies = about("en-pt", translator, make_policy("wait-k"))["policies"]
    assert [policy["name"] for policy in policies] == list(POLICIES)
    assert all(policy["summary"] for policy in policies)
    options = {option["name"]: option for policy in policies for option in policy["options"]}
    assert options["max_entropy"] == {
        "name": "max_entropy",
        "default": "inf",
        "help": "Write only when the entropy of the choice is at most H nats",
    }
    assert all(option["help"] for option in options.values())


def test_policies_that_the_model_cannot_follow_are_left_out(translator):
    class Uncalibrated:
        settings = translator.settings

        def session(self, policy):
            if policy.name == "learned":
                raise ModelError("not calibrated")

    names = [policy["name"] for policy in about("x", Uncalibrated(), make_policy("wait-k"))["policies"]]
    assert names == [name for name in POLICIES if name != "learned"]
