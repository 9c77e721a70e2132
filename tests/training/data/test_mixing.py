"""Rows made of pairs: what is copied stays letter for letter, what is joined are neighbours, and shares are shares."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrans.text.words import units
from streamtrans.training.data.mixing import Mixture, as_recognised, word_to_copy

PAIRS = [(f"Source {i}, said: {'word ' * (i % 7)}end.", f"Ziel {i} {'Wort ' * (i % 5)}Ende!") for i in range(60)]

seeds = st.integers(0, 2**32)
places = st.lists(st.integers(0, len(PAIRS) - 1), min_size=1, max_size=30)


def rows(which, seed, **settings):
    return Mixture("en", "de", **settings).rows(PAIRS, which, random.Random(seed))


def test_as_recognised():
    assert as_recognised("Well, it's 3.5 km (or so) — U.S.-made!") == "well it's 3.5 km or so u.s made"
    assert as_recognised("?!") == ""


@given(places, seeds)
def test_without_shares_rows_are_the_pairs(which, seed):
    assert rows(which, seed) == [PAIRS[i] for i in which]


@given(places, seeds)
def test_a_recogniser_changes_the_source_alone(which, seed):
    for i, row in zip(which, rows(which, seed, recogniser_share=1.0), strict=True):
        assert row == (as_recognised(PAIRS[i][0]), PAIRS[i][1])


@given(places, seeds, st.booleans(), st.integers(4, 60))
def test_several_are_neighbours_in_order_and_fit(which, seed, recognised, most):
    share = {"concat_recogniser_share" if recognised else "concat_share": 1.0}
    for i, (source, target) in zip(which, rows(which, seed, max_words=most, **share), strict=True):
        counts = [n for n in range(1, 6) if target == " ".join(t for _, t in PAIRS[i : i + n])]
        assert counts
        whole = " ".join(s for s, _ in PAIRS[i : i + counts[0]])
        assert source == (as_recognised(whole) if recognised else whole)
        assert counts[0] == 1 or max(len(whole.split()), len(target.split())) <= most


@given(places, seeds, st.integers(4, 60))
def test_the_word_to_copy_is_letter_for_letter_on_both_sides(which, seed, most):
    for i, (source, target) in zip(which, rows(which, seed, max_words=most, copy_word_share=1.0), strict=True):
        if (source, target) == PAIRS[i]:
            assert max(len(side.split()) for side in PAIRS[i]) + 1 > most
            continue
        words = {source.removesuffix(PAIRS[i][0]).strip(), source.removeprefix(PAIRS[i][0]).strip()} - {source}
        (word,) = words
        front = source.startswith(word)
        assert target == (f"{word} {PAIRS[i][1]}" if front else f"{PAIRS[i][1]} {word}")
        assert len(units(word, "en")) == 1


@given(places, seeds)
def test_text_in_the_target_language_is_its_own_translation(which, seed):
    assert rows(which, seed, copy_target_share=1.0) == [(PAIRS[i][1],) * 2 for i in which]


@settings(derandomize=True)
@given(seeds)
def test_words_to_copy_are_one_word_and_survive_normalisation(seed):
    import unicodedata

    word = word_to_copy(random.Random(seed))
    assert word.split() == [word]
    assert unicodedata.normalize("NFKC", word) == word


def test_all_kinds_of_words_come_up():
    words = [word_to_copy(random.Random(i)) for i in range(300)]
    for kind in ("@", "://", ".pdf", "#", "-", "😀"):
        assert any(kind in word for word in words), kind
    assert len(set(words)) > 250


def test_shares_are_shares():
    shares = {"recogniser_share": 0.3, "concat_share": 0.2, "copy_word_share": 0.1, "copy_target_share": 0.1}
    which = [0] * 4000
    made = rows(which, 1, **shares)
    plain, target = sum(row == PAIRS[0] for row in made), sum(row[0] == row[1] for row in made)
    recognised = sum(row == (as_recognised(PAIRS[0][0]), PAIRS[0][1]) for row in made)
    joined = sum(PAIRS[1][1] in row[1] for row in made)
    found = [count / len(which) for count in (plain, target, recognised, joined)]
    assert found == pytest.approx([0.3, 0.1, 0.3, 0.2], abs=0.03)


def test_languages_without_spaces_are_joined_without_one():
    pairs = [("你好。", "Hello."), ("再见。", "Bye.")]
    (row,) = Mixture("zh", "en", concat_share=1.0).rows(pairs, [0], random.Random(0))
    assert row == ("你好。再见。", "Hello. Bye.")
