"""A run: it learns, goes on exactly, averages, splits batches, stops on NaN and full disks, and can be interrupted."""

import errno
import json
import os
import signal
import sys
import threading
import types

import pytest
from toy_pairs import toy_config

from streamtrans.engine.translator import load
from streamtrans.errors import DataError, ModelError, StreamtransError, UsageError
from streamtrans.policies import WaitK
from streamtrans.runtime import mx
from streamtrans.training import checkpoints, files
from streamtrans.training.config import load_config
from streamtrans.training.log import plot_log, read_training_log
from streamtrans.training.progress import TrainingError
from streamtrans.training.run import run_training
from streamtrans.training.trainer import MlxTrainer


def run(path, name="run", *overrides, **sections):
    """Trains, and gives the outcome and the rows of the log."""
    folder = path / name
    outcome = run_training(load_config(path / "config.yaml", list(overrides)), folder, **sections)
    return outcome, read_training_log(folder / "log.jsonl")


def losses(rows):
    return [row["loss"] for row in rows]


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A folder with configuration, data, and a run of 8 updates."""
    path = tmp_path_factory.mktemp("first")
    toy_config(path)
    outcome, rows = run(path)
    return path, outcome, rows


def test_a_run_learns_and_leaves_what_streamtrans_loads(first):
    path, outcome, rows = first
    assert outcome.step == 8
    assert not outcome.interrupted
    assert losses(rows)[-1] < losses(rows)[0] - 1
    assert outcome.best == min((row["nll_1"] + row["nll_3"]) / 2 for row in rows if "nll_1" in row)
    assert [row["step"] for row in rows if "nll_3" in row] == [4, 8]
    for name in ("best", "last"):
        translator = load(path / "run" / name)
        assert translator.settings.trained_wait_k == (1, 2, 3, 4, 5, 6, 7, 9, float("inf"))
        assert translator.settings.source_language == "en"
        assert translator.tokenizer.space_after
        translator.translate("the cook buys water at home.", WaitK(2))
    assert (path / "run" / "log.png").stat().st_size > 1000


def test_the_same_seed_gives_the_same_run_and_saving_often_changes_nothing(first):
    path, _, rows = first
    _, again = run(path, "again", "report.save_every=1")
    assert losses(again) == losses(rows)


@pytest.mark.parametrize("changes", [[], ["optimiser.dropout=0.1", "optimiser.average=0.9", "optimiser.name=adamw"]])
def test_going_on_is_exact(first, changes):
    path, _, rows = first
    name = f"parts{len(changes)}"
    whole = rows if not changes else run(path, name + "whole", *changes)[1]
    schedule = ["optimiser.schedule=stable-decay"]
    # Stopped after 3 and after 5 updates; the rate depends on the planned end, so that is kept and updates are refused.
    stop_after(path, name, 3, changes + schedule)
    stop_after(path, name, 5, changes + schedule)
    _, told = run(path, name, *changes)
    assert losses(told) == losses(whole)
    assert [row.get("nll_1") for row in told] == [row.get("nll_1") for row in whole]


def stop_after(path, name, step, overrides):
    """Trains until a step has been done, then interrupts as Ctrl-C does."""

    def say(row):
        if row["step"] == step:
            os.kill(os.getpid(), signal.SIGINT)

    # The interrupt is noticed before the next update, which is still done.
    outcome, _ = run(path, name, *overrides, say=lambda row: say({"step": row["step"] + 1}))
    assert outcome.interrupted
    assert outcome.step == step


def test_a_finished_run_stays_as_it_is(first):
    path, outcome, rows = first
    again, told = run(path)
    assert again == outcome
    assert told == rows


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("seed=9", "seed=1, not 9"),
        ("data.validation_every=20", "pairs="),
        ("optimiser.batch_tokens=600", "batch_tokens=500"),
    ],
)
def test_another_run_is_not_gone_on_with(first, override, told):
    with pytest.raises(UsageError, match="choose another run=DIR") as error:
        run(first[0], "run", override)
    assert told in str(error.value)


@pytest.mark.parametrize("parts", [2, 5])
def test_micro_batches_change_nothing(first, parts):
    path, _, rows = first
    _, told = run(path, f"micro{parts}", f"optimiser.micro_batches={parts}")
    assert losses(told) == pytest.approx(losses(rows), rel=2e-4)


def test_averaged_weights_are_what_is_validated_and_kept(first):
    path, _, rows = first
    _, told = run(path, "average", "optimiser.average=0.5")
    assert losses(told) == losses(rows), "training itself does not see the average"
    assert told[-1]["nll_1"] != rows[-1]["nll_1"]
    kept, last = (mx.load(str(path / "average" / name / "model.safetensors")) for name in ("best", "last"))
    assert not mx.array_equal(kept["model.norm.weight"], last["model.norm.weight"])


def test_bfloat16_stays_close(first):
    path, _, rows = first
    _, told = run(path, "half", "precision=bfloat16")
    assert losses(told) == pytest.approx(losses(rows), rel=0.03)
    assert mx.load(str(path / "half" / "last" / "model.safetensors"))["model.norm.weight"].dtype == mx.float32


def test_a_loss_that_is_not_a_number_stops_and_keeps_the_last_good_state(first, monkeypatch):
    path = first[0]
    plain = MlxTrainer.update

    def poisoned(self, work, seconds, stop=False):
        if self.progress.step == 4:
            self.weights["model"]["norm"]["weight"] *= float("nan")
        return plain(self, work, seconds, stop)

    monkeypatch.setattr(MlxTrainer, "update", poisoned)
    with pytest.raises(
        TrainingError, match=r"step 5: loss nan.*batch \d+ of chunk 0, epoch 0, which begins with '"
    ) as e:
        run(path, "nan")
    assert "holds the last good state" in str(e.value)
    assert json.loads((path / "nan/last/state.json").read_text())["step"] == 3
    monkeypatch.undo()
    _, told = run(path, "nan")
    assert losses(told) == losses(first[2]), "it goes on from there"


def test_a_full_disk_is_said_and_the_checkpoint_before_is_kept(first, monkeypatch):
    path = first[0]
    plain, calls = checkpoints.mx.save_safetensors, []

    def save(file, arrays, *rest):
        calls.append(file)
        if len(calls) > 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        plain(file, arrays, *rest)

    monkeypatch.setattr(checkpoints.mx, "save_safetensors", save)
    with pytest.raises(StreamtransError, match="the disk is full; the checkpoint saved before is kept"):
        run(path, "full", "report.save_every=1")
    assert not list((path / "full").glob("*.new"))
    monkeypatch.undo()
    assert losses(run(path, "full", "report.save_every=1")[1]) == losses(first[2])


def test_a_kill_between_the_two_renames_is_repaired(tmp_path):
    (tmp_path / "last.old").mkdir()
    (tmp_path / "last.old" / "state").write_text("old")
    (tmp_path / "last.new").mkdir()
    files.recover(tmp_path / "last")
    assert (tmp_path / "last" / "state").read_text() == "old"
    with files.written_aside(tmp_path / "last") as fresh:
        (fresh / "state").write_text("new")
    assert (tmp_path / "last" / "state").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["last"]


def test_a_kill_after_the_renames_does_not_spoil_the_next_save(tmp_path):
    for name in ("last", "last.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "state").write_text(name)
    with files.written_aside(tmp_path / "last") as fresh:
        (fresh / "state").write_text("new")
    assert (tmp_path / "last" / "state").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["last"]


def test_training_on_another_thread_works_without_signals(first):
    told = []
    thread = threading.Thread(target=lambda: told.append(run(first[0], "thread", "optimiser.steps=2")))
    thread.start()
    thread.join(60)
    assert told[0][0].step == 2


def test_what_cannot_be_trained(first, tmp_path):
    path = first[0]
    with pytest.raises(ModelError, match="did you mean en-pt"):
        run(path, "x", "model=en-p")
    with pytest.raises(DataError, match="no pair left after filters; dropped 120 longer than 1 words"):
        run(path, "x", "data.max_words=1")
    with pytest.raises(ModelError, match="divide"):
        run(path, "x", "model.hidden=33")
    config = json.loads((path / "run/best/config.json").read_text())
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text(json.dumps({**config, "vocab_size": 100}))
    (tmp_path / "m" / "tokenizer.model").write_bytes((path / "run/best/tokenizer.model").read_bytes())
    with pytest.raises(ModelError, match=r"the tokenizer has .* tokens, the model 100; they do not belong together"):
        run(path, "x", f"model={tmp_path / 'm'}")
    (tmp_path / "torch" / "last").mkdir(parents=True)
    (tmp_path / "torch" / "last" / "state.json").write_text('{"step": 1, "place": {}}')
    with pytest.raises(DataError, match="not the state of a run of `streamtrans train`"):
        run_training(load_config(path / "config.yaml", ["model=en-pt"]), tmp_path / "torch")


def test_fine_tuning_a_checkpoint_starts_from_it(first):
    path, _, rows = first
    _, told = run(path, "tuned", f"model={path / 'run' / 'best'}", "optimiser.steps=3")
    assert losses(told)[0] < losses(rows)[-1] + 0.2


@pytest.mark.parametrize(("value", "where"), [("true", "run/tensorboard"), ("boards", "boards")])
def test_tensorboard_gets_the_rows_of_the_log(tmp_path, monkeypatch, value, where):
    told = {}

    class Writer:
        def __init__(self, directory, purge_step):
            told["began"] = directory, purge_step

        def add_scalar(self, name, number, step, time):
            told[name, step] = number, time

        def close(self):
            told["closed"] = True

    monkeypatch.setitem(sys.modules, "tensorboardX", types.SimpleNamespace(SummaryWriter=Writer))
    monkeypatch.chdir(tmp_path)
    toy_config(tmp_path)
    _, rows = run(tmp_path, "run", "optimiser.steps=2", f"report.tensorboard={value}")
    assert told.pop("began")[0].endswith(where)
    assert told.pop("closed")
    names = ("epoch", "loss", "tokens_per_s", "rate", "nll_1", "nll_3")
    assert told == {(n, row["step"]): (row[n], row["time"]) for row in rows for n in names if n in row}


def test_tensorboard_missing(first, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(UsageError, match="pip install tensorboardX"):
        run(first[0], "board", "report.tensorboard=true")


def test_log_survives_a_cut_line_and_is_drawn(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "nll_inf": 1.0}\n{"step": 3, "lo')
    assert [row["step"] for row in read_training_log(tmp_path / "log.jsonl")] == [1, 2]
    assert plot_log(tmp_path / "log.jsonl", tmp_path / "a.png")
