"""`streamtrans score --comet`, without the package and with a stand-in for it."""

import json
import os
from importlib.util import find_spec

import pytest
from processes import run

INSTANCES = [
    {"prediction": "Bom dia.", "delays": [1, 2], "source": "Good morning.", "reference": "Olá, bom dia."},
    {"prediction": "", "delays": [], "source": "Yes", "reference": "Sim"},
]
PACKAGES = {  # COMET's interface, as far as we use it; what it was asked for goes into a file
    "comet": """
import json
from types import SimpleNamespace

__version__ = "2.2.7"

def download_model(name):
    return "/models/" + name

class Model:
    def predict(self, data, **options):
        with open("asked.json", "w", encoding="utf-8") as file:
            json.dump({"data": data, **options}, file)
        return SimpleNamespace(system_score=0.8125)

def load_from_checkpoint(path):
    assert path == "/models/Unbabel/wmt22-comet-da"
    return Model()
""",
    "torch": "class cuda:\n    is_available = staticmethod(lambda: False)\n",
}


@pytest.fixture
def log(tmp_path):
    file = tmp_path / "a.log"
    file.write_text("".join(json.dumps(instance) + "\n" for instance in INSTANCES))
    return file


@pytest.mark.skipif(find_spec("comet") is not None, reason="unbabel-comet is installed")
def test_without_the_package(log):
    result = run("score", "--from-log", str(log), "--comet")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "streamtrans: COMET is not installed: pip install unbabel-comet, or score without it\n"


def test_with_the_package(log):
    for name, code in PACKAGES.items():
        (log.parent / f"{name}.py").write_text(code)
    found = os.pathsep.join([str(log.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    result = run(
        "score", "--from-log", log.name, "--comet", "--json", cwd=log.parent, env=os.environ | {"PYTHONPATH": found}
    )
    assert (result.returncode, result.stderr) == (0, "")
    (scores,) = json.loads(result.stdout)["runs"]
    assert scores["COMET"] == 0.8125
    assert scores["signatures"]["COMET"] == "model:Unbabel/wmt22-comet-da|version:2.2.7"
    asked = json.loads((log.parent / "asked.json").read_text(encoding="utf-8"))
    assert asked["data"] == [{"src": i["source"], "mt": i["prediction"], "ref": i["reference"]} for i in INSTANCES]
    assert (asked["gpus"], asked["progress_bar"]) == (0, False)
