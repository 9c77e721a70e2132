"""Policies that look at what the model would say: the law still holds, and what they promise."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamtrans.engine.batch import BatchEngine
from streamtrans.engine.executors.qwen2 import DRAFTS
from streamtrans.engine.session import Session
from streamtrans.engine.stream import Stream
from streamtrans.errors import ModelError
from streamtrans.models.loading import load_checkpoint
from streamtrans.models.qwen2_streaming.masks import SOURCE, TARGET, Entries, streaming_mask
from streamtrans.models.qwen2_streaming.regret_head import FILE, RegretHead, save_regret_head
from streamtrans.policies import Agree, AlignAtt, Confident, Learned, MaxLag, Retranslate, WaitK
from streamtrans.text.words import TargetWords

SENTENCES = [
    "The government said on Monday that it would not change its policy before the elections next year.",
    "We went home because it had begun to rain heavily in the afternoon.",
    "I would like to book a table for two people tomorrow evening.",
]
POLICIES = [
    Agree(2), Agree(3, horizon=3), Agree(2, hold=1, horizon=5), Confident(0.5), Confident(0.9, max_wait=4),
    Confident(0, max_entropy=1.0), Learned(0.05), Learned(0.3, min_wait=2, max_wait=4), MaxLag(Agree(3), 2),
    AlignAtt(1), MaxLag(AlignAtt(3), 4), WaitK(2), Agree(2, hold=2, horizon=4, certain=0.8),
]  # fmt: skip
quick = settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Watched:
    """A runner that notes what another one is asked, and what became the target in the end."""

    def __init__(self, runner):
        self._runner, self.source, self.passes = runner, [], 0
        self.target = []  # (token, source tokens fed by then)

    def answer(self, requests):
        (request,) = requests
        self.passes += 1
        self.source += request.source
        predictions = self._runner.answer(requests)
        del self.target[len(self.target) - request.take_back :]
        self.target += [(token, len(self.source)) for token in request.target]
        return predictions


def watched(translator, policy, sentence):
    """A runner that has made the passes of a sentence, and the events."""
    runner = Watched(translator.executor.runner(policy))
    session = Session(Stream(translator.tokenizer, translator.settings, policy, drafts=DRAFTS), [runner])
    return runner, session.feed_line(sentence)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_written_token_is_the_best_one_with_what_had_been_read(en_pt, policy, sentence):
    """A token in the cache saw the source read by then, and that is what its successor was chosen with."""
    runner, events = watched(en_pt, policy, sentence)
    written = [token for token, _ in runner.target]
    words = TargetWords("pt")
    text = "".join(map(en_pt.tokenizer.detokenizer().push, written))
    assert (words.feed(text) + words.flush())[: len(events)] == [e.text for e in events if e.type == "write"]
    ids, seen = [*runner.source, *written], [count for _, count in runner.target]
    kind = np.array([SOURCE] * len(runner.source) + [TARGET] * len(written))
    order = np.concatenate([np.arange(len(runner.source)), np.arange(len(written))])
    read = np.concatenate([np.arange(1, len(runner.source) + 1), seen])
    mask = streaming_mask(Entries(kind, order, read), Entries(kind, order, read))
    logits = np.array(en_pt.executor.model.forward([ids], positions=order, mask=mask))[0, len(runner.source) :]
    chosen = [*written[1:], en_pt.tokenizer.end_id]
    margins = logits.max(-1) - logits[np.arange(len(chosen)), chosen]
    assert margins.max() < 1e-3


@quick
@given(
    text=st.text("abc .,\nÉ€", max_size=30), policy=st.sampled_from([*POLICIES, Retranslate(1)]), cut=st.integers(0, 30)
)
def test_any_cut_gives_the_same_events(random_translator, text, policy, cut):
    def events(pieces):
        session = random_translator.session(policy)
        found = [e for piece in pieces for e in session.feed(piece)] + session.finish()
        return [(e.type, e.sentence, e.index, e.text, e.delay) for e in found]

    assert events([text]) == events([text[:cut], text[cut:]])


def test_agreement_of_more_continuations_waits_longer(en_pt):
    def delays(policy):
        return [e.delay for e in en_pt.session(policy).feed_line(SENTENCES[0]) if e.type == "write"]

    assert sum(delays(Agree(2))) < sum(delays(Agree(4)))


def test_certain_words_are_not_held_back(en_pt):
    def writes(policy):
        return [e for line in SENTENCES for e in en_pt.session(policy).feed_line(line) if e.type == "write"]

    def delays(policy):
        return [event.delay for event in writes(policy)]

    assert delays(Agree(hold=2, horizon=4, certain=0)) == delays(Agree(horizon=4))
    some = sum(delays(Agree(hold=2, horizon=4, certain=0.9)))
    assert sum(delays(Agree(horizon=4))) < some < sum(delays(Agree(hold=2, horizon=4)))


def test_max_lag_bounds_agreement(en_pt):
    for sentence in SENTENCES:
        found = [e for e in en_pt.session(MaxLag(Agree(4), 3)).feed_line(sentence) if e.type == "write"]
        assert all(e.delay - e.index <= 4 for e in found[:-1])


def test_certainty_decides_between_the_bounds(en_pt):
    def delays(policy):
        return [e.delay for e in en_pt.session(policy).feed_line(SENTENCES[0]) if e.type == "write"]

    never_sure = delays(Confident(1.0, min_wait=2, max_wait=4))
    always_sure = delays(Confident(0.0, min_wait=2, max_wait=4))
    assert never_sure == [min(4 + i, 17) for i in range(len(never_sure))]
    assert always_sure == [min(2 + i, 17) for i in range(len(always_sure))]


def test_regret_decides_between_the_bounds(en_pt):
    def delays(policy):
        return [e.delay for e in en_pt.session(policy).feed_line(SENTENCES[0]) if e.type == "write"]

    assert delays(Learned(0.0, max_wait=4)) == delays(WaitK(4))
    assert delays(Learned(1.0, min_wait=2)) == delays(WaitK(2))
    assert sum(delays(Learned(0.01))[:8]) > sum(delays(Learned(0.6))[:8])


def test_a_decision_costs_one_pass(en_pt):
    """The pass that predicts the next word judges it: no more than a token written and a word read take."""
    for sentence in SENTENCES:
        runner, found = watched(en_pt, Learned(0.1), sentence)
        tokens = sum(len(en_pt.tokenizer.encode_word(e.text, False)) for e in found if e.type == "write")
        assert runner.passes <= len(sentence.split()) + tokens + 1


def test_a_draft_saves_passes_and_changes_nothing(en_pt):
    """What a READ verifies needs no pass of its own when it is written."""
    for policy in (Learned(0.03, max_wait=5), Confident(0.6), AlignAtt(2)):
        passes = {0: 0, DRAFTS: 0}
        for sentence in SENTENCES:
            found = []
            for drafts in passes:
                runner = Watched(en_pt.executor.runner(policy))
                stream = Stream(en_pt.tokenizer, en_pt.settings, policy, drafts)
                found.append([(e.type, e.text, e.delay) for e in Session(stream, [runner]).feed_line(sentence)])
                passes[drafts] += runner.passes
            assert found[0] == found[1]
        assert passes[DRAFTS] < 0.9 * passes[0]


def test_below_the_least_wait_no_pass_is_made(en_pt):
    runner = Watched(en_pt.executor.runner(Learned(min_wait=4, max_wait=6)))
    stream = Stream(en_pt.tokenizer, en_pt.settings, Learned(min_wait=4, max_wait=6), DRAFTS)
    Session(stream, [runner]).feed("three words now ")
    assert not runner.passes


def test_plain_layers_decide_as_packed_ones(en_pt):
    model = load_checkpoint("en-pt", packed=False).model
    plain = replace(en_pt, executor=replace(en_pt.executor, model=model))
    for policy in (Learned(0.05), Confident(0.5), AlignAtt(2)):
        for sentence in SENTENCES:
            found = [[(e.type, e.text, e.delay) for e in t.session(policy).feed_line(sentence)] for t in (plain, en_pt)]
            assert found[0] == found[1]


def test_looking_further_back_waits_longer(en_pt):
    def delays(policy):
        return [e.delay for e in en_pt.session(policy).feed_line(SENTENCES[0]) if e.type == "write"]

    assert sum(delays(AlignAtt(1))[:8]) < sum(delays(AlignAtt(4))[:8])


def test_a_checkpoint_without_alignment_heads_says_what_to_do(en_pt):
    for heads, message in [((), "streamtrans models calibrate"), (((9, 0),), "no head 0 in layer 9")]:
        other = replace(en_pt, executor=replace(en_pt.executor, heads=heads))
        with pytest.raises(ModelError, match=message):
            other.session(AlignAtt())


def test_the_policy_of_a_checkpoint_may_have_a_budget(en_pt):
    stored = {"name": "wait-k", "k": "inf", "max_lag": 4}
    other = replace(en_pt, settings=replace(en_pt.settings, policy=stored))
    assert other.default_policy == MaxLag(WaitK(float("inf")), 4)


def test_a_checkpoint_without_the_head_says_what_to_do(en_pt, tmp_path):
    bare = replace(en_pt, executor=replace(en_pt.executor, directory=tmp_path))
    assert bare.session(WaitK(3)).feed_line("Good morning.")
    for start in (bare.session, lambda policy: BatchEngine(bare, policy)):
        with pytest.raises(ModelError, match=r"has no regret head.*streamtrans models calibrate"):
            start(Learned())
    for head in (RegretHead(8, [(0, 0)]), RegretHead(en_pt.executor.model.args.hidden_size, [(99, 0)])):
        save_regret_head(head, tmp_path / FILE)
        with pytest.raises(ModelError, match=r"damaged, or of another model.*streamtrans models calibrate"):
            bare.session(Learned())
    (tmp_path / FILE).write_bytes(b"no tensors")
    with pytest.raises(ModelError, match="damaged"):
        bare.session(Learned())


def test_revisions_end_with_the_offline_translation(en_pt):
    for sentence in SENTENCES:
        found = en_pt.session(Retranslate()).feed_line(sentence)
        assert found[-1].text == en_pt.translate(sentence, WaitK(float("inf")))
        shown = []
        for event in found:
            if event.type == "write":
                assert event.index == len(shown)
                shown.append(event.text)
            elif event.type == "revise":
                assert event.index < len(shown)
                shown[event.index :] = event.text.split()
        assert " ".join(shown) == found[-1].text == en_pt.translate(sentence, Retranslate())


def test_agreement_costs_no_more_passes_than_it_says(en_pt):
    """The verifying pass carries the read; decoding goes on only from where continuations differ."""
    for sentence in SENTENCES:
        runner, _ = watched(en_pt, Agree(), sentence)
        assert runner.passes <= len(runner.target) - 1 + 2 * len(sentence.split())
