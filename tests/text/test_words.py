from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrans.text.sentences import ends_clause, ends_sentence
from streamtrans.text.words import LineEnd, TargetWords, Word, WordReader, join, stream_units, units

TEXT = st.text(alphabet="aB.,!?。」「 \n\t你好\"'1é€", max_size=60)
LANGUAGE = st.sampled_from(["en", "de", "zh", "ja", "pt-BR"])


def read(language, pieces):
    reader = WordReader(language)
    found = [unit for piece in pieces for unit in reader.feed(piece)]
    return [unit if isinstance(unit, Word) else "line end" for unit in [*found, *reader.flush()]]


@pytest.mark.parametrize(
    ("word", "language", "ends"),
    [
        ("evening.", "en", True),
        ("really?!", "en", True),
        ('now."', "en", True),
        ("wait…", "en", True),
        ("wait...", "en", True),
        ("1999.", "en", True),
        ("No.", "en", True),
        ("好。", "zh", True),
        ("Dr.", "en", False),
        ("U.S.", "en", False),
        ("e.g.", "en", False),
        ("J.", "en", False),
        ("3.5", "en", False),
        ("(cf.", "en", False),
        ("Sr.", "pt", False),
        ("usw.", "de", False),
        ("3.", "de", False),
        ("end", "en", False),
        ("end,", "en", False),
        ("...", "en", True),
        (")", "en", False),
    ],
)
def test_sentence_ends(word, language, ends):
    assert ends_sentence(word, language) is ends


def test_list_number_ends_nothing_at_the_start_only():
    assert not ends_sentence("2.", "en", first=True)
    assert ends_sentence("2.", "en")


@pytest.mark.parametrize(("word", "ends"), [("well,", True), ("so:", True), ("—", True), ("end.", True), ("a", False)])
def test_clause_ends(word, ends):
    assert ends_clause(word, "en") is ends


def test_a_closing_quote_belongs_to_the_mark_before_it():
    words = read("zh", ["「好。」我"])
    assert [(w.text, w.ends_sentence) for w in words] == [
        ("「", False), ("好", False), ("。", False), ("」", True), ("我", False)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "text", "ends"),
    [
        ("zh", "圆周率是3.14。看example.com吧。好", ["。", "。"]),
        ("th", "ราคา 3.5 บาท", []),
        ("zh", "共3. 好", ["."]),
        ("zh", "共3.好", ["."]),
        ("zh", "等等...3", ["."]),
    ],
)
def test_a_dot_inside_a_number_or_an_address_ends_no_sentence_of_characters(language, text, ends):
    assert [word.text for word in read(language, text) if word.ends_sentence] == ends


def test_newline_completes_word_and_line():
    words = [Word("Good"), Word("evening", ends_sentence=True), "line end", Word("you")]
    assert read("en", ["Good evening\nyou"]) == words


def test_a_flush_starts_a_sentence():
    reader = WordReader("en")
    assert [*reader.feed("Hello"), *reader.flush(), *reader.feed("2. ")] == [Word("Hello"), Word("2.")]


@given(TEXT, LANGUAGE, st.lists(st.integers(0, 60)))
def test_any_cut_gives_the_same_words(text, language, cuts):
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    assert read(language, pieces) == read(language, [text])


@given(TEXT, LANGUAGE)
def test_reader_finds_the_units_of_the_text(text, language):
    words = [unit.text for unit in read(language, [text]) if isinstance(unit, Word)]
    assert words == [word for line in text.split("\n") for word in stream_units(line.strip(), language)]
    assert [word.strip() for word in words] == units(text, language)
    assert stream_units(join(words, language), language) == words


@given(TEXT, LANGUAGE, st.integers(0, 60))
def test_target_words_are_the_units_of_the_text(text, language, cut):
    words = TargetWords(language)
    found = words.feed(text[:cut]) + words.feed(text[cut:]) + words.flush()
    assert found == stream_units(text.strip(), language)
    assert [word.strip() for word in found] == units(text, language)


def test_white_space_between_characters_is_kept_in_front_of_them():
    assert stream_units("用 Wi-Fi  吧", "zh") == ["用", " W", "i", "-", "F", "i", " 吧"]
    assert units("用 Wi-Fi", "zh") == ["用", "W", "i", "-", "F", "i"]
    assert [word.text for word in read("th", [" ก ข\n ค"]) if word != "line end"] == ["ก", " ข", "ค"]
    assert stream_units(" x y", "en") == ["x", "y"]


def test_backspace_reaches_back_to_the_last_complete_word():
    reader = WordReader("en")
    assert [unit.text for unit in reader.feed("see yuo")] == ["see"]
    assert reader.take_back(2) == 2
    assert reader.pending == "y"
    assert reader.take_back(5) == 1
    assert [type(unit) for unit in reader.feed("you\n")] == [Word, LineEnd]
