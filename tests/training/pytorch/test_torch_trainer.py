"""The PyTorch trainer: the loss of MLX's, runs that go on exactly, checkpoints that load, and what it refuses."""

import json
import math
import subprocess
import sys
import time
import types
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from toy_pairs import toy_config

torch = pytest.importorskip("torch", reason="the PyTorch trainer needs torch")
torch.set_num_threads(1)  # products are tiny here, and threads that wait for one another slow

from safetensors.numpy import load_file, save_file  # noqa: E402

from streamtrans.engine.translator import load  # noqa: E402
from streamtrans.errors import DataError, ModelError, UsageError  # noqa: E402
from streamtrans.models.loading import load_model  # noqa: E402
from streamtrans.policies import WaitK  # noqa: E402
from streamtrans.ranks import Ranks  # noqa: E402
from streamtrans.training.config import load_config  # noqa: E402
from streamtrans.training.data.corpus import read_corpus  # noqa: E402
from streamtrans.training.log import read_training_log  # noqa: E402
from streamtrans.training.loss import summed_loss  # noqa: E402
from streamtrans.training.origin import start_from  # noqa: E402
from streamtrans.training.progress import TrainingError  # noqa: E402
from streamtrans.training.pytorch import chosen_device, chosen_dtype  # noqa: E402
from streamtrans.training.pytorch.batches import DeviceRows, FlatRows  # noqa: E402
from streamtrans.training.pytorch.model import _by_kernel, _by_products  # noqa: E402
from streamtrans.training.pytorch.optimiser import Muon  # noqa: E402
from streamtrans.training.pytorch.schedules import plain  # noqa: E402
from streamtrans.training.pytorch.trainer import TorchTrainer  # noqa: E402
from streamtrans.training.run import run_training  # noqa: E402

HERE = ["trainer=torch", "device=cpu", "precision=float32"]


def run(path, name="run", *overrides, **sections):
    """Trains, and gives the outcome and the rows of the log."""
    outcome = run_training(load_config(path / "config.yaml", [*HERE, *overrides]), path / name, **sections)
    return outcome, read_training_log(path / name / "log.jsonl")


def losses(rows):
    return [row["loss"] for row in rows]


def trainer_of(path, *overrides):
    """The trainer of a toy run that has not begun."""
    config = load_config(path / "config.yaml", [*HERE, *overrides])
    corpus, run = read_corpus(config), path / "fresh"
    run.mkdir(exist_ok=True)
    origin = start_from(config, corpus, run, make=not (run / "start").exists())
    return TorchTrainer(config, origin, run, len(corpus.pairs), Ranks()), corpus


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A folder with configuration, data, and a run of 8 updates."""
    path = tmp_path_factory.mktemp("first")
    toy_config(path)
    outcome, rows = run(path)
    return path, outcome, rows


def test_a_run_learns_and_leaves_what_streamtrans_loads(first):
    path, outcome, rows = first
    assert (outcome.step, outcome.interrupted) == (8, False)
    assert losses(rows)[-1] < losses(rows)[0] - 1
    assert outcome.best == min((row["nll_1"] + row["nll_3"]) / 2 for row in rows if "nll_1" in row)
    for name in ("best", "last"):
        translator = load(path / "run" / name)
        assert translator.settings.source_language == "en"
        translator.translate("the cook buys water at home.", WaitK(2))
    assert load_file(path / "run/last/model.safetensors")["model.norm.weight"].dtype == np.float32


def test_both_trainers_start_from_the_same_and_stay_close(first):
    """Other random schedules, so close and not equal; the loss of one batch is the next test's."""
    path, _, rows = first
    outcome = run_training(load_config(path / "config.yaml"), path / "mlx")
    theirs = read_training_log(path / "mlx" / "log.jsonl")
    start, other = (load_file(path / name / "start/model.safetensors") for name in ("run", "mlx"))
    assert all(np.array_equal(start[name], other[name]) for name in start)
    assert [row["step"] for row in rows] == [row["step"] for row in theirs]
    assert [row.keys() for row in rows] == [row.keys() for row in theirs]
    assert losses(rows) == pytest.approx(losses(theirs), rel=0.1)
    assert outcome.best == pytest.approx(first[1].best, rel=0.1)
    assert sorted(p.name for p in (path / "run").iterdir()) == sorted(p.name for p in (path / "mlx").iterdir())


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_a_batch_is_that_of_mlx(first, smoothing):
    trainer, corpus = trainer_of(first[0])
    collator, pairs, which = trainer.origin.collator, corpus.pairs[:16], np.arange(16)
    rows = DeviceRows(FlatRows.of([collator.encode(pair) for pair in pairs]), torch.device("cpu"))
    ours = [float(x.detach()) for x in trainer.model.loss(rows.batch(which, plain(rows, which, 3)), smoothing)]
    model, _ = load_model(trainer.origin.directory, fuse=False)
    theirs = [float(x) for x in summed_loss(model, collator.at_k(pairs, 3), smoothing)]
    assert ours == pytest.approx(theirs, rel=1e-4)
    assert trainer.validate(pairs)["nll_3"] == pytest.approx(theirs[1] / rows.labels_of(which), rel=1e-4)


def test_both_ways_of_attention_are_one():
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 6, 5, 8), torch.randn(2, 3, 9, 8), torch.randn(2, 3, 9, 8)
    bias = torch.zeros(2, 1, 5, 9).masked_fill_(torch.rand(2, 1, 5, 9) < 0.3, -1e4)
    torch.testing.assert_close(_by_kernel(q, k, v, bias), _by_products(q, k, v, bias), rtol=1e-5, atol=1e-6)


def test_the_loss_as_a_gpu_computes_it_is_the_same(first):
    """Fused attention, logits of padding too, aligned lengths; its gradients as well."""
    trainer, corpus = trainer_of(first[0])
    collator, which, found = trainer.origin.collator, np.arange(16), []
    flat = FlatRows.of([collator.encode(pair) for pair in corpus.pairs[:16]])
    for on_cpu in (True, False):
        trainer.model.on_cpu = on_cpu
        rows = DeviceRows(flat, torch.device("cpu"), aligned=1 if on_cpu else 8)
        objective, likelihood = trainer.model.loss(rows.batch(which, plain(rows, which, 3)), 0.1)
        objective.backward()
        gradients = trainer.model.take_gradients()
        found.append({"objective": objective.detach(), "likelihood": likelihood, **gradients})
    for name, value in found[0].items():
        torch.testing.assert_close(found[1][name], value, rtol=1e-4, atol=1e-4, msg=name)


def test_a_run_as_on_a_gpu(first, monkeypatch):
    """Losses looked at late, batches of aligned lengths that processes encode; a bad loss is still found and named."""
    path, _, rows = first
    monkeypatch.setattr("streamtrans.training.pytorch.trainer.MANY", 50)
    monkeypatch.setattr("streamtrans.training.pytorch.trainer.os.cpu_count", lambda: 3)
    monkeypatch.setattr(TorchTrainer, "on_cpu", property(lambda self: False, lambda self, value: None), raising=False)
    outcome, told = run(path, "gpu", "report.log_every=4")
    assert outcome.step == 8
    assert [row["step"] for row in told] == [4, 8]
    assert told[-1]["nll_3"] == pytest.approx(rows[-1]["nll_3"], rel=0.1)
    update = TorchTrainer.update

    def poisoned(self, work, seconds, stop=False):
        if self.progress.step == 1:
            self.model.working["model.norm.weight"].data *= math.nan
        return update(self, work, seconds, stop)

    monkeypatch.setattr(TorchTrainer, "update", poisoned)
    with pytest.raises(TrainingError, match=r"step 2: loss nan.*Nothing was saved yet"):
        run(path, "gpunan", "report.log_every=4", "report.save_every=8")


@pytest.mark.parametrize("shape", [(24, 40), (40, 24), (32, 32)])
def test_muon_is_that_of_torch(shape):
    """But for its rounding: torch's orthogonalises in bf16."""
    torch.manual_seed(1)
    start, ours, theirs = torch.randn(2, *shape), [], []
    for weights in (ours, theirs):
        weights += [torch.nn.Parameter(matrix.clone()) for matrix in start]
    optimisers = [
        Muon(ours, 0.02, 0.1, 0.9, torch.float32),
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
    torch.testing.assert_close(found, expected)


def test_bf16_where_there_are_instructions_for_it(monkeypatch):
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    for able, expected in [({"avx512_bf16": True}, torch.bfloat16), ({"avx2": True, "amx_bf16": False}, torch.float32)]:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: able)
        assert chosen_dtype("auto", cpu) == expected
    assert chosen_dtype("auto", gpu) == torch.bfloat16
    assert chosen_dtype("bfloat16", cpu) == torch.bfloat16
    assert chosen_dtype("float32", gpu) == torch.float32


def test_bfloat16_stays_close(first):
    path, _, rows = first
    assert losses(run(path, "half", "precision=bfloat16")[1]) == pytest.approx(losses(rows), rel=0.03)
    assert load_file(path / "half/last/model.safetensors")["model.norm.weight"].dtype == np.float32


@pytest.mark.parametrize("changes", [[], ["optimiser.dropout=0.1", "optimiser.average=0.9", "optimiser.name=adamw"]])
def test_going_on_is_exact(first, changes):
    path, _, rows = first
    name = f"parts{len(changes)}"
    whole = rows if not changes else run(path, name + "whole", *changes)[1]
    for step in (3, 5):

        def stop(row, step=step):
            if row["step"] == step:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(path, name, *changes, "report.save_every=1", say=stop)
    _, told = run(path, name, *changes, "report.save_every=1")
    assert losses(told) == losses(whole)
    assert [row.get("nll_1") for row in told] == [row.get("nll_1") for row in whole]


@pytest.mark.parametrize("parts", [2, 5])
def test_micro_batches_change_nothing(first, parts):
    path, _, rows = first
    _, told = run(path, f"micro{parts}", f"optimiser.micro_batches={parts}")
    assert losses(told) == pytest.approx(losses(rows), rel=2e-4)


def test_the_clock_ends_a_run_with_the_rate_near_zero(first, monkeypatch):
    path, ticks = first[0], count()
    clock = types.SimpleNamespace(perf_counter=lambda: next(ticks) / 10, time=time.time)
    monkeypatch.setattr("streamtrans.training.run.time", clock)
    changes = ["optimiser.steps=null", "optimiser.seconds=6", "optimiser.warmup_steps=1"]
    outcome, rows = run(path, "clock", *changes)
    assert outcome.step == rows[-1]["step"] > 8
    rates = [row["rate"] for row in rows]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0.9
    assert rates[-1] < 0.1
    state = json.loads((path / "clock/last/state.json").read_text())
    assert state["seconds"] >= 6
    assert run(path, "clock", *changes)[0] == outcome, "time that was trained is not trained again"


def test_another_run_is_not_gone_on_with(first):
    path = first[0]
    with pytest.raises(UsageError, match="was trained with seed=1, not 9"):
        run(path, "run", "seed=9")
    with pytest.raises(UsageError, match='was trained with trainer="torch", not "mlx"; choose another run=DIR'):
        run(path, "run", "trainer=mlx", "device=auto")
    run(path, "lost", "optimiser.steps=1")
    optimiser = path / "lost/last/optimiser.safetensors"
    save_file({"sgd/x/y": np.zeros(1)}, optimiser)
    with pytest.raises(DataError, match="does not hold the optimisers of this run"):
        run(path, "lost")
    optimiser.write_bytes(b"12")
    with pytest.raises(DataError, match="corrupt or truncated"):
        run(path, "lost")


def test_a_loss_that_is_not_a_number_stops_and_keeps_the_last_good_state(first, monkeypatch):
    path, update = first[0], TorchTrainer.update

    def poisoned(self, work, seconds, stop=False):
        if self.progress.step == 4:
            self.model.working["model.norm.weight"].data *= math.nan
        return update(self, work, seconds, stop)

    monkeypatch.setattr(TorchTrainer, "update", poisoned)
    with pytest.raises(
        TrainingError, match=r"step 5: loss nan.*batch \d+ of chunk 0, epoch 0, which begins with '"
    ) as e:
        run(path, "nan")
    assert "holds the last good state" in str(e.value)
    assert json.loads((path / "nan/last/state.json").read_text())["step"] == 3
    monkeypatch.undo()
    assert losses(run(path, "nan")[1]) == losses(first[2]), "it goes on from there"


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"), RuntimeError("can't allocate memory")],
)
def test_a_device_without_memory_says_what_to_lower(first, monkeypatch, error):
    def loss(self, batch, smoothing=0.0):
        raise error

    monkeypatch.setattr("streamtrans.training.pytorch.model.TorchQwen2.loss", loss)
    with pytest.raises(
        UsageError, match=r"cpu has no memory for a batch of optimiser.batch_tokens=500; lower it, or"
    ) as e:
        run(first[0], "full")
    assert "optimiser.micro_batches=2 say" in str(e.value)
    assert "\n" not in str(e.value)


def test_a_device_that_is_not_there_is_named():
    for name in ("cuda:9", "mps") if not torch.backends.mps.is_available() else ("cuda:9",):
        with pytest.raises(UsageError, match=f"device={name}, but PyTorch .* finds only .*1 cpu here; try device=auto"):
            chosen_device(name)
    assert chosen_device("cpu") == torch.device("cpu")


def test_several_processes_are_refused(first, monkeypatch):
    monkeypatch.setattr(Ranks, "launched", classmethod(lambda cls: replace(cls(), size=2)))
    monkeypatch.setattr(Ranks, "meet", lambda self: None)
    with pytest.raises(UsageError, match=r"trains in one process, and .* started 2"):
        run(first[0], "two")


def test_the_rotary_base_may_be_where_transformers_5_writes_it(first):
    trainer, _ = trainer_of(first[0])
    assert trainer.model.theta == 10000
    del trainer.origin.config["rope_theta"]
    assert type(trainer.model)(trainer.origin.config, trainer.model.masters, torch.float32).theta == 10000


def test_an_output_layer_of_its_own_is_refused_not_lost(first):
    trainer, _ = trainer_of(first[0])
    weights = trainer.origin.directory / "model.safetensors"
    tensors = load_file(weights)
    save_file(tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"]}, weights)
    trainer.origin.config["tie_word_embeddings"] = False
    try:
        with pytest.raises(ModelError, match="output layer of its own"):
            trainer._read_weights(trainer.origin.directory)
    finally:
        save_file(tensors, weights)


def test_mistakes_are_one_line_on_the_command_line(first):
    program = [sys.executable, "-c", "from streamtrans.cli.app import main; main()", "train", "-c"]
    for changes, message in [
        (["device=cuda:9"], "device=cuda:9, but PyTorch"),
        (["lora.rank=2"], "lora is for trainer=mlx"),
        (["optimiser.seconds=9"], "give seconds or steps, not both"),
    ]:
        arguments = [*program, first[0] / "config.yaml", "trainer=torch", *changes, f"run={first[0] / 'x'}"]
        done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
