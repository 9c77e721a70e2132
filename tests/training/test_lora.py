"""Fine-tuning a Qwen2 checkpoint in the Hugging Face layout, whole and with adapters; merging; and what is refused."""

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from toy_pairs import toy_config, toy_pairs

from streamtrans.engine.translator import load
from streamtrans.errors import ModelError, UsageError
from streamtrans.models.loading import load_checkpoint
from streamtrans.policies import WaitK
from streamtrans.runtime import mx
from streamtrans.training.config import Lora, load_config
from streamtrans.training.log import read_training_log
from streamtrans.training.lora import write_adapter
from streamtrans.training.new_model import initial_weights
from streamtrans.training.run import run_training


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    """A random Qwen2 with untied embeddings and a byte-level BPE tokenizer, space in front, as Qwen's own."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    from streamtrans.models.qwen2_streaming.model import Model, ModelArgs

    directory = tmp_path_factory.mktemp("qwen")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=380, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator((text for pair in toy_pairs(200) for text in pair), trainer)
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>"}))
    config = {
        "model_type": "qwen2",
        "vocab_size": 384,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
    }
    (directory / "config.json").write_text(json.dumps(config))
    model = Model(ModelArgs.from_dict({**config, "rope_theta": 10000.0}))
    mx.save_safetensors(str(directory / "model.safetensors"), initial_weights(model, 3))
    return directory


def run(path, qwen, name, *overrides, **sections):
    config = toy_config(path, model=str(qwen), optimiser={"adamw_rate": 0.01, "steps": 12}, **sections)
    outcome = run_training(load_config(config, list(overrides)), path / name)
    return outcome, read_training_log(path / name / "log.jsonl")


def arrays(directory):
    return {name: np.array(value) for name, value in mx.load(str(directory / "model.safetensors")).items()}


def test_whole_fine_tuning(qwen, tmp_path):
    _, rows = run(tmp_path, qwen, "full")
    assert rows[-1]["loss"] < rows[0]["loss"] - 1
    translator = load(tmp_path / "full" / "best")
    assert (translator.settings.tokenizer, translator.settings.target_language) == ("huggingface", "de")
    assert arrays(tmp_path / "full" / "best").keys() == arrays(qwen).keys()
    list(translator.session(WaitK(2)).feed("the cook buys water. "))


@pytest.fixture(scope="module")
def adapted(qwen, tmp_path_factory):
    path = tmp_path_factory.mktemp("adapted")
    settings = {"rank": 4, "scale": 10.0, "layers": 2, "keys": ["self_attn.q_proj", "mlp.down_proj"]}
    outcome, rows = run(path, qwen, "lora", lora=settings, data={"max_words": 30})
    return path, outcome, rows


def test_adapters_learn_and_are_all_that_is_kept(adapted, qwen):
    path, _, rows = adapted
    assert rows[-1]["loss"] < rows[0]["loss"] - 0.05
    kept = mx.load(str(path / "lora/best/adapters.safetensors"))
    layers = ("model.layers.1.", "model.layers.2.")
    assert len(kept) == 2 * 2 * 2
    assert all(name.startswith(layers) and name.endswith(("lora_a", "lora_b")) for name in kept)
    about = json.loads((path / "lora/best/adapter_config.json").read_text())
    assert about["lora_parameters"] == {
        "rank": 4,
        "scale": 10.0,
        "dropout": 0.0,
        "keys": ["self_attn.q_proj", "mlp.down_proj"],
    }
    assert about["streamtrans"]["max_source_words"] == 30


def test_adapters_go_on_exactly(adapted, qwen):
    path, _, rows = adapted
    config = load_config(path / "config.yaml")

    class Stop(Exception):
        pass

    def stop(row):
        if row["step"] == 8:
            raise Stop

    with pytest.raises(Stop):
        run_training(config, path / "again", say=stop)
    run_training(config, path / "again")
    assert [row["loss"] for row in read_training_log(path / "again/log.jsonl")] == [row["loss"] for row in rows]


def test_an_adapter_is_loaded_by_name_beside_its_model_and_merged(adapted, qwen):
    path, _, _ = adapted
    best = path / "lora" / "best"
    by_itself, beside = load_checkpoint(best), load_checkpoint(qwen, adapter=best)
    plain = load_checkpoint(qwen)
    assert by_itself.settings.target_language == beside.settings.target_language == "de"
    assert by_itself.settings.max_source_words == 30
    ids = mx.array([[5, 9, 20, 33]])
    one, two, other = (np.array(c.model.forward(ids)) for c in (by_itself, beside, plain))
    assert (one == two).all()
    assert np.abs(one - other).max() > 0.01
    load(best).translate("the cook buys water.")

    # mlx-lm's own loader, on the same model without merging, computes the same.
    from mlx_lm.tuner.utils import load_adapters

    unmerged = load_checkpoint(qwen, packed=False).model
    load_adapters(unmerged, str(best))
    unmerged.eval()
    assert np.abs(np.array(unmerged.forward(ids)) - one).max() < 1e-4


CHAT = "{% for m in messages %}<|user|>{{ m.content | trim }}<|endoftext|>{% endfor %}<|answer|>"


@pytest.fixture
def chatty(qwen, tmp_path):
    """The same model with a chat template, whose marks are plain text to its tokenizer."""
    shutil.copytree(qwen, tmp_path / "chatty")
    about = {"eos_token": "<|endoftext|>", "chat_template": CHAT}
    (tmp_path / "chatty" / "tokenizer_config.json").write_text(json.dumps(about))
    return tmp_path / "chatty"


@pytest.mark.parametrize("lora", [{}, {"lora": {"rank": 2}}], ids=["whole", "adapter"])
def test_a_chat_is_rendered_once_and_goes_with_the_checkpoint(chatty, tmp_path, lora, monkeypatch):
    prompt = {"instruction": "Say it in German.", "chat": True}
    run(tmp_path, chatty, "chat", "optimiser.steps=2", prompt=prompt, **lora)
    with pytest.raises(UsageError, match=r"trained with prompt=.*German.*, not None; choose another"):
        run(tmp_path, chatty, "chat", **lora)
    monkeypatch.setitem(sys.modules, "transformers", None)  # what translates needs no templates
    for name in ("best", "last"):
        tokenizer = load(tmp_path / "chat" / name).tokenizer
        assert tokenizer.prompt_ids == tokenizer.encode("<|user|>Say it in German.\n")
        assert tokenizer.start_ids == tokenizer.encode("<|endoftext|><|answer|>")
        assert tokenizer.start_ids[0] == tokenizer.end_id, "a mark, not the letters of its name"
    if not lora:
        run(tmp_path, tmp_path / "chat" / "last", "on", "optimiser.steps=1")
        assert load(tmp_path / "on" / "best").tokenizer.prompt_ids == tokenizer.prompt_ids, "it is kept"


def test_an_instruction_without_a_chat_is_text_before_the_source(qwen, tmp_path):
    run(tmp_path, qwen, "plain", "optimiser.steps=1", prompt={"instruction": "English to German:"})
    tokenizer = load(tmp_path / "plain" / "best").tokenizer
    assert tokenizer.prompt_ids == tokenizer.encode("English to German:\n")
    assert tokenizer.start_ids == [tokenizer.start_id]


def test_chats_that_cannot_be_made(qwen, chatty, tmp_path):
    with pytest.raises(ModelError, match="no chat can be made"):
        run(tmp_path, qwen, "x", prompt={"chat": True})
    (chatty / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>", "chat_template": "hello"}))
    with pytest.raises(ModelError, match="does not show the message once"):
        run(tmp_path, chatty, "x", prompt={"chat": True})
    with pytest.raises(UsageError, match="prompt: give an instruction, chat: true, or both"):
        run(tmp_path, qwen, "x", prompt={"chat": False})


def test_models_fuse_writes_a_checkpoint_of_its_own(adapted, qwen):
    path, _, _ = adapted
    best, output = path / "lora" / "best", path / "merged"
    program = [sys.executable, "-c", "from streamtrans.cli.app import main; main()", "models", "fuse"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    for expected in (0, 2):
        done = subprocess.run(
            [*program, str(best), "-o", str(output)], capture_output=True, text=True, env=environment, timeout=60
        )
        assert done.returncode == expected, done.stderr
    assert "choose another --output" in done.stderr
    ids = mx.array([[5, 9, 20, 33]])
    merged, loaded = load_checkpoint(output), load_checkpoint(best)
    assert np.abs(np.array(merged.model.forward(ids)) - np.array(loaded.model.forward(ids))).max() < 1e-5
    assert merged.settings == loaded.settings
    load(output).translate("the cook buys water.")


def test_quantised_models_take_adapters_only(qwen, tmp_path):
    config = json.loads((qwen / "config.json").read_text())
    weights = mx.load(str(qwen / "model.safetensors"))
    packed = {}
    for name, weight in weights.items():
        if name.endswith("proj.weight"):
            stem = name.removesuffix(".weight")
            parts = mx.quantize(weight, 32, 4)
            packed |= {f"{stem}.{part}": p for part, p in zip(("weight", "scales", "biases"), parts, strict=True)}
        else:
            packed[name] = weight
    (tmp_path / "q").mkdir()
    mx.save_safetensors(str(tmp_path / "q" / "model.safetensors"), packed)
    config["quantization"] = {"group_size": 32, "bits": 4}
    (tmp_path / "q" / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "q" / name).write_text((qwen / name).read_text())
    with pytest.raises(ModelError, match="is quantised: train an adapter"):
        run(tmp_path, tmp_path / "q", "full")
    outcome, rows = run(tmp_path, tmp_path / "q", "lora", "optimiser.steps=2", lora={"rank": 2})
    assert outcome.step == 2
    assert np.isfinite(rows[-1]["loss"])


def test_what_is_refused(adapted, qwen, tmp_path):
    with pytest.raises(UsageError, match=r"lora.keys: no layer 'self_attn.q'; there are .*mlp.gate_proj"):
        run(tmp_path, qwen, "x", lora={"keys": ["self_attn.q"]})
    with pytest.raises(ModelError, match="is not an adapter"):
        load_checkpoint(qwen, adapter=tmp_path)
    with pytest.raises(ModelError, match="does not fit this model"):
        load_checkpoint("en-pt", adapter=adapted[0] / "lora" / "best")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="does not name its model"):
        load_checkpoint(tmp_path / "a")


def test_an_adapter_says_nothing_of_what_was_calibrated_for_its_model(tmp_path):
    section = {"length_ratio": 3.0, "alignment_heads": [[0, 0]], "policy": {"name": "learned"}}
    origin = SimpleNamespace(name="some/model", config={"streamtrans": section})
    write_adapter(tmp_path, {"a": mx.zeros(2)}, Lora(), 2, origin)
    about = json.loads((tmp_path / "adapter_config.json").read_text())
    assert about["streamtrans"] == {"length_ratio": 3.0}
