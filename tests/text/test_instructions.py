import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrans.errors import DataError, UsageError
from streamtrans.text.instructions import Instructions, parse_glossary


def test_languages_and_terms_stand_in_front_of_the_text():
    asked = Instructions("Say it in {target}, not {source}.", (("cat", "Katze"), ("dog", "Hund")))
    assert asked.before_text("en", "de") == (
        "Say it in German, not English.\nUse these terms:\ncat → Katze\ndog → Hund\n\n"
    )
    assert Instructions("Translate {this}.").before_text("en", "de") == "Translate {this}.\n\n"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"instruction": " \n"}, "the instruction is empty"),
        ({"instruction": "Traduz\udce7"}, "not UTF-8"),
        ({"context": -1}, "the context is -1 sentences"),
    ],
)
def test_instructions_that_cannot_be(wrong, said):
    with pytest.raises(UsageError, match=said):
        Instructions(**wrong)


def test_a_glossary_has_a_pair_per_line():
    lines = ["# terms of ours", "", "cat\tKatze", " \t ", " good morning \tGuten Morgen\r", " # sign\tNummer"]
    assert parse_glossary(lines, "g.tsv") == (("cat", "Katze"), ("good morning", "Guten Morgen"), ("# sign", "Nummer"))


@pytest.mark.parametrize("line", ["cat Katze", "cat\t", "\tKatze", "cat\t \t", "cat\tKatze\tf"])
def test_a_line_that_is_no_pair_is_named(line):
    with pytest.raises(DataError, match=r"^g\.tsv:2: .* is no pair; write a term, one tab, its translation$"):
        parse_glossary(["dog\tHund", line], "g.tsv")


halves = st.text(st.characters(exclude_characters="\t\n", exclude_categories=["Cs"])).map(str.strip).filter(bool)


@given(st.lists(st.tuples(halves.filter(lambda half: half[0] != "#"), halves)))
def test_pairs_that_are_written_are_read(pairs):
    assert parse_glossary([f"{term}\t{translation}" for term, translation in pairs], "g.tsv") == tuple(pairs)
