#!/usr/bin/env python3
"""Make the environments in which the tests run SimulEval and OmniSTEval, each alone and without torch.

usage: make_peer_environments.py [DIRECTORY] [--python PYTHON]

DIRECTORY (default work/peers) gets simuleval/ and omnisteval/, two virtual environments; one that is there already is
left alone. tests/evaluation/test_against_peers.py finds them there, or where STREAMTRANS_PEERS says.

Both packages ask for more than their scorers and command lines import (SimulEval for pytest, flake8, yt-dlp and exact
old versions), so they are installed without their dependencies, and beside them what is really imported.
"""

import argparse
import subprocess
import sys
from pathlib import Path

PEERS = {
    "simuleval": (
        "simuleval==1.1.4",
        # after SimulEval's own needs, those of our agent, which runs there from the checkout
        "bitarray pandas pytest pyyaml requests sacrebleu soundfile textgrid tornado tqdm "
        "mlx[cpu]>=0.30,<0.34 scipy-openblas32 sentencepiece",
        "simuleval.cli, mlx.core, sentencepiece",
    ),
    "omnisteval": ("omnisteval==0.1.10", "mosestokenizer pyyaml sacrebleu", "omnisteval.cli"),
}


def make(directory: Path, python: str, package: str, dependencies: str, module: str) -> None:
    interpreter = directory / "bin" / "python"
    check = [interpreter, "-c", f"import {module}"]
    if interpreter.exists() and subprocess.run(check, capture_output=True).returncode == 0:
        print(f"{directory}: there already")
        return
    subprocess.run([python, "-m", "venv", "--clear", directory], check=True)
    pip = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *dependencies.split()], check=True)
    subprocess.run([*pip, "--no-deps", package], check=True)
    subprocess.run(check, check=True)
    print(f"{directory}: {package}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?", type=Path, default=Path("work/peers"))
    parser.add_argument("--python", default=sys.executable, help="3.11 is what they are known to run on")
    options = parser.parse_args()
    for name, (package, dependencies, module) in PEERS.items():
        make(options.directory / name, options.python, package, dependencies, module)


if __name__ == "__main__":
    main()
