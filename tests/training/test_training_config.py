"""The configuration: what is accepted, what is refused and with which words."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
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
        ("mix.wait_ks=[3, 0]", "mix.wait_ks.1: 0 must be a whole number, 1 or more, or .inf"),
        ("mix.wait_ks=[2.5]", "mix.wait_ks.0: 2.5 must be a whole number"),
        ("report.validation_ks=[.nan]", "report.validation_ks.0: nan must be a whole number"),
        ("optimiser.schedule=linear", "optimiser.schedule: Input should be 'stable-decay' or 'cosine'"),
        ("data.source_path=a", "data: give one of path, source_path with target_path, or dataset"),
        ("optimiser.steps", "'optimiser.steps': write section.key=value"),
        ("optimiser.steps=[", "the value is not YAML"),
        ("model.hidden=wide", "model.hidden: Input should be a valid integer"),
        (
            "mix.concat_share=0.95",
            "copy_word_share, copy_target_share add to 1.03; they are shares of all rows, 1 at most",
        ),
        ("optimiser.seconds=60", "optimiser: give seconds or steps, not both; optimiser.steps=null takes"),
        ("optimiser.steps=null", "optimiser: without steps give seconds"),
        (
            "device=cuda",
            "device=cuda is for trainer=torch; MLX trains on the device that it was built for",
        ),
        ("device=gpu", "device: String should match pattern"),
        ("seed=!!int ''", "seed: Input should be a valid integer"),
        ("seed=!!float x", "seed: Input should be a valid integer"),
        ("report.tensorboard=!!python/name:os.system", "report.tensorboard"),
        ("seed=" + "[" * 100_000, "the value is not YAML (nested too deeply)"),
        ("seed=&a [*a]", "the value is not YAML"),
    ],
)
def test_what_is_refused(tmp_path, override, message):
    if override.startswith("report.tensorboard="):  # a tag makes nothing but text, here a directory
        assert load_config(toy_config(tmp_path), [override]).report.tensorboard == Path()
        return
    with pytest.raises(UsageError) as error:
        load_config(toy_config(tmp_path), [override])
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("data.target_language=no", "no"),
        ("data.target_language=on", "on"),
        ("data.target_language=2024", "2024"),
        ("run=20240501", Path("20240501")),
        ("run=2024-05-01", Path("2024-05-01")),
        ("run=1_000", Path("1_000")),
        ("model=010", Path("010")),
        ("data.exclude_domains=[no, 7, 1:30]", ["no", "7", "1:30"]),
        ("optimiser.muon_rate=6e-3", 6e-3),
        ("optimiser.dropout=0", 0.0),
        ("mix.wait_ks=[1, .inf]", [1, float("inf")]),
        ("report.tensorboard=true", True),
        ("report.tensorboard=boards", Path("boards")),
        ("run=null", None),
        ("run=~", None),
        ("prompt.chat=yes", True),
        ("optimiser.betas=[0.9, 0.98]", (0.9, 0.98)),
    ],
)
def test_plain_values_are_what_their_keys_want(tmp_path, override, value):
    """YAML's own types would make a Norwegian target language false and a directory a number."""
    found = load_config(toy_config(tmp_path), [override])
    for name in override.partition("=")[0].split("."):
        found = getattr(found, name)
    assert found == value
    assert type(found) is type(value) or isinstance(found, Path)


@pytest.mark.parametrize(
    "text", ['seed: !!int ""', "seed: !!float x", "seed: !!bool x", "seed: !!timestamp x", "seed: " + "[" * 100_000]
)
def test_tags_and_depth_in_a_file_are_one_line(tmp_path, text):
    path = toy_config(tmp_path)
    path.write_text(path.read_text() + text + "\n")
    with pytest.raises(UsageError) as error:
        load_config(path)
    assert "seed: Input should be" in str(error.value) or "nested too deeply" in str(error.value)
    assert "\n" not in str(error.value)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_mutated_files_are_read_or_refused_in_a_line(data):
    text = CONFIGS[0].read_text(encoding="utf-8")
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        stop = data.draw(st.integers(start, min(len(text), start + 12)))
        piece = data.draw(
            st.one_of(st.text(max_size=6), st.sampled_from(["!!int ", "[", "{", "? ", "&a ", "*a", ": ", "- "]))
        )
        text = text[:start] + piece + text[stop:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        told = ""
        try:
            load_config(path)
        except UsageError as error:
            told = str(error)
        assert "\n" not in told


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


def test_the_clock_moves_the_rate():
    timed = Optimiser(seconds=100, warmup_steps=2, decay_share=0.8)
    assert timed.steps is None
    assert [timed.rate(0, 0), *(round(timed.rate(9, s), 6) for s in (0, 20, 60, 100, 120))] == [0.5, 1, 1, 0.5, 0, 0]
    assert [round(Optimiser(seconds=100, warmup_steps=0, schedule="cosine").rate(9, s), 6) for s in (0, 50, 100)] == [
        1,
        0.5,
        0,
    ]
    assert [timed.done(10**6, s) for s in (0, 50, 100)] == [0, 0.5, 1]


def test_every_key_is_in_the_documentation():
    told = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    sections = [TrainConfig, Data, Mix, Optimiser, Prompt, Lora, Report, NewModel]
    missing = [name for section in sections for name in section.model_fields if name not in told]
    assert not missing
