"""Streams that share passes say what each would say alone, whenever they come and go."""

from collections import deque

import pytest
from firefox_models import real_models
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamtrans.engine.session import Session
from streamtrans.policies import Agree, AlignAtt, Confident, Learned, WaitK

POLICIES = [WaitK(1), WaitK(3), Confident(0.3), Learned(), AlignAtt(2), Agree(2)]
TEXT = st.text("ab c.", min_size=1, max_size=24)
quick = settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
SENTENCES = [
    "The committee will meet again on Thursday to discuss the budget.",
    "She said that the train had left before they arrived at the station.",
    "Rain.",
    "How are you today my friend?",
]


def untimed(events):
    return [(e.type, e.sentence, e.index, e.text, e.delay) for e in events]


class Rows:
    """Steps streams together by hand: a row per stream, each at its own unit."""

    def __init__(self, translator, policy):
        self.translator, self.policy = translator, policy
        self.pool = translator.executor.pool(policy)
        self.rows = []

    def open(self, units):
        stream = self.translator.stream(self.policy)
        stream.endless = True
        self.rows.append([stream, self.pool.memory(), deque(units), None])

    def step(self, chosen):
        """One pass for those of the chosen rows that have something to ask; whether there was one."""
        asking = []
        for row in (self.rows[n] for n in chosen):
            while row[3] is None and row[2]:
                row[3] = row[0].read(row[2].popleft())
            if row[3] is not None:
                asking.append(row)
        if asking:
            found = self.pool.answer([row[1] for row in asking], [row[3] for row in asking])
            for row, prediction in zip(asking, found, strict=True):
                row[3] = row[0].answer(prediction)
        return bool(asking)


def units_of(translator, text):
    from streamtrans.text.words import LineEnd, WordReader

    reader = WordReader(translator.settings.source_language)
    return [*reader.feed(text), *reader.flush(), LineEnd()]


def alone(translator, policy, text):
    stream = translator.stream(policy)
    session = Session(stream, [translator.executor.runner(policy)])
    return untimed(session.feed(text) + session.end_sentence())


def together(translator, policy, texts, draw):
    rows = Rows(translator, policy)
    for text in texts:
        rows.open(units_of(translator, text))
    everyone = list(range(len(texts)))
    while rows.step(draw(everyone)) or rows.step(everyone):
        pass
    return [untimed(row[0].events) for row in rows.rows]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_the_model_in_the_box_says_the_same_in_company(en_pt, policy):
    found = together(en_pt, policy, SENTENCES, lambda everyone: everyone)
    assert found == [alone(en_pt, policy, sentence) for sentence in SENTENCES]


@quick
@given(
    st.data(), st.lists(st.text("ab c.", min_size=1, max_size=24), min_size=1, max_size=4), st.sampled_from(POLICIES)
)
def test_whoever_waits_at_a_pass(random_translator, data, texts, policy):
    def draw(everyone):
        return data.draw(st.lists(st.sampled_from(everyone), unique=True, min_size=1))

    found = together(random_translator, policy, texts, draw)
    assert found == [alone(random_translator, policy, text) for text in texts]


@pytest.mark.parametrize("policy", [WaitK(3), Agree(2), AlignAtt(2)], ids=lambda policy: policy.name)
def test_firefox_says_the_same_in_company(policy):
    from streamtrans.engine.translator import load

    translator = load(real_models()["en-pt"], languages=("en", "pt"))
    found = together(translator, policy, SENTENCES, lambda everyone: everyone)
    assert found == [alone(translator, policy, sentence) for sentence in SENTENCES]
