"""What gets installed: the model is in the wheel, and nothing else that is large."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("hatchling")
    out = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl"))


def test_the_wheel_holds_the_model_and_its_card(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("config.json", "model.safetensors", "tokenizer.model", "README.md"):
        assert f"streamtrans/assets/en-pt/{name}" in names


def test_the_wheel_is_small_and_holds_only_the_package(wheel):
    assert wheel.stat().st_size < 64e6
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"streamtrans"}


def test_weights_are_stored_in_16_bit(wheel):
    import json
    import struct

    data = zipfile.ZipFile(wheel).read("streamtrans/assets/en-pt/model.safetensors")
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    assert {entry["dtype"] for name, entry in header.items() if name != "__metadata__"} == {"BF16"}
