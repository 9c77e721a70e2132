"""A chat model behind the runner's seam: mlx-lm's answers, one law for every schedule, no word paid for twice."""

from math import inf

import numpy as np
import pytest
from chat_cases import LANGUAGES, Recorder, assert_answers_as_mlx_lm, load, translator_of
from chat_checkpoints import ARCHITECTURES, make_chat_checkpoint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlx_lm.utils import load as load_with_mlx_lm
from watched_model import watched

from streamtrans.engine.batch import BatchEngine
from streamtrans.engine.passes import Forward, Prediction
from streamtrans.engine.session import Session
from streamtrans.engine.tape import Tape
from streamtrans.policies import WaitK, make_policy
from streamtrans.text.instructions import Instructions

LINES = [
    "The minister said that the new bridge would be finished.",
    "Nobody wanted to go with her to the 3rd concert, did they?",
    "Ärger – überall; naïve façades",
    "children",
]
WORDS = "the new bridge, which nobody wanted: überall finished. 3rd <|im_end|> concert".split()


FORMS = {"plain": (False, 1), "plain sharded": (False, 3), "4-bit": (True, 1), "4-bit sharded": (True, 2)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_wait_k_inf_says_what_mlx_lm_says(tmp_path, architecture, form):
    quantised, shards = FORMS[form]
    directory = make_chat_checkpoint(tmp_path, architecture, quantised, shards)
    model, tokenizer = load_with_mlx_lm(str(directory))
    translator = load(directory)
    compared = [assert_answers_as_mlx_lm(translator, model, tokenizer, line)[0] for line in LINES]
    assert sum(compared) > 30


def make(directory, architecture):
    name, *narrow = architecture.split(maxsplit=1)
    return make_chat_checkpoint(directory, name, **({"sliding_window": 24} if narrow else {}))


@pytest.fixture(scope="module", params=[*ARCHITECTURES, "gemma3 in a narrow window"])
def translator(request, tmp_path_factory):
    return load(make(tmp_path_factory.mktemp("chat"), request.param))


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_schedule_gives_the_logits_of_one_pass_over_all_of_it(translator, data):
    """Words are read, tokens drafted, verified, taken back and written in any order, each choice made by chance."""
    executor = watched(translator.executor)
    tokenizer, runner = executor.tokenizer, executor.runner(WaitK(1))
    tape = Tape(tokenizer.prompt_ids, tokenizer.start_ids, tokenizer.end_id, inf)
    token = st.integers(0, tokenizer.vocab_size - 1).filter(lambda one: one != tokenizer.end_id)
    source, target = [], []

    def read(word):
        source.extend(tokens := tokenizer.encode_word(word, first=not source))
        tape.read(tokens)

    def make_a_pass():
        sequence = tokenizer.prompt_ids + source + tokenizer.start_ids + target + tape.tokens
        request = tape.next_pass()
        runner.answer([request])
        np.testing.assert_allclose(
            executor.model.logits[0, -request.rows :], executor.model.whole(sequence)[-request.rows :], atol=1e-4
        )
        same = data.draw(st.integers(0, request.rows - 1))  # of the draft that was verified
        tape.take(Prediction([*tape.tokens[:same], *(data.draw(token) for _ in range(request.rows - same))]))

    read(data.draw(st.sampled_from(WORDS)))
    for step in data.draw(st.lists(st.sampled_from(["read", "pass", "pass", "write", "retract"]), max_size=25)):
        match step:
            case "read":
                read(data.draw(st.sampled_from(WORDS)))
            case "pass":
                make_a_pass()
            case "write" if tape.best is not None:
                target.append(tape.accept())
            case "retract":
                tape.retract()
    tape.read([tokenizer.end_id])
    make_a_pass()


POLICIES = [
    make_policy("agree", agree=2, horizon=6),
    make_policy("agree", agree=3, hold=1, horizon=4),
    make_policy("confident", threshold=0.2),
    make_policy("wait-k", 4, k=2),
    make_policy("retranslate"),
]


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("architecture", ["qwen2", "llama", "gemma3"])
def test_no_word_is_paid_for_twice(tmp_path, architecture, policy):
    """A READ costs the turn, the target with its draft, and what was read; any other pass what it brings."""
    executor = watched(load(make_chat_checkpoint(tmp_path, architecture)).executor)
    tokenizer, recorder = executor.tokenizer, Recorder(executor.runner(policy))
    assert executor.model.fed == len(tokenizer.prompt_ids), "once, for all streams"
    session = Session(translator_of(executor, 1.5).stream(policy, executor.drafts), [recorder])
    executor.model.passes.clear()
    for line in LINES:
        session.feed_line(line)
    assert len(executor.model.passes) == len(recorder.requests)
    target = 0
    for request, ((*fed,),) in zip(recorder.requests, executor.model.passes, strict=True):
        target = (0 if request.fresh else target - request.take_back) + len(request.target)
        ended = request.source[-1:] == [tokenizer.end_id]
        new = len(request.source) - request.fresh * len(tokenizer.prompt_ids) - ended
        assert len(fed) <= (new + target if request.source else len(request.target))


def test_a_second_stream_does_not_pay_for_the_prompt(tmp_path):
    executor = watched(load(make_chat_checkpoint(tmp_path)).executor)
    for _ in range(3):
        executor.runner(WaitK(1))
    assert executor.model.fed == len(executor.tokenizer.prompt_ids)


def seen(events):
    return [(e.type, e.index, e.text, e.delay) for e in events]


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("architecture", ["qwen2", "llama", "gemma3 in a narrow window"])
def test_any_chunking_and_any_batch_give_the_same_events(tmp_path, architecture, policy):
    translator = translator_of(load(make(tmp_path, architecture)).executor, 1.5)
    wanted = [seen(translator.session(policy).feed_line(line)) for line in LINES]
    assert sum(map(len, wanted)) > 40
    for batch_size in (1, 3):
        found = [seen(events) for _, events in BatchEngine(translator, policy, batch_size).translate(LINES)]
        assert found == wanted
    whole, pieces = translator.session(policy), translator.session(policy)
    text = "\n".join(LINES) + "\n"
    assert seen(whole.feed(text)) == seen([event for character in text for event in pieces.feed(character)])


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3", "llama", "gemma"])
def test_finished_sentences_stay_as_turns_of_the_conversation(tmp_path, architecture):
    directory = make_chat_checkpoint(tmp_path, architecture)
    executor = watched(load(directory, Instructions(context=1)).executor)
    tokens, pool = executor.tokenizer, executor.pool(WaitK(1))
    talk = pool.memory()
    said = ["The bridge is finished.", "Nobody wanted tickets.", "The weather is fine."]
    written = ["Die Brücke ist fertig.", "Niemand wollte Karten.", "Das Wetter ist schön."]
    for text, answer in zip(said, written, strict=True):
        source = [token for n, word in enumerate(text.split()) for token in tokens.encode_word(word, n == 0)]
        target = tokens.encode(answer)
        forward = Forward([*tokens.prompt_ids, *source, tokens.end_id], tokens.start_ids + target, fresh=True)
        pool.answer([talk], [forward])
    _, tokenizer = load_with_mlx_lm(str(directory))
    content = [Instructions().before_text(*LANGUAGES) + said[1], written[1], said[2]]
    roles = ["user", "assistant", "user"]
    messages = [{"role": role, "content": text} for role, text in zip(roles, content, strict=True)]
    asked = tokenizer.apply_chat_template(messages, add_generation_prompt=True, enable_thinking=False)
    found = executor.tokens_of(talk)
    if architecture == "llama":  # "[INST] " and a word share a token there, which a stream cannot know beforehand
        assert tokenizer.decode(found) == tokenizer.decode(asked + target)
    else:
        assert found == asked + target
    np.testing.assert_allclose(executor.model.logits[0, -1], executor.model.whole(found)[-1], atol=1e-4)
