"""`--adapter` of live, translate and score: the same model as `load(model, adapter)`, or one line of complaint."""

import json
import shutil

import numpy as np
import pytest
from processes import run

from streamtrans.engine.translator import load
from streamtrans.models.loading import load_checkpoint
from streamtrans.policies import WaitK
from streamtrans.runtime import mx

SENTENCE = "I would like to book a table for two people tomorrow evening."


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """An adapter of en-pt that changes what the last two layers attend to, and asks for wait-5."""
    directory = tmp_path_factory.mktemp("adapter")
    model, random = load_checkpoint("en-pt", packed=False).model, np.random.default_rng(1)
    arrays = {}
    for number, layer in list(enumerate(model.layers))[-2:]:
        outputs, inputs = layer.self_attn.q_proj.weight.shape
        name = f"model.layers.{number}.self_attn.q_proj"
        arrays[f"{name}.lora_a"] = mx.array(random.normal(0, 0.3, (inputs, 4)).astype(np.float32))
        arrays[f"{name}.lora_b"] = mx.array(random.normal(0, 0.3, (4, outputs)).astype(np.float32))
    mx.save_safetensors(str(directory / "adapters.safetensors"), arrays)
    about = {
        "num_layers": 2,
        "lora_parameters": {"rank": 4, "scale": 4.0, "dropout": 0.0, "keys": ["self_attn.q_proj"]},
        "model": "en-pt",
        "streamtrans": {"policy": {"name": "wait-k", "k": 5}},
    }
    (directory / "adapter_config.json").write_text(json.dumps(about))
    return directory


@pytest.fixture(scope="module")
def wanted(adapter):
    translation = load("en-pt", adapter).translate(SENTENCE)
    assert translation != load("en-pt").translate(SENTENCE, WaitK(5)), "the adapter does something"
    return translation


def test_live(adapter, wanted):
    done = run("live", "--adapter", str(adapter), text=SENTENCE + "\n")
    assert (done.stdout.strip(), done.stderr) == (wanted, "")


def test_translate_and_score_say_in_their_log_what_translated(adapter, wanted, tmp_path):
    (tmp_path / "s").write_text(SENTENCE + "\n")
    (tmp_path / "r").write_text(wanted + "\n")
    done = run("translate", "s", "--adapter", str(adapter), "--save-log", "t", cwd=tmp_path)
    assert (done.stdout, done.stderr) == (wanted + "\n", "")
    done = run("score", "s", "r", "--adapter", str(adapter), "--save-log", "runs", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["runs"][0]["BLEU"] == pytest.approx(100), done.stderr
    by_name = run("translate", "s", "--model", str(adapter), "--save-log", "n", cwd=tmp_path)
    assert by_name.stdout == wanted + "\n"
    records = [
        json.loads((tmp_path / folder / "configuration.json").read_text())["configuration"]
        for folder in ("t", "runs/wait-5", "n")
    ]
    assert [(r["model"], r.get("adapter")) for r in records[:2]] == [("en-pt", str(adapter))] * 2
    assert len({r["weights"] for r in records}) == 1, "the same weights, however they were named"
    assert "adapter" not in records[2]


@pytest.fixture
def wrong(adapter, tmp_path):
    """A directory that holds: an adapter of another tool, one of another model, one that is right, and a test set."""
    (tmp_path / "s").write_text(SENTENCE + "\n")
    for name in ("peft", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "peft" / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    weights = (adapter / "adapters.safetensors").read_bytes().replace(b"layers.7.", b"layers.9.")
    (tmp_path / "other" / "adapters.safetensors").write_bytes(weights)
    about = (adapter / "adapter_config.json").read_text().replace('"en-pt"', '"de-en"')
    (tmp_path / "other" / "adapter_config.json").write_text(about)
    shutil.copytree(adapter, tmp_path / "ours")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["live", "--adapter", "none"], "none is not an adapter: it has no adapter_config.json"),
        (["translate", "s", "--adapter", "peft"], "peft is not an adapter in mlx-lm's format"),
        (["models", "calibrate", "ours", "--data", "s"], "ours is an adapter; make a model of it first"),
        (["score", "s", "s", "--adapter", "other"], "other does not fit this model (made for de-en): model.layers.9."),
    ],
)
def test_mistakes_are_one_line(command, said, wrong):
    done = run(*command, cwd=wrong)
    assert done.returncode == (2 if command[1] == "calibrate" else 1)
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
