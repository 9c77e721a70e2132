"""The small chat models that tests are made with: mlx-lm loads them and they answer with clear choices."""

import hashlib

import pytest
from chat_checkpoints import ARCHITECTURES, make_chat_checkpoint
from chat_tokenizers import SENTENCES, write_tokenizer
from mlx_lm.generate import generate_step
from mlx_lm.utils import load
from tokenizers import Tokenizer

from streamtrans.runtime import mx

MOST = 60
PROMPTS = ["The weather is fine today.", "Where is the new bridge, and who bought tickets?", "Der Minister schläft."]


def answer(model, tokenizer, text):
    """The greedy answer of mlx-lm as tokens, and the lead of each over the next best."""
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True)
    tokens, leads = [], []
    for token, probabilities in generate_step(mx.array(prompt), model, max_tokens=MOST):
        second, best = mx.sort(probabilities)[-2:].tolist()
        tokens, leads = [*tokens, token], [*leads, best - second]
        if token in tokenizer.eos_token_ids:
            break
    return tokens, leads


@pytest.mark.parametrize("quantised", [False, True], ids=["plain", "4-bit"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_answers_are_clear_and_various(tmp_path, architecture, quantised):
    directory = make_chat_checkpoint(tmp_path, architecture, quantised, shards=3 if quantised else 1)
    model, tokenizer, config = load(str(directory), return_config=True)
    assert ("quantization" in config) == quantised
    assert len(list(directory.glob("*.safetensors"))) == (3 if quantised else 1)
    assert sum(file.stat().st_size for file in directory.iterdir()) < 800_000
    answers, leads = zip(*(answer(model, tokenizer, prompt) for prompt in PROMPTS), strict=True)
    assert sum(lead < 1e-3 for each in leads for lead in each) <= 2
    assert len(set(map(tuple, answers))) == len(PROMPTS)
    assert max(map(len, answers)) > 15
    assert sum(len(set(tokens)) for tokens in answers) > sum(map(len, answers)) / 4


def test_the_same_arguments_make_the_same_files(tmp_path):
    def digests(name, **arguments):
        directory = make_chat_checkpoint(tmp_path / name, **arguments)
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in directory.iterdir()}

    once = digests("once", quantised=True, shards=2)
    assert once == digests("twice", quantised=True, shards=2)
    assert once != digests("other", quantised=True, shards=2, seed=1)


def test_shards_hold_what_one_file_holds(tmp_path):
    whole = mx.load(str(make_chat_checkpoint(tmp_path / "whole") / "model.safetensors"))
    parts = {}
    for file in make_chat_checkpoint(tmp_path / "parts", shards=4).glob("model-*.safetensors"):
        parts |= mx.load(str(file))
    assert whole.keys() == parts.keys()
    assert all(mx.array_equal(whole[name], parts[name]) for name in whole)


@pytest.mark.parametrize("kind", ["byte-level", "llama-2", "gemma"])
def test_tokenizers_give_texts_back(tmp_path, kind):
    write_tokenizer(tmp_path, kind=kind)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in [*SENTENCES, "two  spaces", "日本語 🙂", "tab\tand\nline"]:
        assert tokenizer.decode(tokenizer.encode(text).ids) == text
    assert ("▁the" in tokenizer.encode("in the house").tokens) == (kind != "byte-level")
    assert tokenizer.encode("das").tokens[0].startswith("▁") == (kind == "llama-2")


def test_templates(tmp_path):
    def rendered(architecture, *roles, **options):
        _, tokenizer = load(str(make_chat_checkpoint(tmp_path / architecture, architecture)))
        messages = [{"role": role, "content": f"{role} speaks"} for role in roles]
        return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **options)

    asked = "<|im_start|>user\nuser speaks<|im_end|>\n<|im_start|>assistant\n"
    assert rendered("qwen2", "user") == asked
    assert rendered("qwen2", "system", "user") == "<|im_start|>system\nsystem speaks<|im_end|>\n" + asked
    assert rendered("qwen3", "user", enable_thinking=False) == asked + "<think>\n\n</think>\n\n"
    assert rendered("qwen3", "user", enable_thinking=True) == asked
    assert rendered("llama", "user") == "<s>[INST] user speaks [/INST]"
    assert rendered("gemma", "user") == "<bos><start_of_turn>user\nuser speaks<end_of_turn>\n<start_of_turn>model\n"
    for architecture in ("llama", "gemma"):
        with pytest.raises(Exception, match="no system role"):
            rendered(architecture, "system", "user")


def test_a_checkpoint_without_a_template(tmp_path):
    _, tokenizer = load(str(make_chat_checkpoint(tmp_path, template=None)))
    assert tokenizer.chat_template is None
