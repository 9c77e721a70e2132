"""The files of a run: damaged ones are refused or cut, and nothing is written through a link of somebody else."""

import json

import pytest

from streamtrans.errors import DataError
from streamtrans.training.files import replacing
from streamtrans.training.log import RunLog, read_training_log
from streamtrans.training.progress import Progress

FIXED = {"trainer": '"mlx"', "seed": "1"}


def test_a_link_under_the_guessable_name_is_not_followed(tmp_path):
    """In a folder that others may write to, they could name any file of ours."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "new.log.jsonl").symlink_to(victim)
    with replacing(tmp_path / "log.jsonl") as fresh:
        fresh.write_text("row")
    assert (victim.read_text(), (tmp_path / "log.jsonl").read_text()) == ("precious", "row")
    assert not (tmp_path / "log.jsonl").is_symlink()


@pytest.mark.parametrize("rest", [b'{"loss": 1}', b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"step": "2"}', b'{"st'])
def test_a_log_counts_up_to_the_first_line_that_is_none(tmp_path, rest):
    file = tmp_path / "log.jsonl"
    file.write_bytes(b'{"step": 1, "loss": 2.5}\n' + rest + b'\n{"step": 2}\n')
    RunLog(file, 5)
    assert read_training_log(file) == [{"step": 1, "loss": 2.5}]


@pytest.mark.parametrize(
    "change",
    [
        {"step": -1},
        {"step": float("inf")},
        {"seconds": -0.5},
        {"seconds": float("nan")},
        {"place": {"epoch": "0"}},
        {"place": {"chunk": -1}},
        {"place": []},
        {"best": "x"},
    ],
    ids=str,
)
def test_a_state_that_no_run_has(tmp_path, change):
    Progress(step=3, fixed=FIXED).write(tmp_path)
    assert Progress.read(tmp_path, FIXED).step == 3
    state = json.loads((tmp_path / "state.json").read_text())
    (tmp_path / "state.json").write_text(json.dumps(state | change))
    with pytest.raises(DataError, match="is not the state of a run") as error:
        Progress.read(tmp_path, FIXED)
    assert "\n" not in str(error.value)


def test_a_state_nested_too_deeply(tmp_path):
    (tmp_path / "state.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match="is not the state of a run"):
        Progress.read(tmp_path, FIXED)
