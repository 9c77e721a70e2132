"""SmolLM2-135M-Instruct for tests: a real chat model, made once of the package on PyPI and kept in a cache."""

import importlib.util
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "make_smollm2.py"
VARIABLE = "STREAMTRANS_SMOLLM2"
"""Names a directory that `scripts/make_smollm2.py` has made; empty: the tests are left out."""


def smollm2_directory() -> Path:
    """Find the model, or make it; skips the test, with a reason, where neither can be done."""
    if stated := os.environ.get(VARIABLE):
        return Path(stated)
    if stated == "":
        pytest.skip(f"{VARIABLE} is empty")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = home / "streamtrans-tests" / "smollm2-135m"
    if not directory.exists():
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory.parent) as folder:
            made = Path(folder) / "made"
            _make(made)
            made.rename(directory)
    return directory


def _make(directory: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_smollm2", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    try:
        script.make_smollm2(directory)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"{script.PACKAGE} cannot be had: {error}")
