import pytest
import sentencepiece

from streamtrans.text.paired_tokenizer import PairedTokenizer
from streamtrans.text.words import source_words

LINES = ["你好我们用它吧", "我们用 Machine Learning 吧", "ราคา สามบาท ครับ", "今天 3.5 度"] * 40


@pytest.fixture(scope="module")
def processor(tmp_path_factory):
    path = tmp_path_factory.mktemp("pieces") / "vocab"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES), model_prefix=str(path), vocab_size=60, minloglevel=2, bos_id=-1, eos_id=0,
        unk_id=1, hard_vocab_limit=False,
    )  # fmt: skip
    return sentencepiece.SentencePieceProcessor(model_file=f"{path}.model")


@pytest.mark.parametrize("line", LINES[:4])
@pytest.mark.parametrize("language", ["zh", "th"])
def test_characters_are_joined_to_the_text_that_the_model_knows(processor, line, language):
    tokenizer = PairedTokenizer(processor, processor, language)
    words = [tokenizer.encode_word(word, i == 0) for i, word in enumerate(source_words(line, language))]
    tokens = [token for word in words for token in word]
    found, origins = tokenizer.joined(tokens)
    assert found == processor.encode(line)
    assert origins == sorted(origins)
    assert 0 <= origins[-1] < len(tokens)


def test_white_space_inside_what_is_read_stays(processor):
    tokenizer = PairedTokenizer(processor, processor, "zh")
    tokens = [*tokenizer.encode_word("用", True), *tokenizer.encode_word(" Machine Learning 吧", False)]
    assert tokenizer.joined(tokens)[0] == processor.encode("用 Machine Learning 吧")
    assert tokenizer.joined([]) == ([], [])


def test_a_target_word_in_mid_sentence_begins_without_a_space_where_words_are_characters(processor):
    spaced, characters = PairedTokenizer(processor, processor), PairedTokenizer(processor, processor, "en", "zh")
    for word in "你好我":
        assert processor.id_to_piece(characters.target_start(word)) == word
        assert processor.id_to_piece(spaced.target_start(word)).startswith("▁")
    assert spaced.target_start("") is characters.target_start("") is None
