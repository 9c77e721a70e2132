import json
import shutil

import pytest

from streamtrans.cli.app import run
from streamtrans.cli.models.command import count_parameters, read_info
from streamtrans.errors import ModelError
from streamtrans.models.loading import find_model
from streamtrans.policies import POLICIES


def test_the_embedded_model_is_listed(capsys):
    assert run(["models"]) == 0
    header, line, *_ = capsys.readouterr().out.splitlines()
    assert header.split("\t")[:2] == ["model", "languages"]
    assert line.split("\t")[:2] == ["en-pt", "en → pt"]


def test_the_same_as_json(capsys):
    assert run(["models", "--json"]) == 0
    model = json.loads(capsys.readouterr().out)["models"][0]
    assert (model["model"], model["source_language"], model["target_language"]) == ("en-pt", "en", "pt")
    assert model["parameters"] > 1e6
    assert model["bytes"] >= 2 * model["parameters"] * 0.9
    assert model["path"].endswith("en-pt")


def test_parameters_are_those_of_the_model():
    from mlx.utils import tree_flatten

    from streamtrans.models.loading import load_checkpoint

    model = load_checkpoint("en-pt", packed=False).model
    expected = sum(array.size for _, array in tree_flatten(model.parameters()))
    assert read_info("en-pt", find_model("en-pt")).parameters == expected


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64, (8).to_bytes(8, "little") + b"[1, 2,3]"])
def test_weights_that_are_none(tmp_path, content):
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(ModelError, match="corrupt or truncated"):
        count_parameters(file)


def test_a_plain_checkpoint_names_no_languages(tmp_path):
    shutil.copy(find_model("en-pt") / "model.safetensors", tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    info = read_info("mine", tmp_path)
    assert (info.source_language, info.trained_wait_k) == (None, [])


def test_every_policy_is_listed_with_its_options(capsys):
    assert run(["policies"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split("\t")[0] for line in lines] == list(POLICIES)
    assert "--wait-k 3" in lines[0]


def test_policies_as_json(capsys):
    assert run(["policies", "--json"]) == 0
    listed = {entry["policy"]: entry for entry in json.loads(capsys.readouterr().out)["policies"]}
    assert list(listed) == list(POLICIES)
    assert listed["boundary"]["options"] == {"--max-wait": 12}
    assert "Infinity" not in json.dumps(listed)
