import json

import pytest

from streamtrans.cli import doctor
from streamtrans.cli.app import run
from streamtrans.runtime import describe

FAST = {"mlx": 50.0, "numpy": 55.0}
SLOW = {"mlx": 4.0, "numpy": 55.0}


def test_it_tells_what_there_is(capsys):
    assert run(["doctor"]) == 0
    fields = dict(line.split("\t") for line in capsys.readouterr().out.splitlines() if "\t" in line)
    assert fields["computes in"] in ("float32", "bfloat16")
    assert fields["because"] == describe().compute_dtype_reason
    assert "GFLOP/s" in fields["matrix product"]
    assert fields["mlx"]


def test_the_same_as_json(capsys):
    assert run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {
        "device", "compute_dtype", "compute_dtype_reason", "blas", "gflops", "backends", "system", "versions", "advice",
    }  # fmt: skip
    assert found["gflops"]["mlx"] > 0
    assert {"python", "mlx", "mlx-lm", "numpy", "streamtrans"} <= set(found["versions"])


def test_all_is_well():
    assert doctor.advise(None, "scipy-openblas32", FAST, gpu=False, load=0.4) == []
    assert doctor.advise(None, "stock", SLOW, gpu=True, load=0.4) == []


def test_a_slow_blas_is_told_with_what_to_do():
    [line] = doctor.advise(None, "stock", SLOW, gpu=False, load=0.4)
    assert "7% of numpy's speed" in line
    assert "pip install scipy-openblas32" in line


@pytest.mark.parametrize("gflops", [FAST, SLOW])
def test_what_the_runtime_knows_is_told_once(gflops):
    assert doctor.advise("install one", "stock", gflops, gpu=False, load=0.4) == ["install one"]


def test_a_busy_machine_is_told():
    [line] = doctor.advise(None, "scipy-openblas32", FAST, gpu=False, load=3.0)
    assert "busy (3.0 wait for each)" in line


def test_a_package_that_is_missing_is_no_error(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_PACKAGES", ("no-such-package",))
    assert run(["doctor"]) == 0
    assert "no-such-package\tnot installed" in capsys.readouterr().out
