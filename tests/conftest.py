"""For all tests."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # processes side by side that each use all cores wait for each other
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
