"""The runtime: what it says of itself, its number type, and its threads."""

import os

from fresh_process import on_linux_cpu, run

from streamtrans import runtime
from streamtrans.runtime import compute_dtype, describe, mx, on_gpu


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
    found = describe()
    assert found.compute_dtype == ("bfloat16" if on_gpu() else "float32")
    assert found.compute_dtype_reason == ("as stored" if on_gpu() else "mlx is 5–25 times slower in 16 bits on a CPU")


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
