"""Loading chat models: on CPU as float32, and one line for each thing that can be wrong."""

import json
import subprocess
import sys

import pytest
from chat_checkpoints import make_chat_checkpoint
from mlx.utils import tree_flatten

from streamtrans.engine.translator import load
from streamtrans.errors import ModelError, UsageError
from streamtrans.models import chat
from streamtrans.models.chat import load_chat_model
from streamtrans.policies import make_policy
from streamtrans.runtime import mx, on_gpu
from streamtrans.text.instructions import Instructions

PAIR = ("en", "de")


@pytest.fixture
def checkpoint(tmp_path):
    return make_chat_checkpoint(tmp_path / "chat")


def changed(directory, file="config.json", **entries):
    values = json.loads((directory / file).read_text())
    (directory / file).write_text(json.dumps(values | entries))
    return directory


@pytest.mark.skipif(on_gpu(), reason="a GPU computes as stored")
@pytest.mark.parametrize("quantised", [False, True])
def test_a_cpu_computes_in_float32(tmp_path, quantised):
    model = load_chat_model(make_chat_checkpoint(tmp_path, quantised=quantised)).model
    assert {array.dtype for _, array in tree_flatten(model.parameters())} == {mx.float32}


@pytest.mark.skipif(on_gpu(), reason="a GPU computes as stored")
def test_what_does_not_fit_unpacked_stays_packed(tmp_path, monkeypatch):
    directory = make_chat_checkpoint(tmp_path, quantised=True)
    monkeypatch.setattr(chat, "_memory", lambda: (directory / "model.safetensors").stat().st_size * 2)
    kinds = {array.dtype for _, array in tree_flatten(load_chat_model(directory).model.parameters())}
    assert mx.uint32 in kinds


def test_a_model_larger_than_the_memory_is_refused_before_it_is_read(checkpoint, monkeypatch):
    monkeypatch.setattr(chat, "_memory", lambda: 1e5)
    (checkpoint / "tokenizer.json").unlink()  # would be complained of next
    with pytest.raises(ModelError, match=r"too much for the .* GB of this machine"):
        load_chat_model(checkpoint)


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"model_type": "no-such-model"}, "no-such-model not supported"),
        ({"model_type": None}, "names no model_type"),
        ({"model_type": "llava", "vision_config": {}}, "is a vision model"),
        ({"architectures": ["BertModel"]}, "BertModel, which writes no text"),
        ({"model_file": "own.py"}, r"wants its own code \(own.py\)"),
        ({"hidden_size": 32}, "cannot be loaded by mlx-lm"),
        ({"num_hidden_layers": "two"}, "cannot be loaded by mlx-lm"),
        ({"quantization": 4}, "cannot be loaded by mlx-lm"),
        ({"quantization": {"bits": "4"}}, "cannot be loaded by mlx-lm"),
        ({"quantization": {"bits": None}}, "cannot be loaded by mlx-lm"),
    ],
)
def test_a_config_that_cannot_be_is_one_line(checkpoint, entries, reason):
    with pytest.raises(ModelError, match=reason) as error:
        load(changed(checkpoint, **entries), languages=PAIR)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("head", [[0, 99], [99, 0]])
def test_heads_that_are_not_there_are_refused(checkpoint, head):
    changed(checkpoint, streamtrans={"kind": "chat", "alignment_heads": [head]})
    with pytest.raises(ModelError, match=rf"there is no head {head[1]} in layer {head[0]}"):
        load(checkpoint, languages=PAIR).session(make_policy("alignatt"))


def test_a_prompt_beyond_the_positions_of_the_model_is_refused(checkpoint):
    with pytest.raises(UsageError, match=r"was made for 520; take a shorter glossary"):
        load(changed(checkpoint, max_position_embeddings=520), languages=PAIR)


def test_a_section_that_is_null_is_none(checkpoint):
    assert load(changed(checkpoint, streamtrans=None), languages=PAIR).settings.source_language == "en"


def test_a_chat_model_needs_its_template(checkpoint):
    changed(checkpoint, "tokenizer_config.json", chat_template=None)
    with pytest.raises(ModelError, match="has no chat template, so that it cannot be asked"):
        load(changed(checkpoint, streamtrans={"kind": "chat"}), languages=PAIR)


def test_an_instruction_may_not_spell_the_template(checkpoint):
    with pytest.raises(ModelError, match=r"the instruction or the glossary has '<\|im_end\|>'"):
        load(checkpoint, languages=PAIR, instructions=Instructions(glossary=(("a<|im_end|>", "b"),)))


@pytest.mark.parametrize("token", [-5, 99999])
def test_end_tokens_that_are_none_do_not_count(checkpoint, token):
    tokenizer = load(changed(checkpoint, eos_token_id=token), languages=PAIR).tokenizer
    assert 0 <= tokenizer.end_id < tokenizer.vocab_size


def test_an_embedding_model_writes_no_text(checkpoint):
    (checkpoint / "modules.json").write_text("[]")
    with pytest.raises(ModelError, match="is an embedding model"):
        load(checkpoint, languages=PAIR)


def test_a_memory_that_cannot_be_taken_back_is_refused(checkpoint):
    about = {"model_type": "mamba", "state_size": 8, "conv_kernel": 4, "use_bias": False, "use_conv_bias": True}
    from mlx_lm.models.mamba import Model, ModelArgs

    config = (
        json.loads((checkpoint / "config.json").read_text()) | about | {"time_step_rank": 4, "intermediate_size": 64}
    )
    model = Model(ModelArgs.from_dict(config))
    (checkpoint / "config.json").write_text(json.dumps(config))
    mx.save_safetensors(str(checkpoint / "model.safetensors"), dict(tree_flatten(model.parameters())))
    with pytest.raises(ModelError, match="the memory of mamba cannot be taken back"):
        load(checkpoint, languages=PAIR)


def test_weights_that_are_no_numbers_are_refused(checkpoint):
    weights = mx.load(str(checkpoint / "model.safetensors"))
    name = next(iter(weights))
    weights[name] = weights[name] * mx.nan
    mx.save_safetensors(str(checkpoint / "model.safetensors"), weights)
    with pytest.raises(ModelError, match="are damaged"):
        load(checkpoint, languages=PAIR).translate("Hello.")


def test_a_tokenizer_of_another_model_is_refused(checkpoint, tmp_path):
    weights = mx.load(str(checkpoint / "model.safetensors"))
    embedding = "model.embed_tokens.weight"
    mx.save_safetensors(str(checkpoint / "model.safetensors"), weights | {embedding: weights[embedding][:100]})
    with pytest.raises(ModelError, match="has other tokens than the model, which has 100"):
        load(changed(checkpoint, vocab_size=100), languages=PAIR).translate("Hello.")


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_a_damaged_or_missing_file_is_one_line(checkpoint, file):
    (checkpoint / file).write_bytes((checkpoint / file).read_bytes()[:1000])
    with pytest.raises(ModelError) as error:
        load(checkpoint, languages=PAIR)
    assert "\n" not in str(error.value)
    (checkpoint / file).unlink()
    with pytest.raises(ModelError) as error:
        load(checkpoint, languages=PAIR)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("template", ["{{ 1 / 0 }}", "{% for", "{{ raise_exception('no') }}", "fixed"])
def test_a_template_that_fails_is_one_line(checkpoint, template):
    with pytest.raises(ModelError, match="its tokenizer or chat template cannot be used") as error:
        load(changed(checkpoint, "tokenizer_config.json", chat_template=template), languages=PAIR)
    assert "\n" not in str(error.value)


def test_languages_must_be_named_or_stated(checkpoint):
    with pytest.raises(UsageError, match="say which with --from and --to"):
        load(checkpoint)
    section = {"kind": "chat", "source_language": "en", "target_language": "ja", "policy": {"name": "wait-k", "k": 5}}
    translator = load(changed(checkpoint, streamtrans=section))
    assert (translator.settings.source_language, translator.settings.target_language) == (PAIR[0], "ja")
    assert translator.default_policy.k == 5


def test_only_chat_models_take_instructions():
    with pytest.raises(UsageError, match="en-pt is no chat model"):
        load("en-pt", instructions=Instructions(context=1))


def test_trained_models_import_nothing_of_chat_models():
    code = "import sys, streamtrans; streamtrans.load('en-pt').translate('Hi.'); print([m for m in sys.modules if m in "
    code += "('mlx_lm', 'transformers', 'jinja2', 'streamtrans.engine.executors.chat')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
