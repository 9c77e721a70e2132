"""The PyTorch trainer: the loss of `streamtrans train`, a run that goes on, and what it refuses."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file
from toy_pairs import toy_config

from streamtrans.errors import DataError, ModelError, UsageError
from streamtrans.models.loading import load_checkpoint
from streamtrans.training.config import load_config
from streamtrans.training.data.corpus import read_corpus
from streamtrans.training.loss import summed_loss
from streamtrans.training.origin import start_from

torch = pytest.importorskip("torch", reason="scripts/train_torch.py needs torch")

SCRIPT = Path(__file__).parents[2] / "scripts" / "train_torch.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("train_torch", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prepared(path, *overrides):
    """Configuration, corpus and origin of a toy model that is not trained yet."""
    config = load_config(toy_config(path), list(overrides))
    corpus = read_corpus(config)
    run = path / "run"
    run.mkdir(exist_ok=True)
    return config, corpus, start_from(config, corpus, run, make=not (run / "start").exists()), run


def train(script, path, steps):
    config, corpus, origin, run = prepared(path, f"optimiser.steps={steps}")
    trainer = script.Trainer(config, origin, run, len(corpus.pairs))
    script.run_loop(trainer, origin.collator, corpus.pairs, corpus.validation)
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_the_loss_is_that_of_the_other_trainer(script, tmp_path):
    config, corpus, origin, run = prepared(tmp_path)
    batch = origin.collator.at_k(corpus.pairs[:16], 3)
    ours = load_checkpoint(origin.directory, packed=False).model
    _, likelihood, count = script.Trainer(config, origin, run, len(corpus.pairs)).model.loss(batch)
    assert float(likelihood) / count == pytest.approx(float(summed_loss(ours, batch)[1]) / count, rel=5e-3)


@pytest.mark.parametrize("shape", [(24, 40), (40, 24), (32, 32)])
def test_muon_is_that_of_torch(script, shape):
    """But for its rounding: torch's orthogonalises in bf16."""
    torch.manual_seed(1)
    start, ours, theirs = torch.randn(2, *shape), [], []
    for weights in (ours, theirs):
        weights += [torch.nn.Parameter(matrix.clone()) for matrix in start]
    optimisers = [
        script.Muon(ours, 0.02, 0.1, 0.9, torch.float32),
        torch.optim.Muon(theirs, 0.02, 0.1, 0.9, adjust_lr_fn="match_rms_adamw"),
    ]
    for _ in range(3):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(shape)
            other.grad = mine.grad.clone()
        for optimiser in optimisers:
            optimiser.step()
    for before, mine, other in zip(start, ours, theirs, strict=True):
        assert torch.dist(mine, other).item() < 0.02 * torch.dist(before, other).item()
    found, expected = (optimiser.state_dict()["state"][1]["momentum_buffer"] for optimiser in optimisers)
    assert torch.equal(found, expected)


def test_bf16_where_there_are_instructions_for_it(script, monkeypatch):
    for able, expected in [({"avx512_bf16": True}, torch.bfloat16), ({"avx2": True, "amx_bf16": False}, torch.float32)]:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: able)
        assert script.chosen_dtype("auto", "cpu") == expected
    assert script.chosen_dtype("auto", "cuda") == torch.bfloat16
    assert script.chosen_dtype("bfloat16", "cpu") == torch.bfloat16
    assert script.chosen_dtype("float32", "cuda") == torch.float32


def test_a_run_goes_on_and_logs_each_step_once(script, tmp_path):
    train(script, tmp_path, 4)
    with open(tmp_path / "run" / "log.jsonl", "a") as log:  # as if it had been killed before it could save
        log.write(json.dumps({"step": 5, "loss": 0.0}) + "\n")
    rows = train(script, tmp_path, 8)
    assert [row["step"] for row in rows] == list(range(1, 9))
    assert rows[4]["loss"] > 0
    assert rows[-1]["loss"] < rows[0]["loss"] - 0.5


def test_another_run_is_not_gone_on_with(script, tmp_path):
    train(script, tmp_path, 2)
    config, corpus, origin, run = prepared(tmp_path, "seed=9")
    with pytest.raises(UsageError, match="was trained with seed=1, not 9"):
        script.Trainer(config, origin, run, len(corpus.pairs))
    tensors = load_file(run / "last" / "optimiser.safetensors")
    save_file({"whole/" + name: tensor for name, tensor in tensors.items()}, run / "last" / "optimiser.safetensors")
    with pytest.raises(DataError, match="is a run of `streamtrans train`"):
        script.Trainer(config, origin, run, len(corpus.pairs))


def test_mistakes_are_one_line(tmp_path):
    done = subprocess.run([sys.executable, SCRIPT, tmp_path / "none.yaml", tmp_path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, f"error: {tmp_path / 'none.yaml'}: No such file or directory\n")


def test_the_rotary_base_may_be_where_transformers_5_writes_it(script, tmp_path):
    config, corpus, origin, run = prepared(tmp_path)
    del origin.config["rope_theta"]
    assert script.Trainer(config, origin, run, len(corpus.pairs)).model.theta == 10000


def test_an_output_layer_of_its_own_is_refused_not_lost(script, tmp_path):
    config, corpus, origin, run = prepared(tmp_path)
    weights = origin.directory / "model.safetensors"
    tensors = load_file(weights)
    save_file(tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"]}, weights)
    origin.config["tie_word_embeddings"] = False
    with pytest.raises(ModelError, match="output layer of its own"):
        script.Trainer(config, origin, run, len(corpus.pairs))


def test_what_only_the_other_trainer_knows_is_refused(script, tmp_path):
    config = load_config(toy_config(tmp_path), ["report.tensorboard=true", "optimiser.name=adamw"])
    with pytest.raises(UsageError, match=r"name=adamw, report\.tensorboard"):
        script.check_supported(config)
