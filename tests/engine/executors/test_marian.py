"""A Firefox model behind the runner's seam: one law for every schedule, and two references that are not ours."""

import io
from math import inf

import numpy as np
import pytest
import sentencepiece
from firefox_models import SHAPES, vocabulary, write_model
from firefox_reference import Plain
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamtrans.engine.batch import BatchEngine
from streamtrans.engine.executors.marian import load_marian
from streamtrans.engine.passes import Forward
from streamtrans.engine.translator import Translator, load
from streamtrans.errors import ModelError, UsageError
from streamtrans.models.marian.model import MarianModel
from streamtrans.policies import make_policy

ENGLISH = ["the cat sat on a mat", "a dog ran", "my friend has seen three red birds there"] * 20
GERMAN = ["die Katze saß auf der Matte", "ein Hund lief davon", "mein Freund sah drei rote Vögel dort"] * 30
WORDS = " ".join(ENGLISH[:3]).split()
POLICIES = [
    make_policy("wait-k", k=2),
    make_policy("wait-k", k=inf),
    make_policy("agree"),
    make_policy("agree", agree=3, hold=1, horizon=5),
    make_policy("agree", hold=2, horizon=5, certain=0.3),
    make_policy("confident", threshold=0.3),
    make_policy("boundary", max_wait=3),
    make_policy("alignatt", last=2),
    make_policy("wait-k", 4, k=3),
    make_policy("retranslate"),
]


@pytest.fixture(scope="module")
def vocabularies():
    return vocabulary(ENGLISH), vocabulary(GERMAN, 50)


@pytest.fixture(scope="module", params=[(shape, shared) for shape in SHAPES for shared in (True, False)], ids=str)
def directory(request, tmp_path_factory, vocabularies):
    shape, shared = request.param
    found = tmp_path_factory.mktemp(f"{shape}-{shared}")
    write_model(found, shape, vocabularies[: 1 if shared else 2], seed=4)
    return found


@pytest.fixture(scope="module")
def translator(tmp_path_factory, vocabularies):
    directory = tmp_path_factory.mktemp("small")
    write_model(directory, "tiny", vocabularies, seed=4)
    return load(directory)


def best(executor, policy, source, target):
    """The best next token, found from nothing."""
    runner = executor.runner(policy)
    (found,) = runner.answer([Forward(source, executor.tokenizer.start_ids + target, fresh=True)])
    return found.tokens[-1]


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_schedule_gives_what_one_pass_over_all_of_it_gives(directory, data):
    executor, _ = load_marian(directory, "en", "de")
    tokenizer = executor.tokenizer
    policy = make_policy(data.draw(st.sampled_from(["wait-k", "agree"])))
    words = [*data.draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8)), None]
    runner, source, target, fresh = executor.runner(policy), [], [], True
    for word in words:
        read = [tokenizer.end_id] if word is None else tokenizer.encode_word(word, False)
        source += read
        last = target[-1:] or tokenizer.start_ids
        (found,) = runner.answer([Forward(read, last, 0 if fresh else 1, fresh)])
        fresh = False
        for _ in range(data.draw(st.integers(0, 3))):
            assert found.tokens == [best(executor, policy, source, target)]
            target.append(data.draw(st.integers(2, tokenizer.vocab_size - 1)))
            (found,) = runner.answer([Forward([], target[-1:])])
        assert found.tokens == [best(executor, policy, source, target)]
        drafted = [data.draw(st.integers(2, tokenizer.vocab_size - 1)) for _ in range(data.draw(st.integers(0, 3)))]
        if drafted:
            (found,) = runner.answer([Forward([], drafted, rows=len(drafted))])
            expected = [best(executor, policy, source, target + drafted[: n + 1]) for n in range(len(drafted))]
            assert found.tokens == expected
            runner.answer([Forward([], drafted[:1], take_back=len(drafted))])
            runner.answer([Forward([], target[-1:] or tokenizer.start_ids, take_back=2)])


def test_the_logits_are_those_of_a_plain_computation(directory):
    executor, _ = load_marian(directory, "en", "de")
    tokenizer, plain = executor.tokenizer, Plain(directory)
    source = [*tokenizer.encode("my friend has seen the red dog"), tokenizer.end_id]
    target = [5, 9, 2, 17, 20, 4]
    memory = executor.model.encode(np.array([source]), np.array([len(source)]))
    ids = np.array([tokenizer.start_ids + target])
    cells = [executor.model.positions[:1] * 0] * executor.model.config.decoder_layers
    states, *_ = executor.model.decode(ids, ids >= 0, np.arange(7)[None], cells, memory)
    table = executor.model.target[: tokenizer.vocab_size]
    logits = np.array(states[0] @ table.T + executor.model.w["decoder_ff_logit_out_b"])
    np.testing.assert_allclose(logits, plain.logits(source, target), atol=2e-4)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_any_chunking_and_any_batch_give_the_same_events(translator, policy):
    lines = [" ".join(WORDS[start : start + length]) for start, length in ((0, 9), (3, 4), (5, 12), (2, 0), (7, 1))]
    wanted = [seen(translator.session(policy).feed_line(line)) for line in lines]
    assert sum(map(len, wanted)) > 30
    for batch_size in (1, 3, 12):
        found = [seen(events) for _, events in BatchEngine(translator, policy, batch_size).translate(lines)]
        assert found == wanted
    whole, pieces = translator.session(policy), translator.session(policy)
    text = "\n".join(lines) + "\n"
    events = [event for character in text for event in pieces.feed(character)]
    assert seen(whole.feed(text)) == seen(events)


def seen(events):
    return [(e.type, e.index, e.text, e.delay) for e in events]


def test_what_stands_at_the_end_of_an_unfinished_source(translator, monkeypatch):
    encoded = []
    encode = MarianModel.encode
    monkeypatch.setattr(
        MarianModel, "encode", lambda self, ids, n: encoded.append(ids[0].tolist()) or encode(self, ids, n)
    )
    end = translator.tokenizer.end_id
    for name, shown in {
        "agree": True,
        "alignatt": True,
        "retranslate": True,
        "wait-k": False,
        "boundary": False,
    }.items():
        encoded.clear()
        translator.session(make_policy(name)).feed_line("the cat sat on a mat")
        assert all((ids[-1] == end) is shown for ids in encoded[:-1]), name
        assert encoded[-1][-1] == end
        assert all(ids.count(end) <= 1 for ids in encoded)


def test_a_source_that_ends_where_it_was_taken_to_end_is_not_encoded_again(translator, monkeypatch):
    """A line that ends late costs nothing; the same line again is another segment all the same."""
    session, texts = translator.session(make_policy("agree")), []
    encoded, encode = [], MarianModel.encode

    def counted(model, ids, lengths):
        encoded.extend(lengths)
        return encode(model, ids, lengths)

    monkeypatch.setattr(MarianModel, "encode", counted)
    for _ in range(2):
        session.feed("the cat sat ")
        before = len(encoded)
        texts.append([event.text for event in session.feed("\n") if event.type == "end"])
        assert len(encoded) == before == 3 * len(texts)
    assert texts[0] == texts[1]
    assert texts[0] == [translator.translate("the cat sat", make_policy("wait-k", k=inf))]


def test_a_policy_that_needs_a_calibrated_checkpoint_is_refused(translator):
    with pytest.raises(UsageError, match="policy learned needs a calibrated checkpoint; take agree or wait-k"):
        translator.session(make_policy("learned"))


def test_its_own_policy_and_languages(tmp_path, vocabularies):
    write_model(tmp_path, "tiny", vocabularies)
    executor, found = load_marian(tmp_path, "en", "zh-Hans")
    assert (found.source_language, found.target_language) == ("en", "zh-Hans")

    def policy(settings):
        return Translator(executor, executor.tokenizer, settings).default_policy

    assert policy(found) == make_policy("agree", agree=2, hold=2, horizon=16), "in characters"
    assert policy(load_marian(tmp_path, "zh-Hans", "en")[1]) == make_policy("agree", hold=2, horizon=6, certain=0.97)
    assert found.length_ratio > load_marian(tmp_path, "zh", "en")[1].length_ratio


def test_characters_are_read_as_the_pieces_they_make(tmp_path):
    texts = ["猫がマットに座った", "犬が走った", "友達は赤い鳥を三羽見た"] * 20
    write_model(tmp_path, "tiny", [vocabulary(texts, 60), vocabulary(ENGLISH)])
    executor, _ = load_marian(tmp_path, "ja", "en")
    tokenizer = executor.tokenizer
    characters = [token for c in "猫がマットに座った" for token in tokenizer.encode_word(c, False)]
    joined, origins = tokenizer.joined(characters)
    assert joined == tokenizer.encode("猫がマットに座った")
    assert len(joined) < len(characters)
    assert origins == sorted(origins)
    assert 0 <= min(origins) <= max(origins) < len(characters)
    session = Translator(executor, tokenizer, load_marian(tmp_path, "ja", "en")[1]).session(make_policy("alignatt"))
    events = session.feed_line("猫がマットに座った")
    assert [e.text for e in events if e.type == "read"] == list("猫がマットに座った")


def test_vocabularies_with_different_end_marks_are_refused(tmp_path, vocabularies):
    write_model(tmp_path, "tiny", vocabularies)
    file = tmp_path / "trgvocab.ende.spm"
    written = io.BytesIO()
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(file)).vocab_size()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(GERMAN), model_writer=written, vocab_size=pieces, eos_id=1, unk_id=0, bos_id=-1,
        minloglevel=2,
    )  # fmt: skip
    file.write_bytes(written.getvalue())
    with pytest.raises(ModelError, match="different end marks"):
        load(tmp_path)
