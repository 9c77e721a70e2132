"""Everyday sentences through the embedded model, as lines and as a stream; the model card lists those that go wrong."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

WRONG = {
    "Turn left at the traffic lights and go straight ahead.",  # Turn saiu no trânsito …
    "The engineer said she would be late.",  # … que seria tarde: it would be late
    "Follow @streamtrans and use #opensource.",  # Siga-nos … e uso …: follow us … and I use
    "Excuse me, is this seat free?",  # gratuito: free of charge
}
CLUMSY = {
    "What time is it?",  # A que horas são?
    "It is 25 °C today, but tomorrow it will be cold.",  # É 25 °C
    "Call me at 555-0123 after 6 p.m.",  # Chame-me em … após as 18h p.m.
    "He bought 1,250 shares at $12.40.",  # em $12.40
    "<b>Click</b> the button to continue.",  # Clique</b> O botão
    "How old are you?",  # Quantos anos você está?
    "Please call the police!",  # ligue a polícia
    "Let's meet in front of the cinema at eight.",  # aos oito
    "Good night, sleep well.",  # dormir bem
}


class Case(NamedTuple):
    source: str
    needs: list[list[str]]  # one of each
    wrong: list[str]
    clumsy: list[str]

    def is_right(self, translation):
        has_all = all(any(one.lower() in translation.lower() for one in group) for group in self.needs)
        return has_all and not any(text in translation for text in self.wrong)

    def is_clumsy(self, translation):
        return any(text in translation for text in self.clumsy)


def read_cases():
    for line in (Path(__file__).parent / "everyday.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        source, needs, wrong, clumsy = line.split("\t")
        yield Case(
            source,
            [group.split("|") for group in needs.split(";")],
            *(s.split("|") if s else [] for s in (wrong, clumsy)),
        )


CASES = list(read_cases())


def stream(translator, text):
    """Typed letter by letter; sentences in a row are one text again."""
    session = translator.session()
    events = [event for letter in text for event in session.feed(letter)] + session.finish()
    return " ".join(event.text for event in events if event.type == "end")


@pytest.fixture(scope="module")
def translations(en_pt):
    return {case.source: (en_pt.translate(case.source), stream(en_pt, case.source)) for case in CASES}


def test_nine_of_ten_are_right(translations):
    right = [case for case in CASES if all(map(case.is_right, translations[case.source]))]
    assert len(CASES) >= 40
    assert len(right) >= 36 / 40 * len(CASES)


def test_what_was_right_stays_right(translations):
    wrong = {case.source: found for case in CASES if not all(map(case.is_right, found := translations[case.source]))}
    assert not {source: found for source, found in wrong.items() if source not in WRONG}


def test_what_was_good_portuguese_stays_so(translations):
    clumsy = {case.source: found for case in CASES if any(map(case.is_clumsy, found := translations[case.source]))}
    assert not {source: found for source, found in clumsy.items() if source not in CLUMSY}


def numbers(text):
    """Digits of the numbers in it: 1,250 and 1.250 are the same."""
    return {re.sub(r"\D", "", number) for number in re.findall(r"\d+(?:[.,:]\d+)*", text)}


def in_24_hours(text):
    return re.sub(r"(\d+)((?::\d\d)?) p\.m\.", lambda match: f"{int(match[1]) + 12}{match[2]}", text)


def test_no_number_is_lost(translations):
    for case in CASES:
        for translation in translations[case.source]:
            lost = numbers(case.source) - numbers(translation)
            assert not lost or not numbers(in_24_hours(case.source)) - numbers(translation), (case.source, translation)


def test_the_lists_name_sentences_of_the_set():
    assert {case.source for case in CASES} >= WRONG | CLUMSY
