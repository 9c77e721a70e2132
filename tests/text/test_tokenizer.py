from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

import streamtrans
from streamtrans.errors import ModelError
from streamtrans.text.tokenizer import HuggingFaceTokenizer, SentencePieceTokenizer, load_tokenizer

EMBEDDED = Path(streamtrans.__file__).parent / "assets" / "en-pt"
WORDS = st.lists(st.text("abcãé€你😀'-,.3", min_size=1, max_size=8), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def suffix():
    return SentencePieceTokenizer(EMBEDDED / "tokenizer.model")


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory):
    directory = tmp_path_factory.mktemp("byte-level")
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<|end|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    backend.train_from_iterator(["the cat sat on the mat", "the other cat"] * 10, trainer)
    backend.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text('{"eos_token": {"content": "<|end|>"}}')
    return HuggingFaceTokenizer(directory)


def decode(tokenizer, words):
    detokenizer = tokenizer.detokenizer()
    shown = [detokenizer.push(token) for i, word in enumerate(words) for token in tokenizer.encode_word(word, i == 0)]
    assert all("\ufffd" not in text for text in shown)
    return "".join(shown) + detokenizer.flush()


@settings(deadline=None)
@given(words=WORDS)
def test_suffix_words_come_back(suffix, words):
    assert decode(suffix, words).split() == words


@settings(deadline=None)
@given(words=WORDS)
def test_byte_level_words_come_back(byte_level, words):
    assert decode(byte_level, words) == " ".join(words)


def test_a_suffix_token_says_that_its_word_is_complete(suffix):
    *inside, last = suffix.encode_word("unbelievable,", first=False)
    detokenizer = suffix.detokenizer()
    assert not any(detokenizer.push(token).endswith(" ") for token in inside)
    assert detokenizer.push(last).endswith(" ")
    assert not suffix.begins_word(last)


def test_a_byte_level_token_says_that_the_word_before_it_is_complete(byte_level):
    tokens = byte_level.encode_word("mat", first=False)
    assert [byte_level.begins_word(token) for token in tokens] == [True] + [False] * (len(tokens) - 1)
    assert not byte_level.begins_word(byte_level.encode_word("mat", first=True)[0])


@pytest.mark.parametrize("name", ["suffix", "byte_level"])
def test_half_a_character_is_never_shown(name, request):
    tokenizer = request.getfixturevalue(name)
    tokens = tokenizer.encode_word("😀", first=True)
    assert len(tokens) > 3
    detokenizer = tokenizer.detokenizer()
    assert "".join(detokenizer.push(token) for token in tokens[:2]) == ""
    assert "\ufffd" in detokenizer.flush()


def test_what_the_vocabulary_spells(suffix, byte_level):
    assert all(map(suffix.spells, ("Olá, você!", "a b", "")))
    assert not any(map(suffix.spells, ("Yeşilgöz", "👍🏽", "5 €")))
    assert [byte_level.spells(text) for text in ("the cat", "é", "👍🏽", "")] == [True, False, False, True]


def test_the_end_of_a_huge_word_is_not_encoded(suffix, byte_level):
    for tokenizer in (suffix, byte_level):
        huge = tokenizer.encode_word("xy" * 1_000_000, first=False)
        assert 128 < len(huge) <= 4096


def test_prefix_sentencepiece_is_refused(tmp_path):
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a cat sat here", "b dog ran there"] * 20),
        model_prefix=str(tmp_path / "tokenizer"),
        vocab_size=18,
        minloglevel=2,
    )
    with pytest.raises(ModelError, match="suffix"):
        SentencePieceTokenizer(tmp_path / "tokenizer.model")


def test_a_checkpoint_may_state_prompt_and_start():
    def loaded(**section):
        return load_tokenizer(EMBEDDED, "sentencepiece-suffix", {"streamtrans": section})

    plain = loaded()
    assert (plain.prompt_ids, plain.start_ids) == ([], [plain.start_id])
    framed = loaded(prompt_ids=[7, 8], start_ids=[9, 2])
    assert (framed.prompt_ids, framed.start_ids) == ([7, 8], [9, 2])
    for wrong in ({"prompt_ids": [8000]}, {"prompt_ids": ["Hi"]}, {"start_ids": []}, {"start_ids": 2}):
        with pytest.raises(ModelError, match=f"streamtrans.{next(iter(wrong))} must be a list of ids below 8000"):
            loaded(**wrong)


@pytest.mark.parametrize("kind", ["sentencepiece-suffix", "huggingface", "words"])
def test_missing_or_unknown_tokenizers_are_model_errors(tmp_path, kind):
    with pytest.raises(ModelError):
        load_tokenizer(tmp_path, kind)


@pytest.mark.parametrize(
    "content",
    [b"[]", b"[" * 100_000, b'{"eos_token": {"a": 1}}', b'{"eos_token": true}', b'{"eos_token": 3}', b"\xff", b"{"],
    ids=["list", "depth", "no content", "true", "number", "not UTF-8", "not JSON"],
)
def test_a_damaged_tokenizer_config_is_one_line(byte_level, tmp_path, content):
    (tmp_path / "tokenizer.json").write_text(byte_level._backend.to_str())
    (tmp_path / "tokenizer_config.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"tokenizer_config\.json") as error:
        load_tokenizer(tmp_path, "huggingface")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("token", [-1, 10**6, "x", True, ["x"]])
def test_an_end_token_that_is_none_of_its_tokens(byte_level, tmp_path, token):
    (tmp_path / "tokenizer.json").write_text(byte_level._backend.to_str())
    with pytest.raises(ModelError, match=r"eos_token_id in config\.json"):
        load_tokenizer(tmp_path, "huggingface", {"eos_token_id": token})


def test_what_the_library_says_is_one_line(byte_level, tmp_path):
    (tmp_path / "tokenizer.json").write_text(byte_level._backend.to_str().replace('"1.0"', '"1\\n0"', 1))
    with pytest.raises(ModelError, match="Unknown tokenizer version") as error:
        load_tokenizer(tmp_path, "huggingface")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["PanicException", "KeyboardInterrupt"])
def test_a_panic_of_the_tokenizer_library_is_told_in_a_line(tmp_path, monkeypatch, kind):
    """As for a tokenizer.json that a long fuzz run found; whatever else is no Exception goes on its way."""
    tokenizers = pytest.importorskip("tokenizers")
    error = type(kind, (BaseException,), {})

    def panics(path):
        raise error("range end index 18446744073709551611 out of range")

    monkeypatch.setattr(tokenizers, "Tokenizer", type("Tokenizer", (), {"from_file": staticmethod(panics)}))
    with pytest.raises(ModelError if kind == "PanicException" else error, match="range end index"):
        HuggingFaceTokenizer(tmp_path)
