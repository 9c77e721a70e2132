import re
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streamtrans.text.carry import Carrier
from streamtrans.text.words import source_words

KNOWN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789áéíóúãõçâêôàÁÉÍÓÚ .,;:!?'\"()-%$/–—…")
PLAIN = st.lists(
    st.sampled_from("the cat sat on a mat, then it slept. Is it Anna's? 41 well-known 9:15 NASA 2-1 e-mail".split())
)
OPAQUE = [
    "https://example.org/a?b=1#c", "www.example.com", "bob@example.com", "@maria", "#budget", "%s", "%d", "%1$s",
    "{name}", "${x}", "&amp;", "<br>",
    "👍🏽", "🇧🇷", "👨‍👩‍👧", "🐶", "£4", "₹500", "¥2,500", "5€", "€", "±", "°C", "−5", "max_len", "config.yaml",
    "/usr/bin/env", "C:\\Temp\\x.txt", "main()", "myVar2", "→", "•", "=", "@", ">", "{\\an8}", "`x`", "--verbose", "❤️",
]  # fmt: skip


def known(text):
    return set(text) <= KNOWN


def carrier(source="en", target="pt"):
    return Carrier(known, source, target)


def read(carrier, line):
    """What the model reads for each word, and at the end."""
    return [*map(carrier.read, line.split()), carrier.finish()]


def through(line, translate=lambda words: words, **languages):
    """The line through a model that knows all words at once, and says what `translate` makes of them."""
    c = carrier(**languages)
    words = " ".join(read(c, line)).split()
    return " ".join([shown for word in translate(words) for shown in c.write(word)] + c.owed())


@pytest.mark.parametrize("word", OPAQUE)
def test_what_is_no_language_goes_in_as_a_number_and_comes_out_as_it_was(word):
    c = carrier()
    given_words = read(c, f"see ({word}), please")
    assert re.fullmatch(r"\(\d{4}\),", given_words[1])
    assert c.write("veja") == ["veja"]
    assert c.write(given_words[1]) == [f"({word}),"]
    assert c.owed() == []


@pytest.mark.parametrize(
    "word",
    "hello Hello. well-known don't 2-1 9:15 3.5% $25 U.S. e.g. and/or km/h 24/7 COVID-19 1990s R&D AT&T 50% (a) he/she "
    "C++ iPhone McDonald's etc. 12.50 a.m. O'Connor #1 3D 100% -5 \"Stop!\" São naïvely?".split(),
)
def test_language_is_left_to_the_model(word):
    c = carrier()
    c.read("the")
    assert c.read(word) == word.replace("ï", "i")
    assert c.owed() == []


@given(PLAIN)
def test_words_without_anything_to_carry_pass_untouched(words):
    assume(not any(a == b for a, b in pairwise(words)))
    c = carrier()
    c.read("so")
    assert [c.read(word) for word in words] == words
    assert c.finish() == ""
    assert [c.write(word) for word in words] == [[word] for word in words]
    assert c.owed() == []


@settings(deadline=None)
@given(st.lists(st.sampled_from([*OPAQUE, "the", "cat", "6172", "8,354", "7413."]), max_size=12), st.randoms())
def test_each_original_is_shown_once_whatever_the_model_does(words, chance):
    """It drops words, repeats them, and puts them in another order."""
    line = " ".join(["see", *words])

    def careless(given_words):
        said = [word for word in given_words for _ in range(chance.choice([0, 1, 1, 2]))]
        chance.shuffle(said)
        return said

    shown = through(line, careless).split()
    for word in set(OPAQUE) & set(words):
        assert shown.count(word) == words.count(word), (line, shown)


@given(
    st.lists(
        st.sampled_from([*OPAQUE, "the", "6172", "8354,", "Yeşilgöz", "“Hi”", "Привет", "мир", "<b>x</b>"]), max_size=12
    )
)
def test_a_model_that_copies_gives_the_line_again(words):
    line = " ".join(["see", *words])
    assume(not re.search(r"(\bthe) \1\b", line))
    assert through(line) == line


@given(st.lists(st.sampled_from([*OPAQUE, "the", "DON'T", "GO", "Привет", "\u200b", "x"]), max_size=8))
def test_reading_does_not_depend_on_what_was_written(words):
    alone, other = carrier(), carrier()
    for word in words:
        given_words = alone.read(word)
        assert other.read(word) == given_words
        for said in given_words.split():
            other.write(said)
    assert alone.finish() == other.finish()


def test_a_number_of_the_source_is_never_taken_for_a_stand_in():
    c = carrier()
    stand_in = c.read("%s")
    assert c.read(f"{stand_in},") not in (stand_in, f"{stand_in},")
    first = carrier()
    first.read("6,172")
    assert first.read("%s") not in ("6172", "6,172")


def test_a_number_may_come_back_with_a_separator():
    c = carrier()
    number = c.read("%s")
    assert c.write(f"{number[0]}.{number[1:]}.") == ["%s."]


def test_what_never_came_back_follows_in_order():
    c = carrier()
    read(c, "see %s and 👍🏽 or <br>")
    assert c.write("ver") == ["ver"]
    assert c.owed() == ["%s", "👍🏽", "<br>"]
    assert c.owed() == []


def test_tags_cling_to_the_words_they_clung_to():
    assert read(carrier(), "<b>Click</b> here")[0] == "6172 Click 8354"
    assert through("<b>Click</b> the <i>big button</i>, please.") == "<b>Click</b> the <i>big button</i>, please."
    assert through("<p><b>Hi</b></p>") == "<p><b>Hi</b></p>"
    assert through("I love dogs🐶!") == "I love dogs🐶!"


def test_white_space_in_a_tag_divides_nothing():
    words = read(carrier(), 'See <a href="x">here</a> and {{ user.name }}!')
    assert words == ["See", "", "6172 here 8354", "and", "", "", "7413!", ""]
    for line in ('See <a href="x">here</a> and {{ user.name }}!', "if a <b then c", "a <b " + "the cat " * 9, "<b"):
        assert through(line) == line.strip()


def test_what_opens_a_tag_that_nothing_closes_is_carried():
    for line, given_words in (
        ("See https://x.org <b", "See 6172 8354"),
        ('He wrote <div class="a" and left.', 'He wrote 6172 8354" and left.'),
        ("Hello {{ name", "Hello 6172 name"),
        ("It is a<b", "It is a 6172"),
    ):
        assert " ".join(" ".join(read(carrier(), line)).split()) == given_words
        assert through(line) == line


def test_a_dollar_that_the_model_adds_is_left_out():
    assert (
        through("It costs 3 € now", lambda words: [re.sub(r"^3$", "US$3", word) for word in words])
        == "It costs 3 € now"
    )
    assert through("See £4 now", lambda words: [re.sub(r"(?=\d{4})", "R$", word) for word in words]) == "See £4 now"
    assert through("$3 or £4", lambda words: ["$3", "ou", *words[2:]]) == "$3 ou £4"


def test_names_are_read_in_letters_that_the_model_knows():
    assert read(carrier(), "Minister Yeşilgöz’s Wałęsa, naïve H₂O")[:5] == [
        "Minister",
        "Yesilgoz's",
        "Walesa,",
        "naive",
        "H2O",
    ]
    translated = through("Mr Yeşilgöz met Wałęsa.", lambda words: ["Yesilgoz", "viu", "Walesa."])
    assert translated == "Yeşilgöz viu Wałęsa."


def test_a_name_that_the_model_translates_is_not_said_again():
    assert through("In Zürich", lambda words: ["Em", "Zurique"]) == "Em Zurique"


@pytest.mark.parametrize("mark", ["\u00ad", "\u200b", "\u200e", "\ufeff", "\0", "\u2060", "\u200d"])
def test_marks_that_nobody_sees_are_not_read(mark):
    assert read(carrier(), f"com{mark}munity {mark}")[:2] == ["community", ""]


def test_no_broken_character_is_written():
    c = carrier()
    assert [c.write("o\ufffdl\ufffdá"), c.write("\ufffd")] == [["olá"], []]
    c.read("%s")
    assert [c.write("o\ufffdlá"), c.write("\ufffd")] == [["olá"], []]


def test_typographic_marks_are_read_as_straight_ones_and_written_as_the_target_has_them():
    assert read(carrier(), "“Where?” he said, ‘Come in,’ It’s")[:-1] == [
        '"Where?"',
        "he",
        "said,",
        "'Come",
        "in,'",
        "It's",
    ]
    assert through("“Where?”", lambda words: ['"Onde?"', "disse"]) == "“Onde?” disse"
    assert through("«Where?»", lambda words: ['"Wo?"'], target="de") == "„Wo?“"
    assert through("It's", lambda words: ['"É"', "d'água"]) == '"É" d\'água'
    assert through("It’s", lambda words: ['"É"', "d'água"]) == '"É" d’água'


@pytest.mark.parametrize(
    ("line", "given_words"),
    [
        ("DID YOU KNOW?", "Did you know?"),
        ("PHOTO OF THE WEEK", "Photo of the week"),
        ("A NEW DAY", "A new day"),
        ("I'M HERE AND I KNOW", "I'm here and I know"),
        ("BREAKING: 5 DEAD IN WAŁBRZYCH", "Breaking: 5 dead in walbrzych"),
        ("STOP!", "Stop!"),
        ("NASA launched it", "NASA launched it"),
        ("The USA AND NASA", "The USA AND NASA"),
        ("BBC", "BBC"),
        ("EXIT", "Exit"),
        ("WARNING: Do not", "WARNING: Do not"),
        ("SEE https://x.org/A NOW", "See 6172 now"),
        ("I know", "I know"),
        ("5 4 3", "5 4 3"),
    ],
)
def test_capitals(line, given_words):
    assert " ".join(" ".join(read(carrier(), line)).split()) == given_words


def test_lines_in_capitals_are_written_in_capitals():
    assert (
        through("SEE https://x.org/a, WAŁĘSA!", lambda words: ["Veja", *words[1:]]) == "VEJA https://x.org/a, WAŁĘSA!"
    )
    assert through("JOHN SMITH said it.", lambda words: ["John", "smith", "disse."]) == "JOHN SMITH disse."


def test_words_of_another_script_are_one_number():
    c = carrier()
    assert read(c, "he said Доброе утро, друг. and left π") == [
        "he",
        "said",
        "",
        "",
        "",
        "6172 and",
        "left",
        "8354",
        "",
    ]
    assert c.foreign == 3
    assert c.write("6172") == ["Доброе", "утро,", "друг."]
    assert read(carrier(), "おはよう") == ["", "6172"]
    assert read(carrier("ru"), "Доброе утро, John") == ["Доброе", "утро,", "John", ""] or not known("Д")


def test_a_language_that_is_not_told_has_no_foreign_script():
    c = Carrier(lambda text: True)
    assert read(c, "Доброе утро")[:2] == ["Доброе", "утро"]


def test_where_words_are_characters_a_number_comes_in_parts():
    c = carrier(target="zh")
    number = c.read("@maria")
    shown = [c.write(character) for character in f"看{number}7。"]
    assert shown == [["看"], [], [], [], list("@maria"), ["7"], ["。"]]
    c.read("%s")
    assert [c.write("8"), c.write("人")] == [[], ["8", "人"]]


def test_a_stand_in_may_come_back_in_other_digits():
    c = carrier(target="ar")
    number = c.read("@maria")
    assert c.write("".join(chr(0x660 + int(digit)) for digit in number) + "،") == ["@maria،"]
    c.read("%s")
    assert c.write("۸٬۳۵۴") == ["%s"]
    assert c.owed() == []


def test_an_entry_of_a_list_is_not_said_twice():
    said = ["quatro,", "cinco,", "cinco,", "6."]
    assert through("1, 2, four, five, 6.", lambda words: said) == "quatro, cinco, 6."
    assert through("five, five, 6.", lambda words: said) == "quatro, cinco, cinco, 6."
    c = carrier()
    read(c, "four, five, 6.")
    assert c.shown(said, finished=True) == c.shown(said, finished=True) == ["quatro,", "cinco,", "6."]


def in_characters(line, known="今天我们用吧看，。 "):
    c = Carrier(lambda text: set(text) <= set(known) or (text.isascii() and text.isprintable()), "zh", "en")
    return c, [*map(c.read, source_words(line, "zh")), c.finish()]


@pytest.mark.parametrize(
    ("line", "given_words"),
    [
        ("看https://x.org/a?b=1吧。", "看6172吧。"),
        ("我们用 Machine Learning 吧", "我们用 Machine Learning 吧"),
        ("看₹500吧", "看6172吧"),
        ("看3👍🏽吧", "看6172吧"),
        ("看👨\u200d👩\u200d👧", "看6172"),
        ("看 Привет мир 吧", "看 6172 吧"),
        ("今\u200b天 bob@example.com", "今天 6172"),
        ("2024今天，5", "2024今天，5"),
        ("我们用 NASA 吧", "我们用 NASA 吧"),
        ("NASA BBC 今天", "NASA BBC 今天"),
    ],
)
def test_where_source_words_are_characters_others_in_a_row_are_one_word(line, given_words):
    c, words = in_characters(line)
    assert "".join(words) == given_words
    for number in re.findall("6172", given_words):
        assert c.write(number)
    assert c.owed() == []


def test_an_emoji_in_characters_comes_out_whole():
    c, _ = in_characters("看👨\u200d👩\u200d👧。3👍🏽")
    assert c.write("See") + c.write("6172.") + c.write("8354") == ["See", "👨\u200d👩\u200d👧.", "3👍🏽"]


def test_where_target_words_are_characters_names_are_restored():
    c = carrier(target="zh")
    c.read("Yeşilgöz")
    shown = [shown for character in "部长Yesilgoz。Yes" for shown in c.write(character)] + c.owed()
    assert "".join(shown) == "部长Yeşilgöz。Yes"


def test_where_target_words_are_characters_spaces_stay():
    c = carrier(target="th")
    c.read("@maria")
    assert [word for text in ("ก", " ข", " 6", "1", "7", "2", "ค") for word in c.write(text)] == [
        "ก", " ข", " @", *"maria", "ค"
    ]  # fmt: skip


def test_where_source_words_are_characters_the_parts_of_an_emoji_stay_together():
    c = Carrier(lambda text: text in "你好,", "zh", "en")
    assert [c.read(character) for character in "你👍🏽好"] == ["你", "", "", "6172好"]
    assert c.write("6172") == ["👍🏽"]


def test_slips_of_the_tongue_are_not_read():
    words = read(carrier(), "um so uh i i um i think we we should should start uh, that that is is had had a a")
    assert " ".join(filter(None, words)) == "so i think we should start that that is had had a a"
    assert read(carrier("de"), "um uns")[:2] == ["um", "uns"]


def test_a_target_that_is_written_anew_is_restored_anew():
    c = carrier()
    number = read(c, "see <b>%s</b>")[1].split()
    assert c.shown(["veja"], finished=False) == []
    assert c.shown(["veja", *number[:2]], finished=False) == ["veja"]
    assert c.shown(["veja", *number], finished=True) == ["veja", "<b>%s</b>"]
    assert c.shown(["veja", number[1]], finished=True) == ["veja", "%s", "<b>", "</b>"]


def test_a_huge_word_is_left_to_the_model():
    assert carrier().read("https://" + "x" * 5000) == "https://" + "x" * 5000


def test_what_has_left_sight_is_forgotten():
    c = carrier()
    first, second = (read(c, word)[0] for word in ("{name}", "@maria"))
    c.read("Yeşilgöz")
    assert c.leave(f"{first} {second} Yesilgoz") == []
    assert c.write(first) == ["{name}"]
    assert c.leave(second) == []  # the first one is shown, the second one in sight
    assert c.leave("") == ["@maria"]  # it never came back
    assert c.write("Yesilgoz") == ["Yesilgoz"]
    assert c.write(first) == [first]
    assert c.owed() == []


def test_capitals_without_end_leave_nothing_behind():
    c = carrier()
    assert read(c, "THE BOOK OF NOVA")[1] == "The book"
    c.read("is")
    assert c.write("NOVA") == c.write("nova") == ["NOVA"]
    c.leave("is here")
    assert c.write("nova") == ["nova"]
