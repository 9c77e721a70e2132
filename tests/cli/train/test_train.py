"""`streamtrans train` as a user runs it: killed, interrupted, in two processes, and what it says."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_pairs import toy_config, toy_pairs

PROGRAM = [sys.executable, "-c", "from streamtrans.cli.app import main; main()"]
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "COLUMNS": "200"}
LAUNCHER = Path(sys.executable).parent / "mlx.launch"


def command(*arguments, **options):
    """Runs the program to its end; text on both streams."""
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)], capture_output=True, text=True, env=ENVIRONMENT, timeout=120, **options
    )


def log(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def losses(rows):
    return [row["loss"] for row in rows if "loss" in row]


def started(config, run, updates, *overrides):
    """A running training whose log has reached a number of updates."""
    process = subprocess.Popen(
        [*PROGRAM, "train", "-c", config, f"run={run}", *overrides], stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    deadline = time.monotonic() + 60
    while not (run / "log.jsonl").exists() or len((run / "log.jsonl").read_text().splitlines()) < updates:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Configuration and log of a run of 60 updates that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    changes = {"steps": 60, "warmup_steps": 5, "decay_steps": 20, "dropout": 0.1, "average": 0.9}
    config = toy_config(folder, optimiser=changes, report={"save_every": 7, "validate_every": 20})
    done = command("train", "-c", config, f"run={folder / 'run'}")
    assert done.returncode == 0, done.stderr
    return config, log(folder / "run"), done


def test_what_it_says(whole):
    _, rows, done = whole
    assert done.stdout == ""
    assert "110 pairs to train on, 10 to validate; dropped: nothing" in done.stderr
    assert "step 60: loss" in done.stderr
    assert "nll k=3" in done.stderr
    assert "/best" in done.stderr.splitlines()[-1]
    assert len(losses(rows)) == 60


def test_killed_and_gone_on_with_it_has_the_same_losses(whole, tmp_path):
    config, rows, _ = whole
    for updates in (11, 30):
        process = started(config, tmp_path / "run", updates)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    done = command("train", "-c", config, f"run={tmp_path / 'run'}")
    assert done.returncode == 0, done.stderr
    assert "going on after step" in done.stderr
    told = log(tmp_path / "run")
    assert losses(told) == losses(rows)
    assert [row["nll_3"] for row in told if "nll_3" in row] == [row["nll_3"] for row in rows if "nll_3" in row]


def test_ctrl_c_saves_and_the_same_command_goes_on(whole, tmp_path):
    config, rows, _ = whole
    process = started(config, tmp_path / "run", 10)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "saved in" in said
    assert "Traceback" not in said
    state = json.loads((tmp_path / "run/last/state.json").read_text())
    assert 10 <= state["step"] < 60
    assert command("train", "-c", config, f"run={tmp_path / 'run'}").returncode == 0
    assert losses(log(tmp_path / "run")) == losses(rows)


def test_json_rows_on_standard_output(whole, tmp_path):
    done = command("train", "-c", whole[0], "--json", f"run={tmp_path / 'run'}", "optimiser.steps=2")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["step"] for row in rows] == [1, 2]
    assert done.stderr == ""


@pytest.mark.skipif(not LAUNCHER.exists(), reason="mlx.launch is not installed beside this Python")
def test_two_processes_train_as_one(whole, tmp_path):
    overrides = ["optimiser.steps=8", "optimiser.dropout=0", "optimiser.micro_batches=1"]
    alone = command("train", "-c", whole[0], *overrides, f"run={tmp_path / 'one'}")
    assert alone.returncode == 0, alone.stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = [str(LAUNCHER), "-n", "2", "--backend", "ring", "--starting-port", str(port), "--"]
    arguments = [*launch, *PROGRAM, "train", "-c", str(whole[0]), *overrides, f"run={tmp_path / 'two'}"]
    together = subprocess.run(arguments, capture_output=True, text=True, env=ENVIRONMENT, timeout=120)
    said = together.stdout + together.stderr
    assert together.returncode == 0, said
    assert "2 process(es)" in said
    assert said.count("step 8: loss") == 1, "only the first process talks"
    told, rows = log(tmp_path / "two"), log(tmp_path / "one")
    assert losses(told) == pytest.approx(losses(rows), rel=2e-4)
    assert told[-1]["nll_1"] == pytest.approx(rows[-1]["nll_1"], rel=2e-4)
    assert sorted(p.name for p in (tmp_path / "two").iterdir()) == sorted(p.name for p in (tmp_path / "one").iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["optimiser.step=3"], 2, "unknown key 'optimiser.step'; did you mean 'steps'?"),
        (["data.path=none.tsv"], 1, "none.tsv: No such file or directory"),
        (["data.max_words=1"], 1, "no pair left after filters; dropped 120 longer than 1 words"),
        (["model=nowhere"], 1, "no model 'nowhere'"),
        (["data.path=empty.tsv"], 1, "empty.tsv: no pair left after filters; dropped 2 empty side"),
        (["data.path=latin.tsv"], 1, "latin.tsv:2: not UTF-8 (byte 0xfc at column 7); convert"),
        (
            ["data.path=null", "data.source_path=short.txt", "data.target_path=long.txt"],
            1,
            "short.txt has 2 lines, long.txt has 3; they must be parallel",
        ),
        (["model=small"], 1, "tokens, the model 100; they do not belong together"),
    ],
)
def test_mistakes_are_one_line(whole, tmp_path, arguments, code, message):
    (tmp_path / "empty.tsv").write_text("source\ttarget\nHello\t\n\tHallo\n")
    (tmp_path / "latin.tsv").write_bytes("source\ttarget\nfeet\tFüße\n".encode("latin-1"))
    (tmp_path / "short.txt").write_text("a\nb\n")
    (tmp_path / "long.txt").write_text("a\nb\nc\n")
    shutil.copytree(whole[0].parent / "run" / "best", tmp_path / "small")
    about = json.loads((tmp_path / "small" / "config.json").read_text())
    (tmp_path / "small" / "config.json").write_text(json.dumps({**about, "vocab_size": 100}))
    done = command("train", "-c", whole[0], *arguments, "run=run", cwd=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_empty_pairs_are_left_out_and_counted(tmp_path):
    config = toy_config(tmp_path, optimiser={"steps": 1})
    with (tmp_path / "pairs.tsv").open("a") as pairs:
        pairs.write("Hello.\t\n\tHallo.\n\t\n")
    done = command("train", "-c", config, f"run={tmp_path / 'run'}")
    assert done.returncode == 0, done.stderr
    assert "dropped: 3 empty side" in done.stderr


@pytest.mark.parametrize(
    ("save_every", "kept"), [(1, "run/last holds the last good state"), (9, "Nothing was saved yet")]
)
def test_a_loss_that_is_not_a_number_ends_the_run(whole, tmp_path, save_every, kept):
    overrides = ["optimiser.adamw_rate=1e30", f"report.save_every={save_every}"]
    done = command("train", "-c", whole[0], *overrides, "run=run", cwd=tmp_path)
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert re.search(r"step \d: loss nan, .*; batch \d of chunk 0, epoch 0, which begins with '", said)
    assert kept in said
    assert "Traceback" not in done.stderr
    assert (tmp_path / "run" / "last").exists() is (save_every == 1)


def test_a_full_disk_ends_the_run_and_what_was_saved_is_kept(whole, tmp_path):
    small = ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size=1200k none {tmp_path} && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*small, "true"], capture_output=True).returncode:
        pytest.skip("no small file system can be mounted here")
    script = f'{shlex.join(PROGRAM)} train -c {whole[0]} report.save_every=1 run=run; echo "ended with $?"; ls run/last'
    done = subprocess.run(
        [*small, "sh", "-c", f"cd {tmp_path} && {script}"], capture_output=True, text=True, env=ENVIRONMENT, timeout=120
    )
    said = done.stderr.splitlines()[-1]
    assert said == "streamtrans: run/last could not be saved: the disk is full; the checkpoint saved before is kept"
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith("ended with 1\n")
    assert "model.safetensors" in done.stdout


def test_missing_packages_are_named(whole):
    hide = "import sys; sys.modules['yaml'] = None; from streamtrans.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", hide, "train", "-c", str(whole[0])], capture_output=True, text=True, env=ENVIRONMENT
    )
    assert done.returncode == 2
    assert "pip install pydantic pyyaml" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_torch_its_trainer_is_refused_in_a_line(whole, tmp_path):
    hide = "import sys; sys.modules['torch'] = None; from streamtrans.cli.app import main; main()"
    arguments = ["train", "-c", str(whole[0]), "trainer=torch", f"run={tmp_path / 'run'}"]
    done = subprocess.run([sys.executable, "-c", hide, *arguments], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 2
    assert done.stderr == "streamtrans: this needs PyTorch: pip install torch\n"


def test_the_clock_may_end_a_run(whole, tmp_path):
    done = command("train", "-c", whole[0], "optimiser.steps=null", "optimiser.seconds=0.5", f"run={tmp_path / 'run'}")
    assert done.returncode == 0, done.stderr
    rows = log(tmp_path / "run")
    assert "nll_3" in rows[-1]
    assert (tmp_path / "run" / "best").is_dir()


def test_from_pairs_to_a_live_translation(tmp_path):
    """The README's commands on a small scale: what was seen in training comes out word by word."""
    config = toy_config(
        tmp_path,
        count=150,
        optimiser={"batch_tokens": 1000, "steps": 60, "warmup_steps": 8, "muon_rate": 0.02, "adamw_rate": 0.01},
        report={"log_every": 20, "validate_every": 30, "save_every": 60},
        mix={"recogniser_share": 0},
    )
    assert command("train", "-c", config, f"run={tmp_path / 'run'}").returncode == 0
    source, target = toy_pairs(1)[0]
    live = command("live", "--model", tmp_path / "run/best", "--wait-k", "2", "--plain", input=source + "\n")
    assert live.returncode == 0, live.stderr
    assert target in " ".join(live.stdout.split())
