"""What is no language goes around the model, in a stream and in a batch alike."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamtrans.engine.batch import BatchEngine
from streamtrans.policies import Agree, Retranslate, WaitK
from streamtrans.text.words import join, source_words, stream_units

WORDS = st.lists(
    st.sampled_from(
        [*"hello the %s 👍🏽 Yeşilgöz, <b>x</b> £4 “So” DO NOT Привет мир. 6172 um i i".split(), "\u00ad", "\x1b[1mred"]
    ),
    max_size=12,
)
POLICY = st.sampled_from([WaitK(1), WaitK(3), WaitK(float("inf")), Agree(), Retranslate()])
quick = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def told(events):
    return [(event.type, event.sentence, event.index, event.text, event.delay) for event in events]


@quick
@given(words=WORDS, policy=POLICY, cuts=st.lists(st.integers(0, 120), max_size=8))
def test_any_cut_gives_the_same_events(random_translator, words, policy, cuts):
    data = " ".join(words).encode()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    whole, parts = random_translator.session(policy), random_translator.session(policy)
    in_parts = [event for a, b in pairwise(edges) for event in parts.feed(data[a:b])]
    assert told(in_parts + parts.finish()) == told(whole.feed(data) + whole.finish())


@quick
@given(lines=st.lists(WORDS.map(" ".join), min_size=1, max_size=4), policy=POLICY)
def test_a_batch_carries_as_a_session_does(random_translator, lines, policy):
    batch = BatchEngine(random_translator, policy, batch_size=2)
    assert [told(events) for _, events in batch.translate(lines)] == [
        told(random_translator.session(policy).feed_line(line)) for line in lines
    ]


@quick
@given(words=WORDS, policy=POLICY)
def test_whatever_the_model_does_originals_are_there_once_and_nothing_broken(random_translator, words, policy):
    line = " ".join(words)
    events = random_translator.session(policy).feed_line(line)
    end = events[-1].text if events else ""
    for original in ("%s", "👍🏽", "£4", "Привет", "<b>", "</b>"):
        assert end.count(original) == line.count(original)
    assert "\ufffd" not in end


TEXTS = {
    "ar": "صباح الخير. كيف حالك؟ انظر https://x.org، شكرا",
    "fa": "حال شما چطور است؟ می\u200cخواهم بروم 👍🏽",
    "hi": "डॉ. शर्मा आए। वे %s गए।",
    "ja": "「はい。」東京へ Wi-Fi で行きます！ 3👍🏽",
    "th": "สวัสดี ราคา 3.5 บาท https://x.org ครับ",
    "zh": "他说：“好。”我用 Yeşilgöz 吧",
    "el": "Τι κάνεις; ΚΑΛΑ ΕΙΜΑΙ.",
    "tr": "İYİ GÜNLER. Işık £4 vb. şeyler.",
    "ko": "안녕하세요. 잘 지내세요? <b>네</b>!",
    "fr": "« Bonjour ! » dit-il. Привет мир.",
}
LANGUAGE = st.sampled_from(sorted(TEXTS))


@quick
@given(source=LANGUAGE, target=LANGUAGE, policy=POLICY, cuts=st.lists(st.integers(0, 120), max_size=8))
def test_any_cut_gives_the_same_events_in_all_scripts(random_translator, source, target, policy, cuts):
    languages = replace(random_translator.settings, source_language=source, target_language=target)
    translator, text = replace(random_translator, settings=languages), TEXTS[source]
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    whole, parts = translator.session(policy), translator.session(policy)
    events = whole.feed(text) + whole.finish()
    in_parts = [event for a, b in pairwise(edges) for event in parts.feed(text[a:b])]
    assert told(in_parts + parts.finish()) == told(events)
    assert [event.text for event in events if event.type == "read"] == source_words(text, source)
    shown: list[str] = []
    for event in events:
        if event.type in ("write", "revise"):
            shown[event.index :] = [event.text] if event.type == "write" else stream_units(event.text, target)
        elif event.type == "end":
            assert event.text == join(shown, target)
            assert stream_units(event.text, target) == shown
            shown = []


def test_events_hold_the_original_words(en_pt):
    events = en_pt.session(WaitK(3)).feed("Mr Yeşilgöz loves 👍🏽 and <b>dogs</b>.\n")
    assert [e.text for e in events if e.type == "read"] == ["Mr", "Yeşilgöz", "loves", "👍🏽", "and", "<b>dogs</b>."]
    written = [e.text for e in events if e.type == "write"]
    assert [e.index for e in events if e.type == "write"] == list(range(len(written)))
    assert events[-1].text == " ".join(written)


FAULTS = [
    ("Minister Yeşilgöz met Mr Wałęsa.", ["Yeşilgöz", "Wałęsa."]),
    ("Antonín Dvořák was born near Prague.", ["Antonín Dvořák nasceu"]),
    ("The inter\u00adnational com\u00admu\u00adnity met.", ["comunidade internacional"]),
    ("The bus\0 is late.", ["ônibus", "atrasado"]),
    ("Thanks 👍🏽!", ["👍🏽!"]),
    ("I love dogs 🐶", ["cães 🐶"]),
    ("The 🇧🇷 flag and the 👨\u200d👩\u200d👧 family.", ["🇧🇷", "👨\u200d👩\u200d👧"]),
    ("The price is 5 € or £4.", ["5 €", "£4."]),
    ("It costs ₹500 or ¥90.", ["₹500 ou ¥90."]),
    ("It was 20 °C ± 2 yesterday.", ["20 °C ± 2"]),
    ("“Where are you?” he asked.", ["“", "?”", "ele perguntou"]),
    ("‘Come in,’ she said.", ["“", "ela disse"]),
    ("It’s John’s book.", ["É o livro de John."]),
    ("\x1b[2K\r Good morning, my friend.", ["Bom dia, meu amigo."]),
    ("DID YOU KNOW?", ["VOCÊ SABIA"]),
    ("PHOTO OF THE WEEK", ["FOTO DA SEMANA"]),
    ("<p>hello</p>", ["<p>", "</p>"]),
    ("Copied %d of %s files to {folder}.", ["%d de %s", "{folder}."]),
    ("<b>Click</b> the button to continue.", ["<b>Clique</b>", "continuar."]),
    ("um so uh i i think we we should should start", ["eu acho que devemos"]),
    ("Доброе утро, мой друг.", ["Доброе утро, мой друг."]),
    ("おはようございます", ["おはようございます"]),
    ("Open No. 5 please.", ["5"]),
]


@pytest.mark.parametrize(("source", "holds"), FAULTS)
def test_faults_of_the_past(en_pt, source, holds):
    session = en_pt.session()
    live = [e.text for e in session.feed(source) + session.finish() if e.type == "end"]
    assert len(live) == 1
    for translation in (*live, en_pt.translate(source)):
        assert all(part in translation for part in holds), translation
        assert not any(broken in translation for broken in ("\ufffd", "\x1b", "\0", "6172"))


def test_words_of_another_script_are_counted(en_pt):
    session = en_pt.session(WaitK(3))
    session.feed("He said Доброе утро to me. Good π.\n")
    assert session.foreign == 2


def test_it_can_be_turned_off(en_pt):
    plain = replace(en_pt, carry=False)
    assert plain.translate("DID YOU KNOW?", WaitK(3)) == "DID YOU KNOW?"
    assert [events[-1].text for _, events in BatchEngine(plain, WaitK(3)).translate(["DID YOU KNOW?"])] == [
        "DID YOU KNOW?"
    ]
    assert en_pt.translate("DID YOU KNOW?", WaitK(3)).startswith("VOCÊ SABIA")


@pytest.mark.parametrize("take", ["feed", "feed_line", "feed_word"])
def test_a_lone_surrogate_is_an_unknown_character(en_pt, take):
    found = getattr(en_pt.session(WaitK(1)), take)("hi\ud800 ")
    assert [e.text.strip() for e in found if e.type == "read"] == ["hi\ufffd"]
