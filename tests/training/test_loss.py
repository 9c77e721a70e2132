"""The loss against its definition, dropout, and the optimisers against theirs."""

import mlx.optimizers as optim
import numpy as np
import pytest
from mlx.utils import tree_flatten

from streamtrans.models.qwen2_streaming.masks import SOURCE, TARGET, Entries
from streamtrans.models.qwen2_streaming.model import Model, ModelArgs
from streamtrans.runtime import mx
from streamtrans.training.config import NewModel, Optimiser
from streamtrans.training.data.collator import IGNORE, Batch
from streamtrans.training.loss import add_dropout, summed_loss
from streamtrans.training.new_model import initial_weights, model_config
from streamtrans.training.optimiser import MatchedMuon, Optimisers


def small_model(layers=2):
    sizes = NewModel(hidden=32, layers=layers, heads=2, kv_heads=1, intermediate=48)
    model = Model(ModelArgs.from_dict(model_config(sizes, 50)))
    model.load_weights(list(initial_weights(model, 0).items()))
    return model


def small_batch():
    """Two rows of 3 + 3 tokens; the second has one token less on either side."""
    random = np.random.default_rng(0)
    kind = np.array([[SOURCE] * 3 + [TARGET] * 3, [SOURCE] * 2 + [0] + [TARGET] * 2 + [0]])
    order = np.tile(np.arange(3), (2, 2))
    read = np.tile([1, 2, 3, 1, 2, 3], (2, 1)) * (kind > 0)
    labels = np.where(kind[:, 3:] > 0, random.integers(1, 50, (2, 3)), IGNORE)
    return Batch(random.integers(1, 50, (2, 6)), order, labels, Entries(kind, order, read))


def test_loss_is_the_likelihood_of_the_labels():
    model, batch = small_model(), small_batch()
    logits = np.array(model.forward(batch.ids, positions=batch.positions, mask=batch.mask), np.float64)[:, 3:]
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = batch.labels != IGNORE
    expected = -logs[wanted][np.arange(wanted.sum()), batch.labels[wanted]].sum()
    plain, likelihood = summed_loss(model, batch)
    assert float(plain) == float(likelihood) == pytest.approx(expected, rel=1e-5)
    smooth, likelihood = summed_loss(model, batch, smoothing=0.1)
    assert float(likelihood) == pytest.approx(expected, rel=1e-5)
    assert float(smooth) == pytest.approx(0.9 * expected - 0.1 * logs[wanted].mean(-1).sum(), rel=1e-5)


def test_padding_has_no_gradient_and_what_was_not_read_neither():
    model, batch = small_model(), small_batch()
    gradients = mx.grad(lambda table: _loss_with(model, table, batch))(model.model.embed_tokens.weight)
    assert not mx.isnan(gradients).any()
    changed = batch.ids.copy()
    changed[1, [2, 5]] = 49
    other = Batch(changed, batch.positions, batch.labels, batch.entries)
    assert float(summed_loss(model, other)[0]) == pytest.approx(float(summed_loss(model, batch)[0]), rel=1e-6)


def _loss_with(model, table, batch):
    model.model.embed_tokens.weight = table
    return summed_loss(model, batch)[0]


def test_dropout_only_in_training_and_under_the_same_names():
    model, batch = small_model(), small_batch()
    before = dict(tree_flatten(model.parameters()))
    plain = float(summed_loss(model, batch)[0])
    add_dropout(model, 0.3)
    after = dict(tree_flatten(model.parameters()))
    assert before.keys() == after.keys()
    assert all(mx.array_equal(before[name], after[name]) for name in before)
    model.train()
    losses = []
    for seed in (1, 1, 2):
        mx.random.seed(seed)
        losses.append(float(summed_loss(model, batch)[0]))
    assert losses[0] == losses[1] != losses[2]
    assert losses[0] != pytest.approx(plain, rel=1e-4)
    model.eval()
    assert float(summed_loss(model, batch)[0]) == plain


@pytest.mark.parametrize("shape", [(16, 16), (48, 16), (16, 64)])
def test_muon_moves_as_far_as_adamw_would(shape):
    random = np.random.default_rng(0)
    weight, gradient = (mx.array(random.normal(0, 1, shape).astype(np.float32)) for _ in range(2))
    muon = MatchedMuon(0.01, momentum=0.9, weight_decay=0.5)
    moved = muon.apply_gradients({"w": gradient}, {"w": weight})["w"]
    step = (np.array(weight) * (1 - 0.01 * 0.5) - np.array(moved)) / 0.01
    size = np.sqrt((step**2).mean())
    assert 0.7 * 0.2 < size < 1.3 * 0.2, "root mean square 0.2, whatever the shape"
    singular = np.linalg.svd(step / (0.2 * max(shape) ** 0.5), compute_uv=False)
    assert singular.min() > 0.5
    assert singular.max() < 1.3


def test_who_optimises_what_and_clipping():
    model = small_model()
    parameters = model.trainable_parameters()
    whole = Optimisers(Optimiser(warmup_steps=0))
    muon, adamw = whole.whole._split_dictionary(parameters)
    names = [name for name, _ in tree_flatten(muon)]
    assert len(names) == 7 * 2
    assert all(name.endswith("proj.weight") for name in names)
    assert "model.embed_tokens.weight" in dict(tree_flatten(adamw))
    huge = {"model": {"norm": {"weight": mx.full((32,), 1e6)}}}
    plain = Optimisers(Optimiser(name="adamw", adamw_rate=0.1, weight_decay=0, warmup_steps=0, clip_norm=1.0))
    moved, norm = plain.apply(huge, {"model": {"norm": {"weight": mx.ones(32)}}}, 0)
    assert float(norm) == pytest.approx(1e6 * 32**0.5, rel=1e-4)
    assert np.allclose(np.array(moved["model"]["norm"]["weight"]), 0.9, atol=1e-3), "bias-corrected first step"
    assert isinstance(Optimisers(Optimiser(), adapters=True).whole.optimizers[0], optim.AdamW)
