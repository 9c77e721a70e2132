"""The collator's law: a training row asks exactly what a live stream with that schedule would be asked."""

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrans.engine.translator import load
from streamtrans.models.loading import load_checkpoint
from streamtrans.models.qwen2_streaming.masks import PAD, SOURCE, TARGET
from streamtrans.policies import WaitK
from streamtrans.text.tokenizer import load_tokenizer
from streamtrans.text.words import units
from streamtrans.training.data.collator import IGNORE, Collator
from streamtrans.training.data.schedules import EVERYTHING

PAIRS = [
    ("Hello, my friend!", "Olá, meu amigo!"),
    ("The cat sleeps on the old sofa near the window.", "O gato dorme no velho sofá perto da janela."),
    ("Yes.", "Sim, é claro que sim."),
    ("He paid 3.50 euros for it, I think.", "Acho que ele pagou 3,50 euros."),
]


@pytest.fixture(scope="module")
def checkpoint():
    return load_checkpoint("en-pt", packed=False)


@pytest.fixture(scope="module")
def tokenizer(checkpoint):
    return load_tokenizer(checkpoint.directory, "sentencepiece-suffix")


@pytest.fixture(scope="module")
def collator(tokenizer):
    return Collator(tokenizer, "en", "pt")


@pytest.fixture(scope="module")
def prompted(checkpoint):
    """A collator whose tokenizer has a prompt and an opening of the target, which the model can make sense of."""
    encode = load_tokenizer(checkpoint.directory, "sentencepiece-suffix").encode
    config = {"streamtrans": {"prompt_ids": encode("Well,"), "start_ids": [2, *encode("Bem,")]}}
    return Collator(load_tokenizer(checkpoint.directory, "sentencepiece-suffix", config), "en", "pt")


def row_of(batch, row):
    """Of one row without padding: source ids and reads, target ids and budgets, labels."""
    kind = batch.entries.kind[row]
    halves = [(batch.ids[row, kind == k].tolist(), batch.entries.read[row, kind == k].tolist()) for k in (1, 2)]
    labels = batch.labels[row]
    return halves, labels[labels != IGNORE].tolist()


def test_a_row_spells_out_the_pair(collator, tokenizer):
    source, target = PAIRS[1]
    ((source_ids, needed), (target_ids, budgets)), labels = row_of(collator.at_k(PAIRS, 2), 1)
    pieces = [tokenizer.encode_word(word, i == 0) for i, word in enumerate(source.split())]
    assert source_ids == [*chain.from_iterable(pieces), tokenizer.end_id]
    assert needed == [i for i, word in enumerate(pieces, 1) for _ in word] + [len(pieces)]
    words = [tokenizer.encode_word(word, i == 0) for i, word in enumerate(target.split())]
    assert target_ids == [*tokenizer.start_ids, *chain.from_iterable(words)]
    assert labels == [*chain.from_iterable(words), tokenizer.end_id]
    assert budgets == [2 + i for i, word in enumerate(words) for _ in word] + [EVERYTHING]


def test_a_prompt_stands_in_front_and_needs_no_word(collator, prompted):
    prompt, start = prompted.tokenizer.prompt_ids, prompted.tokenizer.start_ids
    for row, pair in enumerate(PAIRS):
        ((source, needed), (target, budgets)), labels = row_of(prompted.at_k(PAIRS, 2), row)
        ((plain_source, plain_needed), (plain_target, plain_budgets)), plain = row_of(collator.at_k(PAIRS, 2), row)
        assert (source, needed) == (prompt + plain_source, [0] * len(prompt) + plain_needed)
        assert (target, budgets) == (start + plain_target[1:], plain_budgets[:1] * (len(start) - 1) + plain_budgets)
        assert labels == plain
        assert prompted.lengths(pair) == (len(source), len(target))


def test_positions_and_padding(tokenizer):
    shifted = Collator(tokenizer, "en", "pt", target_offset=5)
    batch = shifted.at_k(PAIRS, 1)
    assert batch.ids.shape == batch.positions.shape == batch.entries.kind.shape
    width = batch.source_length
    for row, pair in enumerate(PAIRS):
        sizes = shifted.lengths(pair)
        kind = batch.entries.kind[row]
        assert kind[: sizes[0]].tolist() == [SOURCE] * sizes[0]
        assert kind[width : width + sizes[1]].tolist() == [TARGET] * sizes[1]
        assert (np.delete(kind, np.r_[: sizes[0], width : width + sizes[1]]) == PAD).all()
        assert batch.positions[row, : sizes[0]].tolist() == list(range(sizes[0]))
        assert batch.positions[row, width : width + sizes[1]].tolist() == list(range(5, 5 + sizes[1]))
        assert (batch.labels[row] != IGNORE).sum() == sizes[1]
    assert batch.token_count == sum(sum(shifted.lengths(pair)) for pair in PAIRS)
    assert batch.mask.any(axis=-1).all(), "every token sees something"


def test_end_of_source_comes_with_the_last_word_or_one_step_later(tokenizer):
    rng = np.random.default_rng(0)
    for share, late in ((0.0, 0), (1.0, 1)):
        collator = Collator(tokenizer, "en", "pt", late_end_share=share)
        ((_, needed), _), _ = row_of(collator(PAIRS[1:2], rng), 0)
        assert needed[-1] == len(PAIRS[1][0].split()) + late


def test_end_of_target_is_asked_with_its_own_budget_or_with_everything_read(tokenizer):
    rng = np.random.default_rng(0)
    words = len(PAIRS[3][1].split())
    for share, budget in ((0.0, EVERYTHING), (1.0, 2 + words)):
        collator = Collator(tokenizer, "en", "pt", (2,), 0, 0, share)
        (_, (_, budgets)), _ = row_of(collator(PAIRS[3:], rng), 0)
        assert budgets[-1] == budget


def test_shares_of_the_mix(collator):
    rng = np.random.default_rng(3)
    rows = [row_of(collator([PAIRS[1]], rng), 0) for _ in range(400)]
    late = np.mean([needed[-1] > needed[-2] for ((_, needed), _), _ in rows])
    asked_early = np.mean([budgets[-1] < EVERYTHING for (_, (_, budgets)), _ in rows])
    assert 0.4 < late < 0.6
    assert 0.35 < asked_early < 0.55, "half of the rows, but for those with k = inf"
    assert len({tuple(budgets) for (_, (_, budgets)), _ in rows}) > 50


def test_the_same_generator_gives_the_same_batch(collator):
    first, second = (collator(PAIRS, np.random.default_rng(7)) for _ in range(2))
    assert (first.ids == second.ids).all()
    assert (first.mask == second.mask).all()


@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**31), k=st.sampled_from([1, 2, 3, 5, float("inf"), None]), prompt=st.booleans())
def test_law_a_training_row_equals_the_incremental_stream(checkpoint, collator, prompted, seed, k, prompt):
    """Row by row: read what the budget allows, feed the row's token, compare its logits with those of the one pass."""
    model, collator = checkpoint.model, prompted if prompt else collator
    batch = collator(PAIRS, np.random.default_rng(seed)) if k is None else collator.at_k(PAIRS, k)
    whole = np.array(model.forward(batch.ids, positions=batch.positions, mask=batch.mask))
    for row in range(len(PAIRS)):
        ((source_ids, needed), (target_ids, budgets)), _ = row_of(batch, row)
        cache, fed, worst = model.make_cache(), 0, 0.0
        for i, (token, budget) in enumerate(zip(target_ids, budgets, strict=True)):
            ready = sum(read <= budget for read in needed)
            assert ready > 0
            ids = [*source_ids[fed:ready], token]
            kinds = np.array([SOURCE] * (ready - fed) + [TARGET], np.uint8)
            logits = np.array(model.forward([ids], kinds=kinds, cache=cache, rows=[len(ids) - 1]))[0, -1]
            fed = max(fed, ready)
            worst = max(worst, np.abs(logits - whole[row, batch.source_length + i]).max())
        # Trained logits reach ±20, so that rounding shows earlier than on the random models of the law's own test, and
        # a prompt that the model was not trained with makes it worse; a wrong position or mask would be 100 times that.
        assert worst < (5e-5 if prompt else 1e-5) * max(10, np.abs(whole).max())


@pytest.mark.parametrize(("k", "prompt"), [(1, False), (3, False), (5, False), (2, True)])
def test_law_the_engine_chooses_what_the_training_row_says(checkpoint, collator, prompted, k, prompt):
    """Teacher-forced on the session's own output, each row's best token is the one that the session wrote."""
    collator = prompted if prompt else collator
    translator = replace(load("en-pt"), tokenizer=collator.tokenizer)
    sentences = [source for source, _ in PAIRS] + ["She lives in a small house with two dogs and a garden."]
    pairs = [(sentence, translator.translate(sentence, WaitK(k))) for sentence in sentences]
    batch = collator.at_k(pairs, k)
    model = checkpoint.model
    logits = np.array(model.forward(batch.ids, positions=batch.positions, mask=batch.mask))[:, batch.source_length :]
    compared = equal = 0
    for row, (_, target) in enumerate(pairs):
        labels = batch.labels[row][batch.labels[row] != IGNORE]
        # The session may have passed over an end mark that came before the source was read; only then do they differ.
        asked = logits[row, batch.labels[row] != IGNORE]
        found = asked.argmax(-1)
        best_two = np.sort(asked, axis=-1)[:, -2:]
        sure = (np.diff(best_two, axis=-1)[:, 0] > 1e-3) & (found != collator.tokenizer.end_id)
        compared += int(sure.sum())
        equal += int((found == labels)[sure].sum())
        assert units(target, "pt"), "the model says something"
    assert compared > 20
    assert equal == compared


def test_parts_of_a_batch_are_its_rows(collator):
    batch = collator(PAIRS, np.random.default_rng(1))
    parts = [batch.part(number, 3) for number in range(3)]
    assert [len(part.ids) for part in parts] == [2, 1, 1]
    assert sum(part.label_count for part in parts) == batch.label_count
    assert (parts[1].mask[0] == batch.mask[1]).all()
    assert (parts[0].labels[1] == batch.labels[3]).all()


def test_languages_without_spaces_have_a_word_a_character(tokenizer):
    collator = Collator(tokenizer, "zh", "en", (1,), 0, 0, 0)
    ((_, needed), (_, budgets)), _ = row_of(collator.at_k([("你好吗", "How are you")], 1), 0)
    assert max(needed) == 3
    assert budgets[0] == 1
