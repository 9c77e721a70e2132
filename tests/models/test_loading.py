"""Loading: what works, and one clear line for each thing that can be wrong."""

import json
import subprocess
import sys

import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten
from tiny_model import difference, tiny_model

from streamtrans.errors import ModelError
from streamtrans.models import loading
from streamtrans.models.adapters import with_adapter
from streamtrans.models.loading import embedded_models, load_checkpoint
from streamtrans.models.qwen2_streaming import packed as packed_module
from streamtrans.models.qwen2_streaming.packed import PackedLayer, pack
from streamtrans.models.settings import TranslationSettings
from streamtrans.runtime import mx

SIZES = {
    "model_type": "qwen2",
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
}
TOKENS = mx.array([[1, 2, 3]])


def saved(folder, weights=None, **config):
    """A model directory; weights and parts of config.json may be given."""
    if weights is None:
        weights = dict(tree_flatten(tiny_model(vocab_size=64, intermediate_size=64).parameters()))
    mx.save_safetensors(str(folder / "model.safetensors"), weights)
    (folder / "config.json").write_text(json.dumps({**SIZES, "rope_theta": 10000.0, **config}))
    return folder


def weights_of(folder):
    return dict(mx.load(str(folder / "model.safetensors")))


def test_the_embedded_model():
    assert "en-pt" in embedded_models()
    checkpoint = load_checkpoint("en-pt")
    assert checkpoint.settings.tokenizer == "sentencepiece-suffix"
    assert (checkpoint.settings.source_language, checkpoint.settings.target_language) == ("en", "pt")
    assert float("inf") in checkpoint.settings.trained_wait_k
    assert (checkpoint.directory / "tokenizer.model").exists()
    assert checkpoint.model(TOKENS).shape == (1, 3, 8000)


def test_a_directory(tmp_path):
    checkpoint = load_checkpoint(saved(tmp_path))
    assert checkpoint.config["hidden_size"] == 32
    assert difference(checkpoint.model(TOKENS), tiny_model(vocab_size=64, intermediate_size=64)(TOKENS)) < 1e-4


def test_packed_unless_asked_otherwise(tmp_path):
    saved(tmp_path)
    assert isinstance(load_checkpoint(str(tmp_path)).model.layers[0], PackedLayer)
    plain = load_checkpoint(tmp_path, packed=False).model
    assert dict(tree_flatten(plain.parameters())).keys() == weights_of(tmp_path).keys()


def test_adapters_are_not_packed_away(tmp_path):
    from mlx_lm.tuner.lora import LoRALinear

    model = load_checkpoint(saved(tmp_path), packed=False).model
    block = model.layers[0]
    block.self_attn.q_proj = LoRALinear.from_base(block.self_attn.q_proj)
    assert pack(model).layers[0] is block


def test_computes_in_float32_on_cpu(tmp_path):
    weights = {k: w.astype(mx.bfloat16) for k, w in weights_of(saved(tmp_path)).items()}
    model = load_checkpoint(saved(tmp_path, weights), packed=False).model
    assert model(TOKENS).dtype == mx.float32


@pytest.mark.parametrize("quantised", [False, True])
def test_on_a_gpu_weights_stay_as_stored(tmp_path, monkeypatch, quantised):
    """Nothing is converted or packed there; what runs here is mlx's own kernels on the CPU."""
    for module in (loading, packed_module):
        monkeypatch.setattr(module, "on_gpu", lambda: True)
    model = tiny_model(vocab_size=64, intermediate_size=64)
    model.set_dtype(mx.bfloat16)
    about = {"group_size": 32, "bits": 8}
    if quantised:
        nn.quantize(model, **about)
    weights = dict(tree_flatten(model.parameters()))
    loaded = load_checkpoint(saved(tmp_path, weights, **({"quantization": about} if quantised else {}))).model
    found = dict(tree_flatten(loaded.parameters()))
    assert {name: weight.dtype for name, weight in found.items()} == {name: w.dtype for name, w in weights.items()}
    assert isinstance(loaded.layers[0].mlp.up_proj, nn.QuantizedLinear if quantised else nn.Linear)
    assert difference(loaded(TOKENS), model(TOKENS)) == 0


def test_shards(tmp_path):
    weights = list(weights_of(saved(tmp_path)).items())
    whole = load_checkpoint(tmp_path).model(TOKENS)
    (tmp_path / "model.safetensors").unlink()
    mx.save_safetensors(str(tmp_path / "model-1.safetensors"), dict(weights[::2]))
    mx.save_safetensors(str(tmp_path / "model-2.safetensors"), dict(weights[1::2]))
    where = {name: f"model-{1 + i % 2}.safetensors" for i, (name, _) in enumerate(weights)}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": where}))
    assert difference(load_checkpoint(tmp_path).model(TOKENS), whole) < 1e-6
    (tmp_path / "model-2.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model-2\.safetensors is missing"):
        load_checkpoint(tmp_path)
    for wrong in ({}, {"weight_map": {}}, {"weight_map": [1]}, {"weight_map": {"a": None}}):
        index.write_text(json.dumps(wrong))
        with pytest.raises(ModelError, match="not an index"):
            load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../model.safetensors", "a/../b.safetensors", "..", "", "\n", "a\0b", "x" * 5000]
)
def test_shards_lie_beside_their_index(tmp_path, name):
    (saved(tmp_path) / "model.safetensors").rename(tmp_path.parent / "model.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(ModelError, match="is not the name of a file beside it") as error:
        load_checkpoint(tmp_path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("dtype", [mx.float32, mx.float16, mx.bfloat16])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers(tmp_path, dtype, value):
    weights = {name: weight.astype(dtype) for name, weight in weights_of(saved(tmp_path)).items()}
    load_checkpoint(saved(tmp_path, weights))  # as they are they are fine
    weights["model.layers.1.mlp.up_proj.weight"][3, 5] = value
    with pytest.raises(
        ModelError, match=r"model\.safetensors is damaged: model\.layers\.1\.mlp\.up_proj\.weight holds"
    ):
        load_checkpoint(saved(tmp_path, weights))


def test_weights_overwritten_with_ones(tmp_path):
    """400 bytes of 0xFF after the header are NaN in any float type."""
    file = saved(tmp_path) / "model.safetensors"
    data = bytearray(file.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    data[start : start + 400] = b"\xff" * 400
    file.write_bytes(data)
    with pytest.raises(ModelError, match="holds NaN or infinity"):
        load_checkpoint(tmp_path)


def test_quantised_weights_are_dequantised_on_cpu(tmp_path):
    model = tiny_model(vocab_size=64, intermediate_size=64)
    nn.quantize(model, group_size=32, bits=8)
    saved(tmp_path, dict(tree_flatten(model.parameters())), quantization={"group_size": 32, "bits": 8})
    loaded = load_checkpoint(tmp_path, packed=False).model
    assert loaded.layers[0].mlp.down_proj.weight.dtype == mx.float32
    assert difference(loaded(TOKENS), model(TOKENS)) < 1e-3
    for wrong in ({"bits": 8}, None, 8):
        saved(tmp_path, dict(tree_flatten(model.parameters())), quantization=wrong)
        with pytest.raises(ModelError, match="quantization"):
            load_checkpoint(tmp_path)


def test_an_adapter_does_not_take_over_what_was_chosen_for_other_weights(tmp_path):
    section = {"policy": {"name": "learned"}, "alignment_heads": [[0, 0]], "length_ratio": 3.0}
    for own, expected in [({}, {"length_ratio": 3.0}), ({"policy": {"name": "wait-k"}}, {"length_ratio": 3.0})]:
        (tmp_path / "adapter_config.json").write_text(json.dumps({"streamtrans": own}))
        found = with_adapter({"hidden_size": 4, "streamtrans": section}, tmp_path)
        assert found == {"hidden_size": 4, "streamtrans": expected | own}
    assert with_adapter({"streamtrans": None}, tmp_path) == {"streamtrans": own}
    assert with_adapter({"streamtrans": [1]}, tmp_path) == {"streamtrans": [1]}  # reading the settings complains


@pytest.mark.parametrize(
    ("config", "theta"),
    [
        ({"rope_theta": None}, 10000.0),
        ({"rope_theta": 5000}, 5000.0),
        ({"rope_theta": None, "rope_parameters": {"rope_type": "default", "rope_theta": 7000.0}}, 7000.0),
        ({"rope_theta": 7000, "rope_parameters": {"rope_theta": 7000.0}}, 7000.0),
    ],
)
def test_rotary_base_from_either_place(tmp_path, config, theta):
    model = load_checkpoint(saved(tmp_path, **config)).model
    assert model.args.rope_theta == theta


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"rope_theta": 1e4, "rope_parameters": {"rope_theta": 1e6}}, "contradict"),
        ({"rope_theta": "big"}, "rope_theta must be a number above 0"),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "rope type 'yarn'"),
        ({"use_sliding_window": True}, "sliding windows"),
        ({"model_type": "llama"}, "model_type is 'llama', only qwen2"),
        ({"hidden_size": "32"}, "hidden_size must be a whole number"),
        ({"num_attention_heads": 0}, "num_attention_heads must be a whole number"),
        ({"num_attention_heads": 3}, "must divide one another"),
        ({"vocab_size": 10**18}, "vocab_size must be a whole number, 1 or more"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers must be a whole number, 1 or more"),
        ({"num_key_value_heads": 10**18}, "num_key_value_heads must be a whole number, 1 or more"),
        ({"rms_norm_eps": float("nan")}, "rms_norm_eps must be a number above 0"),
        ({"rope_theta": float("inf")}, "rope_theta must be a number above 0"),
        ({"rope_theta": 10**400}, "rope_theta must be a number above 0"),
        ({"streamtrans": {"target_position_offset": 10**18}}, "target_position_offset must be a whole number"),
        ({"streamtrans": {"length_ratio": float("nan")}}, "length_ratio must be a number above 0"),
        ({"hidden_size": 64}, r"embed_tokens\.weight has shape \(64, 32\), config.json says \(64, 64\)"),
        ({"num_hidden_layers": 3}, r"the weights lack model\.layers\.2\.\S+ and \d+ more"),
        ({"num_hidden_layers": 1}, r"the weights have an unknown model\.layers\.1\.\S+ and \d+ more"),
        ({"tie_word_embeddings": False}, r"the weights lack lm_head\.weight$"),
        ({"streamtrans": [1]}, "streamtrans must be an object"),
        ({"streamtrans": {"max_source_words": "60"}}, "max_source_words must be a whole number"),
        ({"streamtrans": {"target_position_offset": -1}}, "target_position_offset must be a whole number"),
        ({"streamtrans": {"trained_wait_k": [1, "all"]}}, "trained_wait_k must be a list"),
        ({"streamtrans": {"length_ratio": 0}}, "length_ratio must be a number above 0"),
        ({"streamtrans": {"tokenizer": None}}, "tokenizer must be a string"),
        ({"streamtrans": {"policy": "wait-k"}}, "policy must be an object"),
    ],
)
def test_what_config_json_cannot_say(tmp_path, config, message):
    with pytest.raises(ModelError, match=message):
        load_checkpoint(saved(tmp_path, **config))


def test_unknown_settings_are_left_to_later_versions(tmp_path):
    section = {"from_the_future": 1, "target_position_offset": 4, "length_ratio": 3}
    checkpoint = load_checkpoint(saved(tmp_path, streamtrans=section))
    assert checkpoint.settings == TranslationSettings(target_position_offset=4, length_ratio=3.0)
    assert checkpoint.model.args.target_position_offset == 4


def test_missing_config(tmp_path):
    with pytest.raises(ModelError, match=r"has no config\.json"):
        load_checkpoint(tmp_path)


def test_config_is_not_json(tmp_path):
    (saved(tmp_path) / "config.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read as JSON"):
        load_checkpoint(tmp_path)
    for text, message in [("[]", "must hold an object"), ("[" * 100_000, "nested too deeply")]:
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ModelError, match=message):
            load_checkpoint(tmp_path)


def test_config_with_a_byte_order_mark(tmp_path):
    file = saved(tmp_path) / "config.json"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert load_checkpoint(tmp_path).config["hidden_size"] == 32


def adapter_for(folder, change=lambda arrays: None, **about):
    """An adapter of both layers of a small model, its tensors changed."""
    random, arrays = np.random.default_rng(0), {}
    for layer in range(2):
        for part, shape in [("lora_a", (32, 4)), ("lora_b", (4, 32))]:
            name = f"model.layers.{layer}.self_attn.q_proj.{part}"
            arrays[name] = mx.array(random.normal(0, 0.3, shape).astype(np.float32))
    change(arrays)
    folder.mkdir()
    mx.save_safetensors(str(folder / "adapters.safetensors"), arrays)
    parameters = {"rank": 4, "scale": 4.0, "dropout": 0.0, "keys": ["self_attn.q_proj"]}
    about = {"num_layers": 2, "lora_parameters": parameters, "model": "its model"} | about
    (folder / "adapter_config.json").write_text(json.dumps(about))
    return folder


def test_an_adapter_is_merged(tmp_path):
    model = saved(tmp_path)
    adapter = adapter_for(tmp_path / "adapter")
    merged, plain = (load_checkpoint(model, packed=False, adapter=a).model for a in (adapter, None))
    arrays = mx.load(str(adapter / "adapters.safetensors"))
    for layer in range(2):
        name = f"model.layers.{layer}.self_attn.q_proj"
        change = 4.0 * (arrays[f"{name}.lora_a"] @ arrays[f"{name}.lora_b"]).T
        weights = [made.layers[layer].self_attn.q_proj.weight for made in (merged, plain)]
        assert difference(weights[0], weights[1] + change) < 1e-5


def second_layer_missing(arrays):
    for name in [name for name in arrays if ".1." in name]:
        del arrays[name]


def another_layer(arrays):
    arrays["model.layers.9.self_attn.q_proj.lora_a"] = mx.zeros((32, 4))


def not_a_number(arrays):
    arrays["model.layers.1.self_attn.q_proj.lora_b"][0, 0] = float("nan")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (second_layer_missing, r"is incomplete: it lacks model\.layers\.1\.self_attn\.q_proj\.lora_a and 1 more"),
        (another_layer, r"does not fit this model \(made for its model\): model\.layers\.9\."),
        (not_a_number, r"adapters\.safetensors is damaged: model\.layers\.1\.self_attn\.q_proj\.lora_b holds NaN"),
    ],
)
def test_adapters_that_are_refused(tmp_path, change, message):
    with pytest.raises(ModelError, match=message) as error:
        load_checkpoint(saved(tmp_path), adapter=adapter_for(tmp_path / "adapter", change))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rank": 4, "scale": "4"}, "its scale must be a number, 1e\\+06 at most, not '4'"),
        ({"rank": 4, "scale": float("nan")}, "its scale must be a number"),
        ({"rank": 4, "scale": 2**63}, "its scale must be a number"),
        ({"rank": 2**31, "scale": 4.0}, "its rank must be a whole number from 1 to 10,000, not 2147483648"),
        ({"scale": 4.0, "dropout": 0.0}, "does not fit this model .*rank"),
        ([4], "does not fit this model"),
    ],
)
def test_parameters_of_an_adapter_that_cannot_be(tmp_path, parameters, message):
    adapter = adapter_for(tmp_path / "adapter", lora_parameters=parameters)
    with pytest.raises(ModelError, match=message) as error:
        load_checkpoint(saved(tmp_path), adapter=adapter)
    assert "\n" not in str(error.value)


def test_missing_weights(tmp_path):
    (saved(tmp_path) / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors is missing"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("keep", [0, 5, 400, -100, -1])
def test_truncated_weights(tmp_path, keep):
    file = saved(tmp_path) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ModelError, match="corrupt or truncated"):
        load_checkpoint(tmp_path)


def test_noise_instead_of_weights(tmp_path):
    (saved(tmp_path) / "model.safetensors").write_bytes(np.random.default_rng(0).bytes(4096))
    with pytest.raises(ModelError, match="corrupt or truncated"):
        load_checkpoint(tmp_path)


def test_unknown_name_gets_a_suggestion():
    with pytest.raises(ModelError, match=r"no model 'en-tp', did you mean en-pt\?; embedded: en-pt"):
        load_checkpoint("en-tp")
    with pytest.raises(ModelError, match=r"no model './nowhere'; embedded"):
        load_checkpoint("./nowhere")


def test_a_mistyped_directory_does_not_reach_for_the_network(tmp_path, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("asked the Hub"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    with pytest.raises(ModelError, match="no model 'runs/tiny': there is no such directory in runs"):
        load_checkpoint("runs/tiny")


def test_hub_errors_are_one_line(monkeypatch):
    import huggingface_hub

    def offline(*_args, **_kwargs):
        raise OSError("no route\nto host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(ModelError, match=r"someone/something .* from the Hub: no route$"):
        load_checkpoint("someone/something")


def test_hub_models_load_from_their_snapshot(tmp_path, monkeypatch):
    import huggingface_hub

    asked = []
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **_: asked.append(name) or str(saved(tmp_path))
    )
    assert load_checkpoint("someone/something").directory == tmp_path
    assert asked == ["someone/something"]


def test_loading_imports_nothing_slow():
    heavy = ["mlx_lm", "transformers", "torch", "huggingface_hub", "scipy_openblas32"]
    code = f"import sys, {loading.__name__} as l; l.load_checkpoint('en-pt'); print(sys.modules.keys() & {set(heavy)})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
