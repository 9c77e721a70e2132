"""Twenty of the disturbances of scripts/kill_runs.py, which does a thousand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "kill_runs.py"


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_killed_and_resumed_it_is_as_if_nothing_had_happened():
    done = subprocess.run([sys.executable, str(SCRIPT), "20"], capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout
    told = json.loads(done.stdout)
    assert told["disturbances"] >= 20
    assert told["wrong"] == []
