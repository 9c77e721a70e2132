"""Breaks of lines and cues: nothing lost, nothing too wide, and where they cost least."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrans.captions.layout import CUE_LINES, LINE_COLUMNS, columns, lay_out
from streamtrans.text.words import join, stream_units

spaced = st.lists(st.text("abcé,.-「", min_size=1, max_size=50), max_size=60)
unspaced = st.text("今日は、。「」っ ab1天เก็ะ", max_size=150)


def laid_out(text: str, language: str) -> list[list[str]]:
    words = stream_units(text, language)
    return [[join(words[line.start : line.stop], language).strip() for line in cue] for cue in lay_out(words, language)]


@given(spaced)
def test_every_word_once_in_lines_that_fit(words):
    cues = lay_out(words, "pt")
    assert [i for cue in cues for line in cue for i in line] == list(range(len(words)))
    for cue in cues:
        assert 1 <= len(cue) <= CUE_LINES
        for line in cue:
            text = " ".join(words[line.start : line.stop])
            glued = all(len(set(word) - set(",.-「")) == 0 for word in words[line.start + 1 : line.stop])
            glued = glued or all(len(set(word) - set(",.-「")) == 0 for word in words[line.start : line.stop - 1])
            assert columns(text) <= LINE_COLUMNS or len(line) == 1 or glued


@pytest.mark.parametrize("language", ["zh", "ja", "th"])
@given(text=unspaced)
def test_every_character_once_in_lines_that_fit(language, text):
    words = stream_units(text, language)
    cues = lay_out(words, language)
    assert [i for cue in cues for line in cue for i in line] == list(range(len(words)))
    for cue in cues:
        assert 1 <= len(cue) <= CUE_LINES
        for line in cue:
            shown = join(words[line.start : line.stop], language).strip()
            breakable = any(a in "今日天" and b in "今日天" for a, b in itertools.pairwise(shown))
            assert columns(shown) <= LINE_COLUMNS or not breakable


def test_a_short_sentence_is_one_line():
    assert laid_out("Muito obrigado.", "pt") == [["Muito obrigado."]]


def test_lines_are_balanced():
    assert laid_out("Sim eu gostaria muito de reservar uma mesa aqui hoje", "pt") == [
        ["Sim eu gostaria muito de", "reservar uma mesa aqui hoje"]
    ]


def test_a_clause_mark_is_a_better_place():
    assert laid_out("Gostaria de ir para casa agora, porque estou muito cansado.", "pt") == [
        ["Gostaria de ir para casa agora,", "porque estou muito cansado."]
    ]


def test_cues_break_at_clauses():
    text = (
        "Gostaria de reservar uma mesa para duas pessoas amanhã à noite, se ainda houver lugar perto da janela que dá "
        "para o jardim."
    )
    assert laid_out(text, "pt") == [
        ["Gostaria de reservar uma mesa", "para duas pessoas amanhã à noite,"],
        ["se ainda houver lugar perto da", "janela que dá para o jardim."],
    ]


def test_a_word_longer_than_a_line_stands_alone():
    word = "x" * 50
    assert laid_out(f"Um {word} aqui", "pt") in ([["Um", word], ["aqui"]], [["Um"], [word, "aqui"]])


def test_a_mark_that_stands_alone_begins_no_line():
    text = "Est-ce que vous avez déjà vu ce film là ? Non."
    assert not any(line.startswith("?") for cue in laid_out(text, "fr") for line in cue)


def test_wide_characters_take_two_columns():
    cues = laid_out(
        "今日はとても天気がいいですね。ちょっと散歩に行きませんか、それともカフェでコーヒーを飲みましょうか。", "ja"
    )
    assert cues == [
        ["今日はとても天気がいいですね。"],
        ["ちょっと散歩に行きませんか、", "それともカフェでコーヒーを飲みましょうか。"],
    ]
    assert max(columns(line) for cue in cues for line in cue) == 42


@pytest.mark.parametrize(
    ("language", "text", "first"),
    [
        ("ja", "あ" * 21 + "っと", False),
        ("zh", "天" * 20 + "iPhone", True),
        ("zh", "天" * 21 + "。", False),
        ("th", "ก" * 42 + "็ก", False),
    ],
)
def test_pieces_of_characters_are_not_broken(language, text, first):
    lines = [line for cue in laid_out(text, language) for line in cue]
    assert "".join(lines) == text
    assert not any(line[0] in "っ。็" for line in lines)
    assert not first or any("iPhone" in line for line in lines)


def test_another_speaker_begins_a_line():
    assert [
        [" ".join(["Oi.", "- Olá,", "tudo?"][line.start : line.stop]) for line in cue]
        for cue in lay_out(["Oi.", "- Olá,", "tudo?"], "pt")
    ] == [["Oi.", "- Olá, tudo?"]]


def test_no_words_are_no_cue():
    assert lay_out([], "pt") == []
