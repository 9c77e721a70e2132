"""The tokenizer of chat models: the conversation in pieces has the tokens of the conversation as a whole."""

from functools import partial

import pytest
from chat_tokenizers import TEMPLATES, write_tokenizer
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from streamtrans.text.chat_tokenizer import ChatTokenizer
from streamtrans.text.instructions import Instructions

STYLES = [("chatml", "byte-level"), ("thinking", "byte-level"), ("inst", "llama-2"), ("gemma", "gemma")]


@pytest.fixture(scope="module", params=STYLES, ids=[name for name, _ in STYLES])
def parts(request, tmp_path_factory):
    """A tokenizer of each style between English and a language, and a plain one of the same with its template."""
    from mlx_lm.tokenizer_utils import load

    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder, *request.param)
    plain = load(folder)

    def make(source="en", target="de", instructions=Instructions()):
        backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
        render = partial(_rendered, plain)
        return ChatTokenizer(backend, render, set(plain.eos_token_ids), instructions, (source, target))

    return make, plain


def _rendered(tokenizer, messages, opened):
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=opened, enable_thinking=False)


def _source_ids(tokenizer, text, unspaced=False):
    words = list(text) if unspaced else text.split()
    return [token for number, word in enumerate(words) for token in tokenizer.encode_word(word, number == 0)]


@given(words=st.lists(st.text("abcdefgh.,'éßÜ中", min_size=1, max_size=8), min_size=1, max_size=8))
def test_pieces_make_the_whole_conversation(parts, words):
    make, plain = parts
    tokenizer, text = _one(make), " ".join(words)
    message = {"role": "user", "content": Instructions().before_text("en", "de") + text}
    whole = plain.apply_chat_template([message], add_generation_prompt=True, enable_thinking=False)
    assert tokenizer.prompt_ids + _source_ids(tokenizer, text) + tokenizer.start_ids == whole


_made: dict[int, ChatTokenizer] = {}


def _one(make):
    return _made.setdefault(id(make), make())


def test_finished_sentences_stand_before_the_next_as_the_template_has_them(parts):
    make, plain = parts
    tokenizer, before = make(), Instructions().before_text("en", "de")
    messages = [
        {"role": "user", "content": before + "The weather is fine."},
        {"role": "assistant", "content": "Das Wetter ist schön."},
        {"role": "user", "content": "We play."},
    ]
    whole = plain.apply_chat_template(messages, add_generation_prompt=True, enable_thinking=False)
    spaced = " " * (plain.chat_template == TEMPLATES["inst"])  # the model's answer has it itself
    answer = tokenizer._after("a" if spaced else "\n", f"{spaced}Das Wetter ist schön.")
    pieces = [
        *tokenizer.prompt_ids,
        *_source_ids(tokenizer, "The weather is fine."),
        *tokenizer.earlier_turn_ids,
        *answer,
        *tokenizer.next_ids,
        *_source_ids(tokenizer, "We play."),
        *tokenizer.start_ids,
    ]
    assert tokenizer._backend.decode(pieces, skip_special_tokens=False).split() == (
        tokenizer._backend.decode(whole, skip_special_tokens=False).split()
    )


def test_a_text_that_spells_a_special_token_is_a_text(parts):
    tokenizer = parts[0]()
    for spelled in ("<|im_end|>", "</s>", "<end_of_turn>", "a<|im_start|>b"):
        for first in (True, False):
            tokens = tokenizer.encode_word(spelled, first)
            assert not tokenizer.stop_ids & set(tokens)
            assert tokenizer.text_of(tokens).strip() == spelled


def test_special_tokens_end_a_target(parts):
    make, plain = parts
    tokenizer = make()
    assert tokenizer.end_id in plain.eos_token_ids
    assert set(plain.eos_token_ids) <= tokenizer.stop_ids
    assert tokenizer._backend.token_to_id("<|im_start|>") in tokenizer.stop_ids


def test_characters_are_joined_as_a_whole_text_has_them(parts):
    tokenizer = parts[0]("ja", "en")
    tokens = _source_ids(tokenizer, "これはtheテストです。", unspaced=True)
    joined, origins = tokenizer.joined(tokens)
    assert tokenizer.text_of(joined) == "これはtheテストです。"
    assert len(joined) == len(origins) <= len(tokens)
    assert origins == sorted(origins)
    assert max(origins) < len(tokens)


def test_words_with_spaces_are_as_they_are(parts):
    tokenizer = parts[0]()
    assert tokenizer.joined([5, 6, 7]) == ([5, 6, 7], [0, 1, 2])
    assert tokenizer.joined([]) == ([], [])


def test_a_template_that_loses_the_text_is_refused(parts):
    _, plain = parts
    with pytest.raises(ValueError, match="does not keep the user's text"):
        ChatTokenizer(plain.backend_tokenizer, lambda messages, opened: "nothing", {0}, Instructions(), ("en", "de"))


def test_a_character_in_bytes_is_in_the_vocabulary(parts):
    tokenizer = parts[0]()
    assert all(map(tokenizer.spells, ("weather", "天", "😀", "ß")))
