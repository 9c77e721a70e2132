"""The configuration: what is accepted, what is refused and with which words."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_pairs import toy_config

from streamtrans.errors import UsageError
from streamtrans.training.config import Data, Lora, Mix, NewModel, Optimiser, Prompt, Report, TrainConfig, load_config

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_configurations_that_come_along_are_valid(path):
    load_config(path)


def test_overrides(tmp_path):
    path = toy_config(tmp_path)
    config = load_config(path, ["optimiser.steps=7", "mix.wait_ks=[1, .inf]", "seed=5", "lora.rank=2"])
    assert (config.optimiser.steps, config.mix.wait_ks, config.seed) == (7, [1, float("inf")], 5)
    assert config.lora.rank == 2
    assert isinstance(config.model, NewModel)
    assert load_config(path, ["model=some/where"]).model == Path("some/where")
    assert load_config(path, ["model=some/where", "model.layers=3"]).model.layers == 3


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimiser.step=7", "unknown key 'optimiser.step'; did you mean 'steps'?"),
        ("optimizer.steps=7", "unknown key 'optimizer'; did you mean 'optimiser'?"),
        ("xyzzy=7", "unknown key 'xyzzy'"),
        ("model.hiden=64", "unknown key 'model.hiden'; did you mean 'hidden'?"),
        ("data.validation.pth=x", "unknown key 'data.validation.pth'; did you mean 'path'?"),
        ("lora.ranks=4", "unknown key 'lora.ranks'; did you mean 'rank'?"),
        ("optimiser.steps=many", "optimiser.steps: Input should be a valid integer"),
        ("optimiser.steps=0", "optimiser.steps: Input should be greater than or equal to 1"),
        ("mix.random_share=1.5", "mix.random_share: Input should be less than or equal to 1"),
        ("mix.wait_ks=[]", "mix.wait_ks: List should have at least 1 item"),
        ("mix.wait_ks=[3, 0]", "mix.wait_ks.1: Value error, 0 must be a whole number, 1 or more, or .inf"),
        ("mix.wait_ks=[2.5]", "mix.wait_ks.0: Value error, 2.5 must be a whole number"),
        ("report.validation_ks=[.nan]", "report.validation_ks.0: Value error, nan must be a whole number"),
        ("optimiser.schedule=linear", "optimiser.schedule: Input should be 'stable-decay' or 'cosine'"),
        ("data.source_path=a", "data: Value error, give one of path, source_path with target_path, or dataset"),
        ("optimiser.steps", "'optimiser.steps': write section.key=value"),
        ("optimiser.steps=[", "the value is not YAML"),
        ("model.hidden=wide", "model.hidden: Input should be a valid integer"),
    ],
)
def test_what_is_refused(tmp_path, override, message):
    with pytest.raises(UsageError) as error:
        load_config(toy_config(tmp_path), [override])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "not YAML"), ("3", "expected keys and values"), ("data: 3", "model: Field required")]
)
def test_files_that_are_none(tmp_path, text, message):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_config(path)
    with pytest.raises(UsageError, match="No such file"):
        load_config(tmp_path / "none.yaml")


@given(st.integers(1, 500), st.integers(0, 100), st.integers(0, 300), st.sampled_from(["stable-decay", "cosine"]))
def test_rate_warms_up_stays_and_ends_near_zero(steps, warmup, decay, schedule):
    rates = [
        Optimiser(steps=steps, warmup_steps=warmup, decay_steps=decay, schedule=schedule).rate(step)
        for step in range(steps)
    ]
    assert all(0 < rate <= 1 for rate in rates)
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_rates_by_hand():
    stable = Optimiser(steps=100, warmup_steps=10, decay_steps=20)
    assert [stable.rate(step) for step in (0, 9, 50, 80, 90, 99)] == [0.1, 1, 1, 1, 0.5, 0.05]
    cosine = Optimiser(steps=110, warmup_steps=10, schedule="cosine")
    assert [round(cosine.rate(step), 6) for step in (0, 10, 60, 110)] == [0.1, 1, 0.5, 0]


def test_every_key_is_in_the_documentation():
    told = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    sections = [TrainConfig, Data, Mix, Optimiser, Prompt, Lora, Report, NewModel]
    missing = [name for section in sections for name in section.model_fields if name not in told]
    assert not missing
