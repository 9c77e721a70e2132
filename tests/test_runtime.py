"""The runtime: right products with every BLAS, and a fall back with advice where one cannot be had."""

import ctypes
import os
import subprocess
import sys

import numpy as np
import pytest

from streamtrans import runtime
from streamtrans.runtime import compute_dtype, describe, mx, on_gpu

on_linux_cpu = pytest.mark.skipif(sys.platform != "linux" or on_gpu(), reason="only Linux's CPU build has a slow BLAS")


def run(code, **variables):
    environment = {k: v for k, v in os.environ.items() if k not in ("STREAMTRANS_BLAS", "OPENBLAS_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", "from streamtrans.runtime import *\n" + code],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


SHOW = "r = describe(); a = mx.arange(6.0).reshape(2, 3); print(r.blas, r.advice, (a @ a.T).tolist(), sep='|')"
PRODUCT = "[[5.0, 14.0], [14.0, 50.0]]"


@pytest.mark.parametrize("shape", [(1, 256, 512), (3, 7, 5), (64, 300, 200), (130, 130, 130)])
def test_products_are_right(shape):
    rows, inner, columns = shape
    random = np.random.default_rng(0)
    a, b = random.normal(size=(rows, inner)), random.normal(size=(inner, columns))
    left, right = mx.array(a.astype(np.float32)), mx.array(b.astype(np.float32))
    for product in (left @ right, left @ mx.contiguous(right.T).T, (right.T @ left.T).T):
        assert np.abs(np.array(product) - a @ b).max() < 1e-3


@on_linux_cpu
def test_the_wheel_is_used_unless_told_otherwise():
    blas, advice, product = run(SHOW).split("|")
    assert blas.startswith("scipy-openblas32 0.3.")
    assert (advice, product) == ("None", PRODUCT)


def test_off_leaves_mlx_alone():
    name = "Accelerate" if sys.platform == "darwin" else "stock"
    assert run(SHOW, STREAMTRANS_BLAS="off") == f"{name}|None|{PRODUCT}"


@on_linux_cpu
def test_a_path_is_taken():
    library = str(runtime._wheel_library()._name)
    blas, advice, product = run(SHOW, STREAMTRANS_BLAS=library).split("|")
    assert blas.startswith("scipy-openblas32 ")
    assert (advice, product) == ("None", PRODUCT)


@on_linux_cpu
@pytest.mark.parametrize("content", [None, b"not a library"])
def test_a_path_that_cannot_be_loaded_falls_back_with_advice(tmp_path, content):
    if content is not None:
        (tmp_path / "blas.so").write_bytes(content)
    blas, advice, product = run(SHOW, STREAMTRANS_BLAS=str(tmp_path / "blas.so")).split("|")
    assert blas.startswith("scipy-openblas32 ")
    assert "STREAMTRANS_BLAS: cannot load" in advice
    assert product == PRODUCT


@on_linux_cpu
def test_a_library_without_products_falls_back_with_advice():
    blas, advice, product = run(SHOW, STREAMTRANS_BLAS="libm.so.6").split("|")
    assert blas.startswith("scipy-openblas32 ")
    assert "exports no cblas_sgemm" in advice
    assert product == PRODUCT


@on_linux_cpu
def test_wrong_products_are_noticed_and_undone(monkeypatch):
    """A function that computes nothing must not stay in the slot."""
    slot = ctypes.c_void_p.from_address(runtime._find_slot("cblas_sgemm"))
    before, nothing = slot.value, ctypes.CFUNCTYPE(None)(lambda: None)
    monkeypatch.setattr(runtime, "_prefix", lambda library: "")
    with pytest.raises(runtime._Unusable, match="products are wrong"):
        runtime._bind(type("Library", (), {"cblas_sgemm": nothing}))
    assert slot.value == before


@on_linux_cpu
def test_without_the_wheel_there_is_advice(monkeypatch):
    monkeypatch.setattr(runtime.util, "find_spec", lambda name: None)
    blas, library, advice = runtime._install()
    assert (blas, library) == ("stock", None)
    assert "scipy-openblas32 is not installed" in advice


@on_linux_cpu
def test_without_a_slot_a_named_library_counts_if_it_came_first(monkeypatch):
    def no_slot(_symbol):
        raise runtime._Unusable("no slot")

    monkeypatch.setattr(runtime, "_find_slot", no_slot)
    monkeypatch.setattr(runtime, "_named", runtime._wheel_library())
    monkeypatch.setattr(runtime, "_named_first", True)
    assert runtime._install()[0].startswith("scipy-openblas32")
    monkeypatch.setattr(runtime, "_named_first", False)
    assert runtime._install()[0] == "stock"


@on_linux_cpu
def test_an_unknown_machine_is_left_alone(monkeypatch):
    monkeypatch.setattr(runtime, "_JUMP_SLOT", {})
    with pytest.raises(runtime._Unusable, match="not known"):
        runtime._find_slot("cblas_sgemm")


@on_linux_cpu
def test_threads_follow_the_user():
    assert run("print(describe().blas_threads)", OPENBLAS_NUM_THREADS="1") == "1"
    assert run("print(describe().blas_threads)") == str(runtime._physical_cores())


def test_description():
    found = describe()
    assert found.mlx[0].isdigit()
    assert any(backend.startswith("mlx-") for backend in found.backends)


def test_both_backends_installed_is_worth_advice(monkeypatch):
    class Distribution:
        def __init__(self, name):
            self.name, self.version = name, "1"

    monkeypatch.setattr(
        "importlib.metadata.distributions", lambda: map(Distribution, ["mlx-cpu", "mlx-cuda-12", "six"])
    )
    found = describe()
    assert found.backends == ("mlx-cpu 1", "mlx-cuda-12 1")
    assert "uninstall both" in found.advice


def test_compute_dtype():
    assert compute_dtype(mx.bfloat16) == (mx.bfloat16 if on_gpu() else mx.float32)


@on_linux_cpu
def test_the_computing_thread_waits_for_a_core_and_nothing_else_changes():
    code = "import os; print(*(os.sched_getscheduler(int(t)) for t in sorted(os.listdir('/proc/self/task'), key=int)))"
    own, *others = map(int, run(code).split())
    assert own == os.sched_getscheduler(0)
    assert others.count(os.SCHED_BATCH) == (own == os.SCHED_OTHER)


@on_linux_cpu
def test_another_scheduling_policy_is_kept():
    code = "import os; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)); start_computing_thread()"
    assert run(code + "; print(os.sched_getscheduler(0))") == str(os.SCHED_IDLE)
