"""A new model: its vocabulary, its weights, and what keeps it from being made."""

import json

import numpy as np
import pytest
from toy_pairs import toy_pairs

from streamtrans.engine.translator import load
from streamtrans.errors import DataError, StreamtransError
from streamtrans.models.loading import load_checkpoint
from streamtrans.text.tokenizer import SentencePieceTokenizer
from streamtrans.text.words import join, units
from streamtrans.training.config import Data, Mix, NewModel
from streamtrans.training.new_model import make_checkpoint, train_vocabulary

SIZES = NewModel(hidden=32, layers=2, heads=2, kv_heads=1, intermediate=48, vocabulary=350)
DATA = Data(path="x", source_language="en", target_language="de", max_words=40)


def tokenizer_of(pairs, languages, pieces, path):
    file = path / "t.model"
    file.write_bytes(train_vocabulary(pairs, languages, pieces))
    return SentencePieceTokenizer(file)


@pytest.mark.parametrize(
    ("languages", "pairs", "text"),
    [
        (("en", "de"), toy_pairs(200), "The cook buys 365 Äpfel, über 🙂 €!"),
        (("zh", "en"), [(f"你好吗{chr(0x4E00 + i)}，朋友。", f"hello {i}") for i in range(60)], "你好，朋友〇🙂"),
    ],
)
def test_every_text_comes_back_word_by_word(tmp_path, languages, pairs, text):
    tokenizer = tokenizer_of(pairs, languages, 400, tmp_path)
    detokenizer = tokenizer.detokenizer()
    words = units(text, languages[0])
    pieces = [tokenizer.encode_word(word, i == 0) for i, word in enumerate(words)]
    back = "".join(detokenizer.push(token) for word in pieces for token in word) + detokenizer.flush()
    assert join(units(back, languages[0]), languages[0]) == text
    assert (tokenizer.start_id, tokenizer.end_id) == (2, 3)
    assert tokenizer.vocab_size <= 400


def test_digits_are_single_and_small_data_gives_fewer_pieces(tmp_path):
    tokenizer = tokenizer_of([("in 2024 und 2024", "2024 2024")] * 50, ("en", "de"), 8000, tmp_path)
    assert tokenizer.vocab_size < 400
    assert len(tokenizer.encode_word("2024", True)) >= 4


def test_the_same_data_gives_the_same_checkpoint(tmp_path):
    for name in ("a", "b"):
        make_checkpoint(tmp_path / name, SIZES, toy_pairs(100), DATA, Mix(), seed=4)
    for file in ("config.json", "model.safetensors", "tokenizer.model"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    make_checkpoint(tmp_path / "c", SIZES, toy_pairs(100), DATA, Mix(), seed=5)
    assert (tmp_path / "a/model.safetensors").read_bytes() != (tmp_path / "c/model.safetensors").read_bytes()


def test_a_new_checkpoint_is_one_that_streamtrans_loads(tmp_path):
    make_checkpoint(tmp_path / "new", SIZES, toy_pairs(100), DATA, Mix(wait_ks=[1, float("inf")]), seed=1)
    translator = load(tmp_path / "new")
    settings = translator.settings
    assert (settings.source_language, settings.target_language, settings.max_source_words) == ("en", "de", 40)
    assert settings.trained_wait_k == (1, float("inf"))
    config = json.loads((tmp_path / "new/config.json").read_text())
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 10000
    assert config["vocab_size"] == translator.tokenizer.vocab_size
    model = load_checkpoint(tmp_path / "new", packed=False).model
    logits = np.array(model.forward([[2, 9, 30]]))
    assert 0.5 < logits.std() < 2, "the loss begins near that of a uniform guess"


def test_what_cannot_be_made(tmp_path):
    texts = [("".join(chr(0x4E00 + 40 * i + j) for j in range(40)), "a") for i in range(40)]
    with pytest.raises(DataError, match="no vocabulary of 300 pieces could be made of this data"):
        train_vocabulary(texts, ("zh", "en"), 300)
    (tmp_path / "file").write_text("")
    with pytest.raises(StreamtransError, match="could not be saved"):
        make_checkpoint(tmp_path / "file" / "x", SIZES, toy_pairs(100), DATA, Mix(), 1)
