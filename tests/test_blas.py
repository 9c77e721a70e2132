"""The BLAS: right products with every one, and a fall back with advice where one cannot be had."""

import ctypes
import sys

import numpy as np
import pytest
from fresh_process import on_linux_cpu, run

from streamtrans import blas
from streamtrans.runtime import mx

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
    name, advice, product = run(SHOW).split("|")
    assert name.startswith("scipy-openblas32 0.3.")
    assert (advice, product) == ("None", PRODUCT)


def test_off_leaves_mlx_alone():
    name = "Accelerate" if sys.platform == "darwin" else "stock"
    assert run(SHOW, STREAMTRANS_BLAS="off") == f"{name}|None|{PRODUCT}"


@on_linux_cpu
def test_a_path_is_taken():
    library = str(blas._wheel_library()._name)
    name, advice, product = run(SHOW, STREAMTRANS_BLAS=library).split("|")
    assert name.startswith("scipy-openblas32 ")
    assert (advice, product) == ("None", PRODUCT)


@on_linux_cpu
@pytest.mark.parametrize("content", [None, b"not a library"])
def test_a_path_that_cannot_be_loaded_falls_back_with_advice(tmp_path, content):
    if content is not None:
        (tmp_path / "blas.so").write_bytes(content)
    name, advice, product = run(SHOW, STREAMTRANS_BLAS=str(tmp_path / "blas.so")).split("|")
    assert name.startswith("scipy-openblas32 ")
    assert "STREAMTRANS_BLAS: cannot load" in advice
    assert product == PRODUCT


@on_linux_cpu
def test_a_library_without_products_falls_back_with_advice():
    name, advice, product = run(SHOW, STREAMTRANS_BLAS="libm.so.6").split("|")
    assert name.startswith("scipy-openblas32 ")
    assert "exports no cblas_sgemm" in advice
    assert product == PRODUCT


@on_linux_cpu
def test_wrong_products_are_noticed_and_undone(monkeypatch):
    """A function that computes nothing must not stay in the slot."""
    slot = ctypes.c_void_p.from_address(blas._find_slot("cblas_sgemm"))
    before, nothing = slot.value, ctypes.CFUNCTYPE(None)(lambda: None)
    monkeypatch.setattr(blas, "_prefix", lambda library: "")
    with pytest.raises(blas._Unusable, match="products are wrong"):
        blas._bind(type("Library", (), {"cblas_sgemm": nothing}))
    assert slot.value == before


@on_linux_cpu
def test_without_the_wheel_there_is_advice(monkeypatch):
    monkeypatch.setattr(blas.util, "find_spec", lambda name: None)
    found = blas.install(on_gpu=False)
    assert (found.name, found.threads, found.small_products_in_place) == ("stock", None, False)
    assert "scipy-openblas32 is not installed" in found.advice


@on_linux_cpu
def test_without_a_slot_a_named_library_counts_if_it_came_first(monkeypatch):
    def no_slot(_symbol):
        raise blas._Unusable("no slot")

    monkeypatch.setattr(blas, "_find_slot", no_slot)
    monkeypatch.setattr(blas, "_named", blas._wheel_library())
    monkeypatch.setattr(blas, "_named_first", True)
    assert blas.install(False).name.startswith("scipy-openblas32")
    monkeypatch.setattr(blas, "_named_first", False)
    assert blas.install(False).name == "stock"


@on_linux_cpu
def test_an_unknown_machine_is_left_alone(monkeypatch):
    monkeypatch.setattr(blas, "_JUMP_SLOT", {})
    with pytest.raises(blas._Unusable, match="not known"):
        blas._find_slot("cblas_sgemm")
