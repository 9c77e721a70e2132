"""Alignment heads of chat models: found from pairs, written down, and followed by alignatt."""

import json

import pytest
from chat_checkpoints import make_chat_checkpoint

from streamtrans.cli.app import run as run_here
from streamtrans.engine.translator import load
from streamtrans.errors import ModelError
from streamtrans.models.kinds import Kind, kind_of
from streamtrans.policies import make_policy
from streamtrans.training.calibration import chat_heads
from streamtrans.training.calibration.chat_heads import find_chat_heads

PAIRS = [
    (
        "The weather is fine today and the children play in the garden",
        "Das Wetter ist heute schön und die Kinder spielen",
    ),
    (
        "She bought two tickets for Friday but nobody wanted to go",
        "Sie kaufte zwei Karten aber niemand wollte gehen",
    ),
    ("We translate every word as soon as it has been read by us", "Wir übersetzen jedes Wort sobald es gelesen ist"),
]


@pytest.fixture
def checkpoint(tmp_path):
    return make_chat_checkpoint(tmp_path / "chat")


def test_heads_are_found_the_same_each_time(checkpoint):
    executor = load(checkpoint, languages=("en", "de")).executor
    done = []
    found = find_chat_heads(executor, ("en", "de"), PAIRS * 4, done.append)
    assert len(done) == 12
    heads, quality = found
    assert 1 <= len(heads) <= 4
    assert all(layer in (0, 1) and 0 <= head < 4 for layer, head in heads)
    assert 0.5 <= quality <= 1
    assert find_chat_heads(executor, ("en", "de"), PAIRS * 4, done.append) == found


def test_a_model_that_hides_its_attention_says_so(checkpoint, monkeypatch):
    executor = load(checkpoint, languages=("en", "de")).executor
    monkeypatch.setattr(chat_heads, "layer_heads", lambda *_: [])
    with pytest.raises(ModelError, match="does not let its attention be seen"):
        find_chat_heads(executor, ("en", "de"), PAIRS, lambda _: None)


def test_the_command_writes_them_and_alignatt_follows(checkpoint, tmp_path, capsys):
    data = tmp_path / "pairs.tsv"
    data.write_text("source\ttarget\n" + "\n".join("\t".join(pair) for pair in PAIRS) + "\n", encoding="utf-8")
    command = ["models", "calibrate", str(checkpoint), "--data", str(data)]
    assert run_here(command) == 2
    assert "say the languages of the pairs with --from and --to" in capsys.readouterr().err
    assert run_here([*command, "--from", "en", "--to", "de", "-o", str(tmp_path / "copy")]) == 0
    assert "streamtrans" not in json.loads((checkpoint / "config.json").read_text())
    section = json.loads((tmp_path / "copy" / "config.json").read_text())["streamtrans"]
    assert section["kind"] == "chat"
    assert kind_of(tmp_path / "copy") is Kind.CHAT
    translator = load(tmp_path / "copy", languages=("en", "de"))
    assert translator.executor.heads == tuple(map(tuple, section["alignment_heads"]))
    assert translator.session(make_policy("alignatt")).feed_line("The weather is fine today.")
