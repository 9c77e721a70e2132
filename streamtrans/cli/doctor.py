"""`streamtrans doctor`: what this machine computes with, and what makes it slow."""

import json
import os
import platform
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

from streamtrans.cli.shared.options import JsonOption
from streamtrans.cli.shared.tables import print_fields

_PACKAGES = ("streamtrans", "mlx", "mlx-lm", "numpy", "sentencepiece", "sacrebleu")
_SIZE = 1024
_SLOW = 0.5  # of numpy's speed
_BUSY = 1.5  # runnable processes per processor


def doctor(as_json: JsonOption = False) -> None:
    """Tell what this machine computes with, and what to do if that is slow.

    Multiplies two matrices with mlx and with numpy, which takes a moment. The exit code is 0 whatever is found.
    """
    found = examine()
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    blas, speed = found["blas"], found["gflops"]
    threads = f", {blas['threads']} threads" if blas["threads"] else ""
    print_fields(
        [
            ("device", found["device"]),
            ("computes in", found["compute_dtype"]),
            ("because", found["compute_dtype_reason"]),
            ("BLAS", f"{blas['name']}{threads}"),
            ("matrix product", f"{speed['mlx']:.0f} GFLOP/s; numpy {speed['numpy']:.0f} GFLOP/s"),
            ("backends", ", ".join(found["backends"]) or "–"),
            ("system", found["system"]),
            *((name, version or "not installed") for name, version in found["versions"].items()),
        ]
    )
    for line in found["advice"] or ["nothing to do: all is as fast as it should be"]:
        print(f"→ {line}")


def examine() -> dict[str, Any]:
    """All that `doctor` tells, as plain data."""
    from streamtrans.runtime import describe, on_gpu

    runtime = describe()
    gflops = measure_products()
    return {
        "device": runtime.device,
        "compute_dtype": runtime.compute_dtype,
        "compute_dtype_reason": runtime.compute_dtype_reason,
        "blas": {"name": runtime.blas, "threads": runtime.blas_threads},
        "gflops": gflops,
        "backends": list(runtime.backends),
        "system": f"{platform.platform()}, {platform.machine()}",
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        "advice": advise(runtime.advice, runtime.blas, gflops, on_gpu(), os.getloadavg()[0] / (os.cpu_count() or 1)),
    }


def advise(known: str | None, blas: str, gflops: dict[str, float], gpu: bool, load: float) -> list[str]:
    """Advice, one line each; none if all is well. `known`: the runtime's own; `load`: per processor."""
    advice = [known] if known else []
    share = gflops["mlx"] / gflops["numpy"]
    if not gpu and share < _SLOW and not known:
        advice.append(
            f"matrix products run at {share:.0%} of numpy's speed with the {blas} BLAS: "
            "pip install scipy-openblas32, and unset STREAMTRANS_BLAS"
        )
    if load > _BUSY:
        advice.append(f"other programs keep the processors busy ({load:.1f} wait for each): expect to be slowed down")
    return advice


def measure_products() -> dict[str, float]:
    """Billions of operations a second in a float32 product of 1024 × 1024 matrices, the best of a few."""
    import numpy as np

    from streamtrans.runtime import mx

    a = np.random.default_rng(0).standard_normal((_SIZE, _SIZE), dtype=np.float32)
    b = mx.array(a)
    return {"mlx": _gflops(lambda: mx.eval(b @ b)), "numpy": _gflops(lambda: a @ a)}


def _gflops(product: Callable[[], object], repeats: int = 5) -> float:
    best = float("inf")
    product()
    for _ in range(repeats):
        start = time.perf_counter()
        product()
        best = min(best, time.perf_counter() - start)
    return round(2 * _SIZE**3 / best / 1e9, 1)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
