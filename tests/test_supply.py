"""What is let in from outside: no pickle, no code of a checkpoint, and no network that was not asked for."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "streamtrans"
RUNS_CODE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
DANGEROUS = {"eval", "exec", "torch.load", "np.load", "yaml.load", "yaml.full_load", "yaml.unsafe_load"}
NO_NETWORK = """
import socket, sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        sys.stderr.write(f"NETWORK {event} {arguments[1:]}\\n")
        raise OSError("no network in this test")

sys.addaudithook(refuse)
"""


def sources():
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in sorted(PACKAGE.rglob("*.py"))]


def test_nothing_unpickles_or_runs_code_of_a_checkpoint():
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = getattr(node, "module", None)
                names = {alias.name.split(".")[0] for alias in node.names} if module is None else {module.split(".")[0]}
                assert not names & RUNS_CODE, f"{path}:{node.lineno}"
            if isinstance(node, ast.keyword):
                assert node.arg not in ("trust_remote_code", "allow_pickle"), f"{path}:{node.value.lineno}"
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                safe = called == "yaml.load" and ast.unparse(node.args[1]) == "_Loader"  # which makes plain values only
                assert called not in DANGEROUS or safe, f"{path}:{node.lineno} calls {called}"


@pytest.fixture
def offline(tmp_path) -> dict[str, str]:
    """An environment in which a Python that opens a connection says so and fails."""
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK)
    path = os.pathsep.join([str(tmp_path), str(PACKAGE.parent)])
    return {**os.environ, "PYTHONPATH": path, "HF_HOME": str(tmp_path / "hub")}


def run(arguments, environment, folder):
    command = [sys.executable, "-m", "streamtrans", *arguments]
    return subprocess.run(
        command, input="Good morning.\n", capture_output=True, text=True, env=environment, cwd=folder, timeout=120
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["live"], 0),
        (["translate", "s.en", "--save-log", "run"], 0),
        (["score", "s.en", "s.en"], 0),
        (["models"], 0),
        (["policies"], 0),
        (["doctor"], 0),
        (["live", "--model", "runs/mine"], 1),  # a mistyped directory
        (["live", "--model", "en-p"], 1),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else None,
)
def test_no_command_opens_a_connection(offline, tmp_path, arguments, code):
    (tmp_path / "s.en").write_text("Good morning.\n")
    (tmp_path / "runs").mkdir()
    done = run(arguments, offline, tmp_path)
    assert "NETWORK" not in done.stderr
    assert done.returncode == code, done.stderr


def test_a_hub_id_does_and_that_is_one_line(offline, tmp_path):
    done = run(["live", "--model", "organisation/name"], offline, tmp_path)
    assert "NETWORK" in done.stderr  # the test would notice
    told = [line for line in done.stderr.splitlines() if not line.startswith("NETWORK")]
    assert done.returncode == 1
    assert told[-1].startswith("streamtrans: organisation/name is neither a directory nor could it be had from the Hub")
