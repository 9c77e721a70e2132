"""Streams on chat models: every policy, batches, context, shared passes, long input, other scripts."""

from dataclasses import replace

import pytest
from chat_checkpoints import make_chat_checkpoint

from streamtrans.engine.executors import conversations
from streamtrans.engine.executors.chat import ChatExecutor
from streamtrans.engine.translator import load
from streamtrans.errors import UsageError
from streamtrans.models.chat_attention import attention_noted, layer_heads
from streamtrans.policies import make_policy
from streamtrans.runtime import mx
from streamtrans.text.instructions import Instructions

TEXT = "The weather is fine today. We translate every word, as soon as it has been read! Nothing is taken back."
POLICIES = {
    "wait-k": {"k": 3},
    "agree": {"agree": 2, "horizon": 4},
    "confident": {},
    "boundary": {},
    "retranslate": {},
}


@pytest.fixture(scope="module", params=["qwen2", "llama", "gemma3"])
def translator(request, tmp_path_factory):
    directory = make_chat_checkpoint(tmp_path_factory.mktemp("chat"), request.param)
    return load(directory, languages=("en", "de"))


def events(found):
    return [(event.type, event.sentence, event.index, event.text, event.delay) for event in found]


def whole(session, text, pieces=None):
    found = []
    for piece in pieces or [text]:
        found += session.feed(piece)
    return events([*found, *session.finish()])


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_reads_all_and_gives_the_same_for_any_chunking(translator, name):
    policy = make_policy(name, **POLICIES[name])
    found = whole(translator.session(policy), TEXT)
    assert [text for kind, _, _, text, _ in found if kind == "read"] == TEXT.split()
    assert whole(translator.session(policy), TEXT, [TEXT[i : i + 3] for i in range(0, len(TEXT), 3)]) == found
    if name != "retranslate":
        assert all(kind != "revise" for kind, *_ in found)


def test_max_lag_hurries(translator):
    lines = [
        "One two three four five six seven eight nine ten eleven twelve thirteen",
        "She bought two tickets for the concert on Friday, but nobody wanted to go with her",
        "The minister said that the new bridge would be finished before the end of the year",
    ]

    def first_delays(policy):
        found = [translator.session(policy).feed_line(line) for line in lines]
        return [next(event.delay for event in part if event.type == "write") for part in found]

    assert sum(first_delays(make_policy("agree", 3))) < sum(first_delays(make_policy("agree")))


@pytest.mark.parametrize("name", ["wait-k", "agree", "confident"])
def test_batches_give_the_events_of_sessions(translator, name):
    policy = make_policy(name, **POLICIES[name])
    lines = [
        "The weather is fine.",
        "We play.",
        "",
        "She bought two tickets for the concert on Friday, but nobody came.",
    ]
    alone = [events(translator.session(policy).feed_line(line)) for line in lines]
    assert [events(found) for _, found in translator.lines(policy, batch_size=4).translate(lines)] == alone


def test_streams_that_share_passes_are_as_alone(translator):
    policy = make_policy("wait-k", k=2)
    pool = translator.executor.pool(policy)
    texts = ["The minister said so.", "Children play in the garden behind the house.", "We go."]
    memories = [pool.memory() for _ in texts]
    sessions = [translator.stepped(policy) for _ in texts]
    steps = [session.line(text) for session, text in zip(sessions, texts, strict=True)]
    found, requests = [[] for _ in texts], {}

    def advance(number, answer=None):
        try:
            got = steps[number].send(answer)
            while not hasattr(got, "rows"):
                found[number].append(got)
                got = steps[number].send(None)
            requests[number] = got
        except StopIteration:
            requests.pop(number, None)

    for number in range(len(texts)):
        advance(number)
    while requests:
        numbers = list(requests)
        answers = pool.answer([memories[n] for n in numbers], [requests[n] for n in numbers])
        for number, answer in zip(numbers, answers, strict=True):
            advance(number, answer)
    alone = [events(translator.session(policy).feed_line(text)) for text in texts]
    assert [events(part) for part in found] == alone


def test_the_context_holds_the_last_sentences_and_no_more(translator):
    executor = replace(translator.executor, context=2)
    session = replace(translator, executor=executor).session(make_policy("wait-k", k=2))
    for line in ("The weather is fine.", "We play.", "She bought two tickets."):
        session.feed_line(line)
    (talk,) = session._runners[0]._talks
    kept = [executor.tokenizer.text_of(source) for source, _ in talk.earlier]
    assert kept == ["The weather is fine.", "We play."]  # the third one is not followed by another yet
    session.feed_line("Nothing is taken back.")
    kept = [executor.tokenizer.text_of(source) for source, _ in talk.earlier]
    assert kept == ["We play.", "She bought two tickets."]
    assert talk.fed == executor.tokens_of(talk)[: len(talk.fed)]


def test_a_draft_that_follows_the_end_is_not_said(translator):
    end, talk = translator.tokenizer.end_id, translator.executor.talk_of([50], [51, 52, 53])
    assert translator.executor.said(talk, [end]) == [51, 52, 53]
    assert translator.executor.said(talk, [52, end, 60]) == [51, 52]
    assert translator.executor.said(talk, [51, end, 53, 60]) == [51]
    assert translator.executor.said(talk, [60, end, 53, 60]) is None
    assert translator.executor.said(talk, [60]) is None


def test_a_long_line_is_cut_and_all_of_it_read(translator):
    words = [f"word{number}" for number in range(150)]
    found = translator.session(make_policy("wait-k", k=3)).feed_line(" ".join(words))
    assert [event.text for event in found if event.type == "read"] == words


def test_characters_are_words(tmp_path):
    translator = load(make_chat_checkpoint(tmp_path), languages=("ja", "zh"))
    found = whole(translator.session(make_policy("wait-k", k=3)), "今日は天気がいいです。")
    assert [text for kind, _, _, text, _ in found if kind == "read"] == list("今日は天気がいいです。")
    assert translator.default_policy.horizon == 12


def test_alignatt_needs_heads_and_follows_them(translator):
    policy = make_policy("alignatt", last=1)
    with pytest.raises(UsageError, match="policy alignatt needs alignment heads"):
        translator.session(policy)
    calibrated = replace(translator, executor=replace(translator.executor, heads=((0, 1), (1, 2))))
    found = whole(calibrated.session(policy), TEXT)
    assert [text for kind, _, _, text, _ in found if kind == "read"] == TEXT.split()
    assert any(kind == "write" for kind, *_ in found)
    lines = TEXT.split(". ")
    alone = [events(calibrated.session(policy).feed_line(line)) for line in lines]
    assert [events(part) for _, part in calibrated.lines(policy).translate(lines)] == alone


def test_learned_needs_a_model_that_was_trained_for_it(translator):
    with pytest.raises(UsageError, match="policy learned needs a model that was trained for it"):
        translator.session(make_policy("learned"))


def test_attention_that_is_seen_is_the_attention_of_the_model(translator):
    executor: ChatExecutor = translator.executor
    tokens = executor.tokenizer.prompt_ids
    assert layer_heads(executor.model, tokens, executor.conversation().cache) == [4, 4]
    talk = executor.talk_of(executor.tokenizer.encode_word("Hello", True), [])
    recorder = executor.recorder(talk, 1, ((0, 0), (1, 3)))
    with attention_noted(executor.model, recorder.note):
        logits = executor.logits([talk], 1)
    weights = recorder.by_row()
    assert weights.shape[:2] == (1, 2)
    assert bool((weights >= 0).all())
    assert bool((weights.sum(axis=-1) <= 1.0001).all())
    again = executor.talk_of(executor.tokenizer.encode_word("Hello", True), [])
    assert mx.abs(executor.logits([again], 1) - logits).max() < 1e-4


def test_instructions_reach_the_prompt(tmp_path):
    asked = Instructions("From {source} into {target}, please.", (("house", "Haus"),))
    translator = load(make_chat_checkpoint(tmp_path), languages=("en", "de"), instructions=asked)
    prompt = translator.tokenizer.text_of(translator.tokenizer.prompt_ids)
    assert "From English into German, please." in prompt
    assert "house → Haus" in prompt


def test_a_prompt_in_pieces_is_a_prompt(tmp_path, monkeypatch):
    directory = make_chat_checkpoint(tmp_path)
    policy = make_policy("wait-k", k=2)
    whole = load(directory, languages=("en", "de"))
    found = events(whole.session(policy).feed_line(TEXT))
    monkeypatch.setattr(conversations, "PROMPT_PIECE", 7)
    pieces = load(directory, languages=("en", "de"))
    assert events(pieces.session(policy).feed_line(TEXT)) == found
    for one, other in zip(pieces.executor.prompt_cache, whole.executor.prompt_cache, strict=True):
        assert mx.abs(one.keys_and_values()[0] - other.keys_and_values()[0]).max() < 1e-4
