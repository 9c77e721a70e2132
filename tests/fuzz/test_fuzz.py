"""A few inputs of each target; `scripts/fuzz.py` tries 100,000 of each."""

import pytest
from hypothesis import HealthCheck, given, settings
from targets import MAKERS, Target, make_targets


@pytest.fixture(scope="module")
def targets(tmp_path_factory) -> dict[str, Target]:
    return make_targets(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("name", MAKERS)
def test_a_right_answer_or_one_line(targets, name):
    @settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(targets[name].inputs)
    def run(given):
        targets[name].check(given)

    run()
