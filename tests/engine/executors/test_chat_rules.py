"""The manners applied to tokens: what is refused, what ends a target."""

from functools import partial

import pytest
from chat_tokenizers import write_tokenizer
from tokenizers import Tokenizer

from streamtrans.engine.executors.chat_rules import Rules
from streamtrans.text.chat_tokenizer import ChatTokenizer
from streamtrans.text.instructions import Instructions
from streamtrans.text.manners import Manners


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder)
    backend = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def render(messages, opened):
        return "".join(f"<|im_start|>{m['content']}<|im_end|>\n" for m in messages) + "<|im_start|>\n" * opened

    ends = {backend.token_to_id("<|im_end|>")}
    tokenizer = ChatTokenizer(backend, render, ends, Instructions(), ("en", "de"))
    return Rules(tokenizer, Manners(Instructions(), "en", "de"), "de")


def judge(rules, text, token_text, source="Hello there.", finished=True, going_on=""):
    """The verdict on the first token of a text, after another text; `going_on` is what the model would write then."""
    tokenizer = rules.tokenizer
    written, (token, *rest) = tokenizer.encode(text), tokenizer.encode(token_text)
    rest += tokenizer.encode(going_on)

    def best_after(target):
        ahead = target[len(written) + 1 :]
        return rest[len(ahead)] if len(ahead) < len(rest) else tokenizer.end_id

    return token, rules.judge(token, written, tokenizer.encode(source), finished, best_after)


def test_an_opening_of_a_comment_is_refused_by_what_follows(rules):
    assert judge(rules, "", "Here is the translation: Hallo.")[1] is None
    token, verdict = judge(rules, "", "Here is the house.")
    assert verdict == token


def test_a_comment_without_an_end_is_the_whole_answer(rules):
    token, verdict = judge(rules, "", "Here is")
    assert verdict == token


def test_a_line_break_ends_a_target_and_opens_none(rules):
    assert judge(rules, "", "\n")[1] is None
    assert judge(rules, "Guten Tag", "\n")[1] == rules.tokenizer.end_id


def test_what_stands_before_a_line_break_is_kept(rules):
    assert rules._in_line(".\n\nNote: this") == rules.tokenizer.encode(".")[0]
    assert rules._in_line("\n") == rules.tokenizer.end_id
    assert rules._in_line("several tokens\n") == rules.tokenizer.going_on("several")[0]


def test_what_follows_a_complete_target_is_cut(rules):
    assert judge(rules, "Guten Tag da.", " Noch etwas.")[1] == rules.tokenizer.end_id


def test_nothing_is_cut_while_the_source_goes_on(rules):
    token, verdict = judge(rules, "Guten Tag da.", " Noch etwas.", finished=False)
    assert verdict == token


def test_a_target_that_lacks_a_sentence_goes_on(rules):
    token, verdict = judge(rules, "Guten Tag da.", " Wie geht es?", source="Hello there. How are you?")
    assert verdict == token


def test_the_end_of_a_word_is_never_cut(rules):
    token, verdict = judge(rules, "Guten Tag da.", '"')
    assert verdict == token


def test_without_manners_only_special_tokens_end_a_target(rules):
    bare = Rules(rules.tokenizer, None)
    for text, following in (("", "\n"), ("", "Here is the translation"), ("Guten Tag da.", " Noch")):
        token, verdict = judge(bare, text, following)
        assert verdict == token
    start = rules.tokenizer._backend.token_to_id("<|im_start|>")
    assert bare.judge(start, [], [], False, partial(int, 0)) == rules.tokenizer.end_id
