"""Python code in a process of its own, for what is decided at import."""

import os
import subprocess
import sys

import pytest

from streamtrans.runtime import on_gpu

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
