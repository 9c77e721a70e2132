import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrans.errors import UsageError
from streamtrans.text.languages import (
    NAMES,
    closest,
    code_of,
    described,
    english_name,
    nearest,
    pair_of,
    related,
    tags_of,
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("German", "de"),
        (" german ", "de"),
        ("de", "de"),
        ("DE", "de"),
        ("deu", "de"),
        ("pt-BR", "pt-BR"),
        ("pt_br", "pt-BR"),
        ("Brazilian Portuguese", "pt-BR"),
        ("zh-Hans", "zh-Hans"),
        ("zh-hant", "zh-Hant"),
        ("Traditional Chinese", "zh-Hant"),
        ("zh-TW", "zh-TW"),
        ("Norwegian", "no"),
        ("Bokmål", "nb"),
        ("Bengali", "bn"),
        ("Farsi", "fa"),
        ("iw", "he"),
        ("gsw", "gsw"),  # no model, but a language
    ],
)
def test_names_and_tags(text, code):
    assert code_of(text) == code


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Germn", r"'Germn' is no language; nearest: German \(de\)"),
        ("Portugese", r"nearest: Portuguese \(pt\)"),
        ("xx", "'xx' is no language; write its name or code"),
        ("", "'' is no language"),
        ("en_US.UTF-8", "is no language"),
        ("qqqqqqqqqqqqqqqq", "write its name or code"),
    ],
)
def test_what_is_no_language(text, said):
    with pytest.raises(UsageError, match=said):
        code_of(text)


@given(st.text(max_size=12))
def test_any_text_is_a_language_or_refused(text):
    try:
        code = code_of(text)
    except UsageError:
        return
    assert code_of(code) == code


@given(st.sampled_from(sorted(NAMES)))
def test_a_language_is_found_by_its_name_and_its_code(code):
    assert code_of(NAMES[code]) == code_of(code) == code
    assert closest(code, list(NAMES)) == code
    assert nearest(english_name(code), NAMES)[0] == code


@pytest.mark.parametrize(
    ("code", "available", "found"),
    [
        ("pt-BR", ["de", "pt"], "pt"),
        ("pt", ["pt-BR"], "pt-BR"),
        ("zh", ["zh-Hans", "zh-Hant"], "zh-Hans"),
        ("zh-TW", ["zh-Hans", "zh-Hant"], "zh-Hant"),
        ("zh-TW", ["zh-Hans"], None),  # other letters
        ("no", ["nb", "nn"], "nb"),
        ("nb", ["no"], "no"),
        ("en-GB", ["en"], "en"),
        ("lb", ["de"], None),  # understood by its speakers, but another language
        ("uk", ["ru"], None),
        ("de", [], None),
    ],
)
def test_the_closest_that_is_there(code, available, found):
    assert closest(code, available) == found


@pytest.mark.parametrize(
    ("code", "first"), [("lb", "de"), ("gl", "es"), ("zh-TW", "zh-Hans"), ("af", "nl"), ("no", "nn")]
)
def test_languages_that_are_of_use_instead(code, first):
    assert related(code, ["de", "es", "nl", "nn", "ru", "zh-Hans"])[0] == first


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("en-de", ("en", "de")),
        ("EN-DE", ("en", "de")),
        ("English-German", ("en", "de")),
        ("en-zh-Hans", ("en", "zh-Hans")),
        ("zh-Hans-en", ("zh-Hans", "en")),
        ("pt-br-en", ("pt-BR", "en")),
        ("en-pt-BR", ("en", "pt-BR")),
    ],
)
def test_pairs(text, pair):
    assert pair_of(text) == pair


@pytest.mark.parametrize("text", ["en", "", "-", "en-", "my-model-2", "xx-yy"])
def test_what_is_no_pair(text):
    with pytest.raises(UsageError, match="is no pair of languages; write it as en-de"):
        pair_of(text)


@given(st.sampled_from(sorted(NAMES)), st.sampled_from(sorted(NAMES)))
def test_a_directory_is_read_as_it_is_named(source, target):
    assert tags_of(f"{source}-{target}") == (source, target) == pair_of(f"{source}-{target}")


@pytest.mark.parametrize("name", ["my-model", "en", "en-de-3", ".en-de", "en_de", "old.en-de", "mine-de", "own-de"])
def test_other_directories_are_no_pairs(name):
    assert tags_of(name) is None


def test_messages_have_name_and_code():
    assert (described("de"), described("gsw")) == ("German (de)", "gsw")


def test_nothing_is_loaded_for_a_known_name():
    code = "import sys\nfrom streamtrans.text import languages\nlanguages.code_of('German')"
    code += "\nprint('langcodes' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
