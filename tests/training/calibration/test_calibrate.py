"""The regret head: its rows are what the engine sees, it learns, and it is written so that a kill spoils nothing."""

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from streamtrans.engine.translator import load
from streamtrans.errors import DataError, ModelError
from streamtrans.models.loading import load_checkpoint
from streamtrans.models.qwen2_streaming.model import ModelArgs
from streamtrans.models.qwen2_streaming.regret_head import (
    FILE,
    RECENT,
    RegretHead,
    fingerprint,
    load_regret_head,
    save_regret_head,
)
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies import AlignAtt, Learned, WaitK
from streamtrans.policies.base import Action, Regret
from streamtrans.runtime import mx
from streamtrans.text.tokenizer import load_tokenizer
from streamtrans.training.calibration.alignment_heads import Looks, find_heads
from streamtrans.training.calibration.auc import auc
from streamtrans.training.calibration.calibrate import Calibration, calibrate_checkpoint, write_calibrated
from streamtrans.training.calibration.decisions import (
    PATIENCE,
    Decisions,
    collator_for,
    label,
    now_and_then,
    word_begins,
)
from streamtrans.training.calibration.regret_head import Examples, Measured, examples_of, fit, measure_head, train_head
from streamtrans.training.checkpoints import write_model

HEADS = load_checkpoint("en-pt").settings.alignment_heads

PAIRS = [
    ("We went home because it had begun to rain.", "Fomos para casa porque tinha começado a chover."),
    ("Good morning, my friend.", "Bom dia, meu amigo."),
    ("The train to Lisbon leaves at half past nine.", "O comboio para Lisboa parte às nove e meia."),
]


@pytest.fixture(scope="module")
def checkpoint():
    return load_checkpoint("en-pt")


@pytest.fixture(scope="module")
def collator(checkpoint):
    return collator_for(load_tokenizer(checkpoint.directory, "sentencepiece-suffix"), checkpoint.settings)


def test_a_head_that_was_made_for_other_weights_is_refused(tmp_path):
    """Edition 4's head beside edition 5's weights, say: the shapes may agree, and the translation would be worse."""
    args = load_checkpoint("en-pt").model.args
    weights = {name: mx.ones((4,)) for name in ("model.norm.weight", "model.layers.0.self_attn.k_proj.bias")}
    mx.save_safetensors(str(tmp_path / "model.safetensors"), weights)
    save_regret_head(RegretHead(args.hidden_size, [(0, 0)]), tmp_path / FILE, fingerprint(tmp_path))
    load_regret_head(tmp_path, args)
    for name in weights:
        mx.save_safetensors(str(tmp_path / "model.safetensors"), {**weights, name: mx.array([1, 1, 1, 1.01])})
        with pytest.raises(
            ModelError, match="was made for other weights than those beside it; make one with: streamtrans"
        ):
            load_regret_head(tmp_path, args)
    save_regret_head(RegretHead(args.hidden_size, [(0, 0)]), tmp_path / FILE)
    load_regret_head(tmp_path, args)  # a head of before there were fingerprints


def test_words_begin_where_the_one_before_ends(collator):
    words = PAIRS[0][1].split()
    labels = collator(PAIRS[:1], np.random.default_rng(0)).labels[0].tolist()
    found = [labels[place] for place in word_begins(collator.tokenizer, words)]
    assert found == [collator.tokenizer.encode_word(word, False)[0] for word in words] + [collator.tokenizer.end_id]


def test_one_pass_gives_what_two_give(checkpoint, collator):
    batch = collator(PAIRS, np.random.default_rng(1))
    source, length = batch.source_length, batch.ids.shape[1]
    both = np.array(checkpoint.model.forward(*now_and_then(batch)))
    now = np.array(checkpoint.model.forward(batch.ids, batch.positions, mask=batch.mask))
    wanted = batch.labels != -100
    np.testing.assert_allclose(both[:, source:length][wanted], now[:, source:][wanted], atol=1e-3)
    batch.entries.read[:, source:] += PATIENCE
    del batch.__dict__["mask"]
    then = np.array(checkpoint.model.forward(batch.ids, batch.positions, mask=batch.mask))
    np.testing.assert_allclose(both[:, length:][wanted], then[:, source:][wanted], atol=1e-3)


def test_rows_are_beginnings_of_words_before_all_is_read(checkpoint, collator):
    begins = [word_begins(collator.tokenizer, target.split()) for _, target in PAIRS]
    batch = collator(PAIRS, np.random.default_rng(2))
    rows = examples_of(checkpoint.model, Decisions.of(batch, begins), HEADS)
    read = batch.entries.read
    everything = read[:, : batch.source_length].max(axis=1)
    expected = sum(
        read[row, batch.source_length + place] < everything[row] for row, its in enumerate(begins) for place in its
    )
    assert len(rows) == expected > 5
    hidden_size = checkpoint.model.args.hidden_size
    assert rows.features.shape == (len(rows), hidden_size + 2 + len(HEADS) * RECENT)
    assert (rows.regret[~rows.changed] < 1e-5).all()
    assert (rows.regret[rows.changed] > 0).all()
    assert rows.regret.max() <= 1
    np.testing.assert_allclose(rows.features[:, hidden_size], 3 * rows.probability, rtol=1e-5)


def test_the_head_is_trained_on_what_the_engine_sees(checkpoint, collator):
    """Same hidden states, same attention to what was read last: the regret in a session is that of its training row."""
    translator, source = load("en-pt"), PAIRS[0][0]

    @dataclass(frozen=True)
    class Noting(WaitK):
        evidence = Regret()
        noted: ClassVar[list[float]] = []

        def decide(self, state):
            action = super().decide(state)
            if action is Action.WRITE:
                self.noted.append(state.evidence["regret"])
            return action

    target = translator.translate(source, Noting(3))
    batch = replace(collator, late_end_share=0).at_k([(source, target)], 3)
    rows = examples_of(checkpoint.model, Decisions.of(batch, [word_begins(collator.tokenizer, target.split())]), HEADS)
    head = load_regret_head(checkpoint.directory, checkpoint.model.args)
    expected = np.array(mx.sigmoid(head(mx.array(rows.features))))
    assert len(expected) == len(Noting.noted) >= 5
    np.testing.assert_allclose(Noting.noted, expected, atol=2e-3)


def test_the_label_is_what_the_best_token_loses():
    now = mx.log(mx.array([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1]]))
    then = mx.log(mx.array([[0.2, 0.8, 0.0], [0.5, 0.1, 0.4]]))
    regret, changed = label(now, then)
    np.testing.assert_allclose(np.array(regret), [0.75, 0], atol=1e-6)
    assert np.array(changed).tolist() == [True, False]


def test_a_head_learns_what_its_features_say():
    random = np.random.default_rng(0)
    features = random.normal(size=(3000, 6)).astype(np.float32)
    regret = (features[:, 0] > 0.5).astype(np.float32)
    rows = Examples(features, regret, random.random(3000).astype(np.float32), regret > 0.5)
    mx.random.seed(0)
    found = measure_head(fit(RegretHead(4, heads=()), rows), rows)
    assert found.auc > 0.95
    assert found.left < found.left_of_probability / 2
    assert abs(found.auc_of_probability - 0.5) < 0.1
    assert len(found.lines()) == 3


def test_auc_counts_ties_half():
    assert auc(np.array([1.0, 2, 3, 4]), np.array([False, False, True, True])) == 1
    assert auc(np.array([1.0, 1, 1, 1]), np.array([False, True, True, False])) == 0.5
    assert np.isnan(auc(np.array([1.0]), np.array([True])))


def test_it_is_the_same_each_time_and_tells_how_far_it_is(checkpoint, collator):
    told = []
    heads = [train_head(checkpoint.model, HEADS, collator, PAIRS * 30, told.append)[0] for _ in range(2)]
    assert sum(told) == 2 * 90
    np.testing.assert_array_equal(np.array(heads[0].inner.weight), np.array(heads[1].inner.weight))


def test_too_few_pairs(checkpoint, collator):
    with pytest.raises(DataError, match="1 sentence pairs are too few"):
        calibrate_checkpoint(checkpoint.model, collator, PAIRS[1:2], lambda number: None)


def test_looking_back_counts_words():
    weights = np.array([[[0.7, 0.2, 0.1], [0.0, 0.1, 0.9]]])
    looks = Looks(weights, np.array([[1, 1, 2]]), np.array([3]), np.array([True]))
    assert [looks.back(heads).tolist() for heads in ([0], [1], [0, 1])] == [[2], [1], [1]]


def test_heads_that_look_tell_better_than_chance(checkpoint, collator):
    heads, worth = find_heads(checkpoint.model, collator, PAIRS * 10, lambda number: None)
    assert 1 <= len(heads) <= 4
    assert sorted(set(heads)) == list(heads)
    assert worth > 0.5


def test_a_copy_or_the_checkpoint_itself_is_calibrated(tmp_path):
    origin, copy = tmp_path / "origin", tmp_path / "copy"
    origin.mkdir()
    (origin / "config.json").write_text('{"streamtrans": {"length_ratio": 3.0}}')
    worth = Measured(1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5)
    first, second = (Calibration(RegretHead(4, heads), worth, heads, 0.5) for heads in ([(0, 1)], [(1, 0), (1, 1)]))
    assert write_calibrated(origin, copy, first) == copy
    assert sorted(file.name for file in copy.iterdir()) == ["config.json", FILE]
    assert [file.name for file in origin.iterdir()] == ["config.json"]
    assert write_calibrated(copy, None, second) == copy
    args = ModelArgs(vocab_size=9, hidden_size=4, intermediate_size=4, num_hidden_layers=2, num_attention_heads=2)
    found = load_regret_head(copy, args)
    assert found.heads == ((1, 0), (1, 1))
    np.testing.assert_array_equal(np.array(found.inner.weight), np.array(second.head.inner.weight))
    settings = TranslationSettings.from_config(json.loads((copy / "config.json").read_text()))
    assert (settings.alignment_heads, settings.length_ratio) == (((1, 0), (1, 1)), 3.0)
    assert len(list(copy.iterdir())) == 2


def test_new_weights_are_not_calibrated(tmp_path):
    section = {"alignment_heads": [[0, 1]], "length_ratio": 3.0, "policy": {"name": "learned", "threshold": 0.2}}
    for policy, kept in [(section["policy"], {}), ({"name": "wait-k", "k": 5}, {"policy": {"name": "wait-k", "k": 5}})]:
        write_model(tmp_path, {}, {"streamtrans": section | {"policy": policy}}, tmp_path)
        config = json.loads((tmp_path / "config.json").read_text())
        assert config == {"streamtrans": {"length_ratio": 3.0} | kept}


def command(*arguments):
    program = [sys.executable, "-c", "from streamtrans.cli.app import main; main()", "models", "calibrate"]
    return subprocess.run([*program, *map(str, arguments)], capture_output=True, text=True, timeout=300)


def test_as_a_user_runs_it(tmp_path):
    (tmp_path / "p.tsv").write_text("en\tpt\n" + "".join(f"{s}\t{t}\n" for s, t in PAIRS for _ in range(9)), "utf-8")
    columns = ["--source-column", "en", "--target-column", "pt"]
    few = command("en-pt", "--data", tmp_path / "p.tsv", *columns, "-o", tmp_path / "made")
    assert few.returncode == 1  # each pair once is one batch
    assert "too few to calibrate with" in few.stderr.splitlines()[-1]
    assert not (tmp_path / "made").exists()
    more = "".join(f"{s} {number}\t{t} {number}\n" for s, t in PAIRS for number in range(30))
    (tmp_path / "p.tsv").write_text("en\tpt\n" + more, "utf-8")
    done = command("en-pt", "--data", tmp_path / "p.tsv", *columns, "-o", tmp_path / "made")
    assert done.returncode == 0, done.stderr
    assert "AUC of the head" in done.stderr
    assert f"wrote {tmp_path / 'made'}" in done.stderr
    for policy in (Learned(), AlignAtt()):
        assert load(tmp_path / "made").translate("Good morning, my friend.", policy)
    again = command("en-pt", "--data", tmp_path / "p.tsv", *columns, "-o", tmp_path / "made")
    assert (again.returncode, len(again.stderr.splitlines())) == (2, 1)
    wrong = command("en-pt", "--data", tmp_path / "p.tsv", "-o", tmp_path / "other")
    assert (wrong.returncode, "no column 'source'" in wrong.stderr) == (1, True)
    ours = command("en-pt", "--data", tmp_path / "p.tsv", *columns)
    assert (ours.returncode, "en-pt is not a directory of yours" in ours.stderr) == (2, True)
