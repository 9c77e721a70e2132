"""Input without end: no word is lost or read twice, windows stay within what was trained, sentences end at times."""

from dataclasses import replace

import pytest
from firefox_models import real_models, vocabulary, write_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamtrans.engine.chain import Chain
from streamtrans.engine.passes import Prediction
from streamtrans.engine.segment import HARD_LIMIT, PATIENCE, TOKENS_PER_WORD
from streamtrans.engine.session import Session
from streamtrans.engine.stream import LONGEST_SENTENCE, MAX_SOURCE_WORD_TOKENS, Stream
from streamtrans.engine.translator import load
from streamtrans.policies import Agree, Confident, Learned, Retranslate, WaitK

SPEECH = (
    "we went home because it had begun to rain heavily in the afternoon my brother lives in a small house near the "
    "river the government said on monday that it would not change its policy before the elections next year he was "
    "born in a small town near the border and moved to the capital when he was twelve years old the train to lisbon "
    "leaves in ten minutes from the last platform please have your tickets ready she told the police that she had "
    "seen nothing because she was asleep at that time many people were waiting in front of the hospital"
).split()
NAMES = "chov irmão rio governo segunda eleições fronteira capital lisboa plataforma polícia hospital".split()
POLICIES = [WaitK(1), WaitK(3), WaitK(float("inf")), Learned(0.05), Confident(0.6), Agree(2), Retranslate(1)]
word = st.text("abcdé.,", min_size=1, max_size=5)


class Watched:
    """A runner that keeps the most source and target tokens that its cache ever held, and counts passes."""

    def __init__(self, runner):
        self.runner, self.source, self.target = runner, 0, 0
        self.most_source = self.most_target = self.passes = 0

    def answer(self, requests):
        (request,) = requests
        if request.fresh:
            self.source = self.target = 0
        self.source += len(request.source)
        self.target += len(request.target) - request.take_back
        self.most_source, self.most_target = max(self.most_source, self.source), max(self.most_target, self.target)
        self.passes += 1
        return self.runner.answer(requests)


def seen(events):
    return [(e.type, e.sentence, e.index, e.text, e.delay) for e in events]


def sentences_of(events):
    """(source words, translation) of each sentence: those read beyond the end of one belong to the next."""
    found, read = [], []
    for event in events:
        if event.type == "read":
            read.append(event.text)
        elif event.type == "end":
            found.append((read[: event.delay], event.text))
            read = read[event.delay :]
    assert not read
    return found


@pytest.fixture(scope="module")
def speech(en_pt):
    session = en_pt.session()
    return session.feed(" ".join(SPEECH) + "\n"), session.cuts


def test_sentences_end_where_the_model_ends_them(speech):
    events, cuts = speech
    found = sentences_of(events)
    assert cuts == 0
    assert len(found) >= 3
    assert [word for source, _ in found for word in source] == SPEECH
    assert " ".join(text for _, text in found).split() == [e.text for e in events if e.type == "write"]


def text_of(events):
    return " ".join(e.text for e in events if e.type == "write").lower()


def longest_silence(events):
    """Source words read in a row without a target word."""
    silence = longest = 0
    for event in events:
        silence = 0 if event.type == "write" else silence + (event.type == "read")
        longest = max(longest, silence)
    return longest


def test_what_is_said_is_translated_from_the_first_to_the_last(speech):
    events, _ = speech
    assert sum(name in text_of(events) for name in NAMES) >= len(NAMES) - 1


def test_the_last_word_is_never_far(speech):
    events, _ = speech
    assert longest_silence(events) <= 10


def test_a_real_firefox_model_translates_from_the_first_to_the_last():
    """It writes no full stops where it reads none: its window moves on, and it is not cut."""
    session = load(real_models()["en-pt"]).session()
    events = session.feed(" ".join(SPEECH) + "\n")
    assert session.cuts == 0
    assert [word for source, _ in sentences_of(events) for word in source] == SPEECH
    assert sum(name in text_of(events) for name in NAMES) >= len(NAMES) - 1
    assert longest_silence(events) <= 12


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(word, min_size=20, max_size=120), policy=st.sampled_from(POLICIES))
def test_every_word_is_read_once_by_any_model(random_translator, words, policy):
    runner = Watched(random_translator.executor.runner(policy))
    stream = Stream(random_translator.tokenizer, random_translator.settings, policy)
    session = Session(stream, [runner])
    events = session.feed(" ".join(words) + "\n") + session.finish()
    assert [e.text for e in events if e.type == "read"] == words
    assert [word for source, _ in sentences_of(events) for word in source] == words
    for event in events:
        assert event.type not in ("read", "write") or event.delay > 0
    ends = [e.sentence for e in events if e.type == "end"]
    assert ends == list(range(len(ends)))
    limit = random_translator.settings.max_source_words
    assert runner.most_source <= (TOKENS_PER_WORD * limit + MAX_SOURCE_WORD_TOKENS) + 2
    assert runner.most_target <= 48 * (2 * HARD_LIMIT * limit + 8)


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(word, min_size=20, max_size=80), policy=st.sampled_from(POLICIES), data=st.data())
def test_any_cut_of_the_text_gives_the_same(random_translator, words, policy, data):
    text = " ".join(words) + "\n"
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=9)))
    whole, pieces = random_translator.session(policy), random_translator.session(policy)
    events = [
        e for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True) for e in pieces.feed(text[start:end])
    ]
    assert seen(whole.feed(text) + whole.finish()) == seen(events + pieces.finish())


@pytest.mark.parametrize("policy", [WaitK(2), WaitK(float("inf")), Retranslate(1)], ids=str)
def test_no_sentence_is_longer_than_a_bound(random_translator, policy):
    session = random_translator.session(policy)
    events = session.feed("word " * 400) + session.finish()
    limit = random_translator.settings.max_source_words
    assert max(len(source) for source, _ in sentences_of(events)) <= (LONGEST_SENTENCE + HARD_LIMIT) * limit + 1


def test_a_line_given_as_a_whole_is_never_divided(en_pt):
    session = en_pt.session()
    events = session.feed_line(" ".join(SPEECH))
    assert [e.type for e in events].count("end") == 1
    assert events[-1].delay == len(SPEECH)
    words = en_pt.session()
    assert seen(events) == seen([e for n, w in enumerate(SPEECH, 1) for e in words.feed_word(w, last=n == len(SPEECH))])


class Ending:
    """A model that copies, and holds five words for a sentence until it is told that there were more."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def answer(self, requests):
        (request,) = requests
        if request.fresh:
            self.source, self.target = [], []
        if request.take_back:
            del self.target[-request.take_back :]
        self.source += request.source
        self.target += request.target
        end = self.tokenizer.end_id
        words = [token for token in self.source if token != end]
        done = len(self.target) - 1
        best = words[done] if done < min(len(words) if end in self.source else 5, len(words)) else end
        return [Prediction([best] * request.rows)]


def test_what_follows_a_sentence_that_the_model_holds_for_complete_is_translated(en_pt):
    """An end mark before the source has ended must not end the translation of what is still being said."""
    tokenizer = en_pt.tokenizer
    words = [word for word in dict.fromkeys(SPEECH) if len(tokenizer.encode_word(word, first=False)) == 1][:18]
    stream = Stream(en_pt.tokenizer, replace(en_pt.settings, max_source_words=60), WaitK(1))
    session = Session(stream, [Ending(en_pt.tokenizer)])
    events = session.feed(" ".join(words) + "\n")
    found = sentences_of(events)
    assert [len(source) for source, _ in found] == [5, 13]
    assert [text.split() for _, text in found] == [source for source, _ in found]
    before = events[: [e.type for e in events].index("end")]
    assert sum(e.type == "read" for e in before) == 6 + PATIENCE


def test_words_with_punctuation_are_translated_as_ever(en_pt):
    """Nothing is divided, moved or ended before the limits: the events are those of whole lines."""
    line = "The government said on Monday that it would not change its policy before the elections, and left."
    live, whole = en_pt.session(), en_pt.session()
    assert seen(live.feed(line + "\n")) == seen(whole.feed_line(line))


def test_what_goes_around_the_model_survives_windows(en_pt):
    words = [*SPEECH[:40], "https://example.com/a?b=1", *SPEECH[40:70], "{name}", *SPEECH[70:]]
    session = en_pt.session()
    said = [e.text for e in session.feed(" ".join(words) + "\n") if e.type == "write"]
    assert sum("https://example.com/a?b=1" in text for text in said) == 1
    assert sum("{name}" in text for text in said) == 1


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    """Two small random models in a row, with a limit of 24 words."""
    vocabularies = [vocabulary([" ".join(SPEECH[start::3])] * 20) for start in range(3)]
    found = []
    for number in range(2):
        directory = tmp_path_factory.mktemp("firefox")
        write_model(directory, "tiny", vocabularies[number : number + 2], seed=number)
        model = load(directory, languages=("en", "pt"))
        found.append(replace(model, settings=replace(model.settings, max_source_words=24)))
    return found


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.sampled_from(SPEECH), min_size=15, max_size=60), policy=st.sampled_from(POLICIES))
def test_firefox_models_have_windows_too(firefox, words, policy):
    if isinstance(policy, Learned):
        return
    model = firefox[0]
    runner = Watched(model.executor.runner(policy))
    session = Session(model.stream(policy, model.executor.drafts), [runner])
    found = sentences_of(session.feed(" ".join(words) + "\n"))
    assert [word for source, _ in found for word in source] == words
    assert max(len(source) for source, _ in found) <= (LONGEST_SENTENCE + HARD_LIMIT) * 24 + 1
    assert runner.most_source <= TOKENS_PER_WORD * 24 + MAX_SOURCE_WORD_TOKENS + 2


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.sampled_from([*SPEECH, "um"]), min_size=1, max_size=60), data=st.data())
def test_a_chain_ends_the_sentences_of_its_first_model(firefox, words, data):
    policy = data.draw(st.sampled_from(POLICIES[:3]))
    alone, chained = firefox[0].session(policy), Chain(*firefox).session(policy)
    text = " ".join(words) + "\n"
    first, both = alone.feed(text), chained.feed(text)
    ends = [[(e.sentence, e.delay) for e in events if e.type == "end"] for events in (first, both)]
    assert ends[0] == ends[1]
    assert [word for source, _ in sentences_of(both) for word in source] == words
    assert " ".join(e.text for e in both if e.type == "write") == " ".join(t for _, t in sentences_of(both) if t)


def test_a_word_that_is_a_syllable_over_and_over_takes_few_passes(en_pt):
    policy = en_pt.default_policy
    runner = Watched(en_pt.executor.runner(policy))
    session = Session(en_pt.stream(policy, en_pt.executor.drafts), [runner])
    session.feed("getting" * 60 + "\n")
    assert runner.passes <= 2 * MAX_SOURCE_WORD_TOKENS
    assert runner.most_source <= MAX_SOURCE_WORD_TOKENS + 1
