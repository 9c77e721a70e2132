"""What makes it fast changes no result, and a step costs the same however much has been read; nothing is timed here."""

import numpy as np
import pytest
from tiny_model import difference, tiny_model

from streamtrans.models.qwen2_streaming import exponential
from streamtrans.models.qwen2_streaming import panels as panels_module
from streamtrans.models.qwen2_streaming.masks import SOURCE, TARGET
from streamtrans.models.qwen2_streaming.packed import pack
from streamtrans.models.qwen2_streaming.panels import PanelEmbedding, add_product, flat, multiply, panel_width, panels
from streamtrans.runtime import mx


def normal(*shape, seed=0):
    return mx.array(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


@pytest.fixture(params=["panels", "whole"], autouse=True)
def storage(request, monkeypatch):
    """Both ways to store a weight, whichever suits this machine."""
    monkeypatch.setattr(panels_module, "_IN_PANELS", request.param == "panels")
    return request.param


class TestPanels:
    def test_the_width_divides_the_results(self, storage):
        if storage == "whole":
            assert panel_width(8000) == 8000
            return
        assert [panel_width(n) for n in (1536, 8000, 96, 48, 61, 127)] == [64, 64, 48, 48, 61, 1]

    @pytest.mark.parametrize("width", [40, 768])
    @pytest.mark.parametrize("rows", [1, 3, 32, 33, 37, 48, 256])
    def test_products_are_those_of_the_whole_weight(self, rows, width):
        x, weight, h = normal(rows, width), normal(192, width, seed=1) / width**0.5, normal(rows, 192, seed=2)
        whole = x @ weight.T
        assert difference(flat(multiply(x, panels(weight))), whole) < 1e-5
        assert difference(add_product(h, x, panels(weight)), h + whole) < 1e-5

    @pytest.mark.parametrize("rows", [1, 64])
    def test_a_row_may_be_added(self, rows):
        x, weight, bias = normal(rows, 40), normal(192, 40, seed=1), normal(192, seed=2)
        sums = multiply(x, panels(weight), plus=bias.reshape(-1, 1, panel_width(192)))
        assert difference(flat(sums), x @ weight.T + bias) < 1e-5

    def test_one_table_for_both_ends(self):
        table = normal(128, 24)
        embedding, ids = PanelEmbedding(table), mx.array([[0, 63, 64], [127, 5, 77]])
        assert difference(embedding(ids), table[ids]) == 0
        assert difference(embedding.as_linear(normal(2, 3, 24)), normal(2, 3, 24) @ table.T) < 1e-5


class TestExponentials:
    """Powers against numpy, and the way for many scores against the way for few."""

    @pytest.mark.parametrize("size", [7, 20_000])
    def test_gates(self, size):
        gate, up = np.linspace(-200, 200, size, dtype=np.float32), normal(size)
        known = gate / (1 + np.exp(-gate.astype(np.float64))) * np.array(up)
        assert np.abs((np.array(exponential.gated(mx.array(gate), up)) - known) / (1 + np.abs(known))).max() < 1e-6

    def test_attention(self):
        scores, values = normal(1, 2, 200, 80) * 20, normal(1, 2, 80, 8, seed=1)
        scores[:, :, 3, 5:] = -mx.inf
        few = [exponential.weighted(scores[:, :, i : i + 50], values) for i in range(0, 200, 50)]
        assert difference(exponential.weighted(scores, values), mx.concatenate(few, axis=2)) < 1e-5

    def test_confidence_and_entropy(self):
        logits = np.array(normal(5, 300)) * 10
        logits[2, :100] = -np.inf
        chances = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
        chances /= chances.sum(-1, keepdims=True)
        best, entropy = exponential.confidence(mx.array(logits))
        assert np.allclose(np.array(best), chances.max(-1), atol=1e-6)
        assert np.allclose(np.array(entropy), -(chances * np.log(np.maximum(chances, 1e-300))).sum(-1), atol=1e-5)

    def test_what_is_masked_weighs_nothing(self):
        scores, values = mx.full((300, 100), -mx.inf), mx.full((100, 4), 1e6)
        scores[:, 0], values[0] = 0, 1
        assert difference(exponential.weighted(scores, values), mx.ones((300, 4))) == 0


def model_with_much_to_remember():
    """Heads so wide that the memory of 1,000 words is many times the scores of a step."""
    return pack(tiny_model(vocab_size=512, hidden_size=512))


def read(model, caches, count):
    ids = np.arange(count)[None] % 500
    mx.eval(model.forward(ids, kinds=np.full(count, SOURCE, np.uint8), cache=caches, rows=[count - 1]))


def bytes_of_a_step(model, caches):
    """The most memory that reading a word and writing the next token takes beyond what was held before."""
    mx.synchronize()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    mx.eval(model.forward([[7, 8, 9]], kinds=[SOURCE, SOURCE, TARGET], cache=caches, rows=[2]))
    return mx.get_peak_memory() - before


def operations_of_a_step(model, caches, tmp_path):
    """The nodes of the graph of one step, its last layer at least: what came before it has been started by then."""
    logits = model.forward([[7, 8, 9]], kinds=[SOURCE, SOURCE, TARGET], cache=caches, rows=[2])
    mx.export_to_dot(str(tmp_path / "step.dot"), logits)
    mx.eval(logits)
    return (tmp_path / "step.dot").read_text().count("->")


def test_a_step_costs_the_same_at_1000_words_but_for_attention(tmp_path):
    """Memory of a step may grow by its rows of scores, and not by what has been read: a copied cache would show."""
    model, measured = model_with_much_to_remember(), []
    args = model.args
    for words in (10, 1000):
        caches = model.make_cache()
        read(model, caches, words)
        model.forward([[5]], kinds=[TARGET], cache=caches)
        mx.eval([cache.state[0] for cache in caches])
        if caches[0].capacity - len(caches[0]) < 20:
            read(model, caches, 20)  # a block that is about to be full would grow, which is not a step's cost
        operations = operations_of_a_step(model, caches, tmp_path)
        measured.append((operations, bytes_of_a_step(model, caches), caches[0].nbytes))
    (few, little, small), (many, much, large) = measured
    assert few == many
    scores = 1000 * 3 * args.num_attention_heads * 4  # bytes of one array of scores in one layer
    assert large - small > 20 * scores
    assert much - little < 8 * scores
