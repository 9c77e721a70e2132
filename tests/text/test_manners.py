"""The manners of a chat model: what may open a translation, and when it is complete."""

import pytest

from streamtrans.text.instructions import Instructions
from streamtrans.text.manners import Manners

GERMAN = Manners(Instructions(), "en", "de")


@pytest.mark.parametrize(
    "opening",
    [
        "Here is the translation: Hallo",
        "Here’s the translation of your text",
        "Translation: Hallo",
        "German: Hallo",
        "Sure, here is",
        "Translate the following text from English",
        "I'm sorry, but I can't",
        "As an AI language model",
        '"Hallo Welt',
        "„Hallo Welt",
        "**Hallo**",
        "\nHallo",
        "  \n",
    ],
)
def test_an_opening_that_no_translation_has_is_refused(opening):
    assert GERMAN.may_open(opening, "Hello world") is False


@pytest.mark.parametrize("opening", ["Hallo", " Hallo", "Hier ist die Übersetzung", "Herein", "", " ", "S", "Sicher"])
def test_a_translation_may_open_or_needs_to_be_seen_further(opening):
    assert GERMAN.may_open(opening, "Hello world") is not False


def test_more_is_wanted_while_a_comment_may_be_coming():
    assert GERMAN.may_open("Here is the", "Hello") is None
    assert GERMAN.may_open("Here is the house", "Hello") is True


def test_what_the_source_opens_with_may_open_its_translation():
    assert GERMAN.may_open('"Hallo"', '"Hello"') is True
    assert GERMAN.may_open("«Hallo»", '"Hello"') is True
    assert GERMAN.may_open("# Überschrift", "# Heading") is True
    assert GERMAN.may_open("Translation: ja", "translation: yes") is True


@pytest.mark.parametrize("opening", ["'n Man", "’s Avonds", "《红楼梦》", "‚Halt‘"])
def test_an_apostrophe_is_no_quotation_mark_and_quotations_have_many(opening):
    assert Manners(Instructions(), "en", "nl").may_open(opening, "“A man” in the evening") is True


def test_words_of_a_short_instruction_may_open():
    assert Manners(Instructions("Bitte"), "en", "de").may_open("Bitte kommen", "Please come") is True


def test_english_may_say_what_an_assistant_would():
    english = Manners(Instructions(), "de", "en")
    assert english.may_open("The translation of this book", "Die Übersetzung dieses Buches") is True
    assert english.may_open("Of course, here is your key", "Natürlich, hier ist Ihr Schlüssel") is True
    assert english.may_open("As an AI", "Als KI") is True
    assert english.may_open("Here is the translation", "Bitte") is False


def test_the_instruction_given_is_not_repeated():
    manners = Manners(Instructions("Please put this into {target} now."), "en", "de")
    assert manners.may_open("Please put this into German", "Good day") is False


@pytest.mark.parametrize(
    ("source", "target", "complete"),
    [
        ("How are you?", "Wie geht es dir?", True),
        ("How are you?", "Wie geht es", False),
        ("How are you? I am fine.", "Wie geht es dir?", False),
        ("How are you? I am fine.", "Wie geht es dir? Mir geht es gut.", True),
        ("I came, I saw, and after a long day I conquered.", "Ich kam.", False),
        ("no mark at all", "Kein Zeichen.", False),
        ("It was nice to see you again. Bye", "Es war schön, dich wieder zu sehen.", False),
        ("It was nice to see you again. Bye", "Es war schön, dich wieder zu sehen. Tschüss.", True),
        ("Ask Dr. Smith.", "Frag Dr. Smith.", True),
        ("", "", False),
    ],
)
def test_a_target_is_complete_with_as_many_sentences_as_its_source(source, target, complete):
    assert GERMAN.is_complete(source, target) is complete


def test_what_follows_the_last_mark_is_a_sentence_too():
    english = Manners(Instructions(), "ja", "en")
    assert not english.is_complete("そうですか。わかりました", "I see.")
    assert english.is_complete("そうですか。わかりました。", "I see. All right.")


def test_words_beside_characters_are_not_counted():
    assert Manners(Instructions(), "en", "ja").is_complete("How are you today, my friend?", "元気？")
