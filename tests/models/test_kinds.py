"""Kinds of models: one rule says how a directory translates, or that it would invent text."""

import json

import pytest
from chat_checkpoints import make_chat_checkpoint

from streamtrans.errors import ModelError
from streamtrans.models.embedded import ASSETS
from streamtrans.models.kinds import Kind, kind_of


@pytest.fixture
def directory(tmp_path):
    def make(config, template=None, **files):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2"} | config))
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template} if template else {}))
        for name, text in files.items():
            (tmp_path / name.replace("__", ".")).write_text(text)
        return tmp_path

    return make


def test_the_embedded_model_was_trained_for_it():
    assert kind_of(ASSETS / "en-pt") is Kind.STREAMING


@pytest.mark.parametrize(
    ("config", "template", "kind"),
    [
        ({"streamtrans": {}}, None, Kind.STREAMING),
        ({"streamtrans": {}}, "{{ x }}", Kind.STREAMING),
        ({"streamtrans": {"kind": "streaming"}}, "{{ x }}", Kind.STREAMING),
        ({"streamtrans": {"kind": "chat"}}, "{{ x }}", Kind.CHAT),
        ({}, "{{ x }}", Kind.CHAT),
    ],
)
def test_the_section_counts_before_the_template(directory, config, template, kind):
    assert kind_of(directory(config, template)) is kind


def test_a_template_may_have_a_file_of_its_own(directory):
    assert kind_of(directory({}, chat_template__jinja="{{ x }}")) is Kind.CHAT


def test_an_untrained_model_without_a_template_is_refused(directory):
    with pytest.raises(ModelError, match="was not trained for streaming and has no chat template"):
        kind_of(directory({}))


@pytest.mark.parametrize("kind", ["firefox", "Chat", 1, None])
def test_a_kind_that_is_none_is_refused(directory, kind):
    with pytest.raises(ModelError, match=r"streamtrans\.kind must be"):
        kind_of(directory({"streamtrans": {"kind": kind}}))


def test_an_adapter_may_make_a_chat_model_stream(tmp_path):
    base = make_chat_checkpoint(tmp_path / "base")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"streamtrans": {"source_language": "en"}}))
    assert kind_of(base, adapter) is Kind.STREAMING
    (adapter / "adapter_config.json").write_text(json.dumps({"lora_parameters": {}}))
    assert kind_of(base, adapter) is Kind.CHAT
