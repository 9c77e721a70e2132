"""The means of computing: mlx, its device, its number type and its threads.

The one first import of mlx is here: every other module does `from streamtrans.runtime import mx`, so that on Linux mlx
has a fast BLAS (`blas`) before it multiplies.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from streamtrans.blas import install, mx


@dataclass(frozen=True)
class Runtime:
    """The machine as the computation finds it, for `streamtrans doctor`; `advice` is one line to act on, or None.

    compute_dtype, compute_dtype_reason: the number type that 16-bit weights are computed in, and why.
    """

    device: str
    compute_dtype: str
    compute_dtype_reason: str
    blas: str
    blas_threads: int | None
    mlx: str
    backends: tuple[str, ...]
    advice: str | None


def compute_dtype(stored: mx.Dtype) -> mx.Dtype:
    """The dtype to compute in: as stored on a GPU, float32 on CPU, where mlx is 5–25 times slower in any other."""
    return stored if on_gpu() else mx.float32


@contextmanager
def blas_threads(count: int) -> Iterator[None]:
    """Let each matrix product use at most `count` threads meanwhile, where the BLAS can be told; costs 3 µs.

    This is how the number of threads is decided: all cores (set at import) for training and for plain models, one for
    a live stream and for batches. A stream's products are too small to share. Batches run two computations beside each
    other instead, and threads that wait for one another are slow when other programs want the cores too: a paste of 256
    tokens then took 630 ms with two threads and 60 with one.
    """
    before = _blas.threads
    if before is None or before <= count:
        yield
        return
    _blas.threads = count
    try:
        yield
    finally:
        _blas.threads = before


def start_computing_thread() -> None:
    """Let mlx start the thread that computes for the calling one now, as one that does not push it off its core.

    On CPU, Python hands over some hundred operations a token, and each may wake that thread. Where Linux has no core
    free for it, it takes over the caller's at once, does the one operation there is, and sleeps again. Threads of
    SCHED_BATCH wait instead until the caller has nothing more to hand over, or a core is free; all else is as usual.
    """
    if sys.platform != "linux" or on_gpu() or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return
    with suppress(OSError):  # not allowed in every sandbox
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        try:
            mx.eval(mx.zeros(1) + 1)  # a new thread inherits from the one that starts it
        finally:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def small_products_in_place() -> bool:
    """Whether the BLAS multiplies small matrices without copying them."""
    return _blas.small_products_in_place


def on_gpu() -> bool:
    """Whether mlx computes on a GPU (Metal or CUDA) by default."""
    return mx.default_device() == mx.Device(mx.gpu)


def describe() -> Runtime:
    """The runtime as found at import, with versions looked up now."""
    from importlib import metadata  # 20 ms that only `doctor` needs

    backends = tuple(
        f"{d.name} {d.version}"
        for d in metadata.distributions()
        if d.name.startswith(("mlx-cpu", "mlx-cuda", "mlx-metal"))
    )
    advice = _blas.advice
    if any(b.startswith("mlx-cpu") for b in backends) and any(b.startswith("mlx-cuda") for b in backends):
        advice = "mlx-cpu and mlx-cuda are both installed and own the same file: uninstall both, then install one"
    return Runtime(
        device=_device_name(),
        compute_dtype=str(compute_dtype(mx.bfloat16)).removeprefix("mlx.core."),
        compute_dtype_reason="as stored" if on_gpu() else "mlx is 5–25 times slower in 16 bits on a CPU",
        blas=_blas.name,
        blas_threads=_blas.threads,
        mlx=metadata.version("mlx"),
        backends=tuple(sorted(set(backends))),
        advice=advice,
    )


def _device_name() -> str:
    device = mx.default_device()
    if on_gpu():
        return str(mx.device_info().get("device_name", device))
    return f"CPU, {_physical_cores()} cores"


def _physical_cores() -> int:
    """Cores this process may run on, hyper-threads counted once: a second thread on a core only slows a gemm down."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cores = set()
    for cpu in os.sched_getaffinity(0):
        topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
        try:
            cores.add(tuple((topology / part).read_text().strip() for part in ("physical_package_id", "core_id")))
        except OSError:
            cores.add((str(cpu), ""))
    return len(cores)


def _one_thread_per_core() -> None:
    """Let a product use each physical core, unless the user has said otherwise by OpenBLAS's own variables."""
    if not os.environ.keys() & {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"}:
        _blas.threads = _physical_cores()


start_computing_thread()
_blas = install(on_gpu())
_one_thread_per_core()
