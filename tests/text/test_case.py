import pytest

from streamtrans.text.case import lower, upper
from streamtrans.text.typography import Capitals, Quotes


@pytest.mark.parametrize(
    ("small", "language", "capital"),
    [
        ("istanbul ılık", "tr", "İSTANBUL ILIK"),
        ("istanbul", "az-Latn", "İSTANBUL"),
        ("istanbul", "en", "ISTANBUL"),
        ("straße", "de", "STRASSE"),
        ("καλημέρα σας", "el", "ΚΑΛΗΜΕΡΑ ΣΑΣ"),
        ("προϊόν ρολόι", "el", "ΠΡΟΪΟΝ ΡΟΛΟΙ"),
        ("привет", "ru", "ПРИВЕТ"),
        ("გამარჯობა", "ka", "გამარჯობა"),
        ("नमस्ते", "hi", "नमस्ते"),
        ("你好", "zh", "你好"),
    ],
)
def test_capitals_of_a_language(small, language, capital):
    assert upper(small, language) == capital


@pytest.mark.parametrize(
    ("capital", "language", "small"),
    [
        ("IŞIK İZMİR", "tr", "ışık izmir"),
        ("IS", "en", "is"),
        ("ΟΔΟΣ ΣΟΦΙΑΣ", "el", "οδος σοφιας"),
        ("שלום", "he", "שלום"),
    ],
)
def test_small_letters_of_a_language(capital, language, small):
    assert lower(capital, language) == small


def capitals(source, target, words):
    state = Capitals(source, target)
    return " ".join(filter(None, [*map(state.read, words.split()), state.finish()])), state


def test_lines_in_capitals_in_other_languages():
    read, state = capitals("tr", "en", "IŞIK İYİ")
    assert read == "Işık iyi"
    assert state.write("light") == "LIGHT"
    read, state = capitals("en", "tr", "THE CITY")
    assert state.write("şehir") == "ŞEHİR"
    for language, text in {
        "hi": "नमस्ते दुनिया",
        "ar": "مرحبا بالعالم",
        "ka": "გამარჯობა მსოფლიო",
        "ko": "안녕 세상",
    }.items():
        read, state = capitals(language, "en", text)
        assert read == text
        assert state.write("world") == "world"


def written(language, *words, source="“x” it’s"):
    quotes = Quotes(language)
    for word in source.split():
        quotes.read(word, str.isascii)
    return [quotes.write(word) for word in words]


def test_quotation_marks_of_other_languages():
    assert written("de", '"Wie', "geht's?\"") == ["„Wie", "geht’s?“"]
    assert written("ru", '"Да"') == ["«Да»"]
    assert written("sv", '"Ja"') == ["”Ja”"]
    assert written("fr", '"Oui"', "«", "Non") == ['"Oui"', "«", "Non"]
    assert written("de", "geht's", source="it’s") == ["geht’s"]
    assert written("en", "«Yes»") == ["«Yes»"]
    for language in ("zh", "ja", "ar", "he", ""):
        assert written(language, '"x"') == ['"x"']
