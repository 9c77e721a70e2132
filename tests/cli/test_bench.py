"""The command, its table and its peers; how fast anything is, is not tested."""

import json
import sys

import pytest
from chat_checkpoints import make_chat_checkpoint

from streamtrans.bench import peers, suite
from streamtrans.bench.timing import interleave, medians, ratio
from streamtrans.bench.workload import SENTENCES, K, at_depth, record
from streamtrans.cli.app import run
from streamtrans.cli.bench import rows
from streamtrans.engine.translator import load
from streamtrans.policies import WaitK

KEYS = {
    "ms_per_target_word", "decode_ms_per_token", "ratio_vs_mlx_lm_decode", "ratio_vs_transformers",
    "ratio_vs_reencode", "gemm_fraction_of_numpy", "cold_start_s", "peak_mb", "sentences_per_s", "environment",
}  # fmt: skip


@pytest.fixture
def small(monkeypatch):
    """Everything once, and as little of it as there is."""
    monkeypatch.setattr(suite, "SENTENCES", ("Good morning .",))
    monkeypatch.setattr(suite, "BATCHES", (1, 8))
    monkeypatch.setattr(suite, "_GEMM", 64)
    monkeypatch.setattr(suite, "_GEMV", 64)


def test_json(small, capsys):
    assert run(["bench", "--quick", "--json", "--against", "reencode,transformers", "--torch-python", "/nowhere"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() >= KEYS
    assert found["decode_ms_per_token"] > 0
    assert found["sentences_per_s"].keys() == {"1", "8"}
    assert found["ratio_vs_reencode"]["60"] > 0
    assert found["ratio_vs_mlx_lm_decode"] is None
    assert found["ratio_vs_transformers"] == {"float32": None, "bfloat16": None}
    assert found["skipped"] == {"transformers": "/nowhere cannot be run: No such file or directory"}
    assert found["peak_mb"] is None or found["peak_mb"] > 10
    shown = rows(found)
    assert "decode" in [name for name, _, _ in shown]
    assert not [name for name, _, _ in shown if "mlx-lm" in name], "what was not measured is not shown"


def test_unknown_peers_are_a_usage_error(capsys):
    assert run(["bench", "--against", "mlx-lm,marian"]) == 2
    assert "'marian'" in capsys.readouterr().err


def test_samples_of_the_first_round_are_dropped():
    counts = iter(range(100))
    seen = []
    samples = interleave({"a": lambda: [next(counts)], "b": lambda: [next(counts), -1]}, 2, seen.append)
    assert samples == {"a": [2, 4], "b": [3, -1, 5, -1]}
    assert seen == ["a", "b"] * 3
    assert medians({"a": [3, 1, 2], "none": []}) == {"a": 2, "none": None}
    assert ratio(6, 3) == 2
    assert ratio(None, 3) is ratio(6, None) is None


def test_recorded_passes_are_those_of_the_session():
    translator = load()
    recording = record(translator, SENTENCES[0])
    events = translator.session(WaitK(K)).feed_line(SENTENCES[0])
    assert recording.words == sum(event.type == "write" for event in events) > 5
    assert sum(len(p.source) for p in recording.passes) >= len(SENTENCES[0].split())
    written = [*recording.passes[0].target, *recording.predicted[:-1]]
    fed = [token for one in recording.passes for token in one.target]
    assert len(recording.predicted) == len(recording.passes)
    assert set(fed) <= set(written)
    assert sum(one.take_back for one in recording.passes) <= len(fed) - recording.words


@pytest.mark.parametrize("words", [3, 10, 60])
def test_a_stream_some_words_in(words):
    depth = at_depth(words, 100)
    assert len(depth.source) == words * 3 // 2
    assert len(depth.target) == max(1, (words - 3) * 3 // 2)
    assert all(10 <= token < 100 for token in depth.source + depth.target + depth.word + depth.next_target)


def test_a_python_without_torch_is_skipped(tmp_path):
    without = tmp_path / "python"
    without.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    without.chmod(0o755)
    with pytest.raises(peers.Skipped, match="--torch-python"):
        peers.Transformers(str(without), tmp_path, 0, [])


def test_a_peer_that_stops_is_skipped(tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho '{}'\nread work\n")
    program.chmod(0o755)
    with peers.Transformers(str(program), tmp_path, 0, []) as peer, pytest.raises(peers.Skipped, match="stopped"):
        list(peer.per_target_word("float32", 1))


def test_a_chat_model_is_compared_with_its_own_anew(small, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(suite, "DEPTHS", (10, 20))
    directory = str(make_chat_checkpoint(tmp_path))
    model = ["--model", directory, "--from", "en", "--to", "de"]
    assert run(["bench", *model, "--json", "--against", "reencode,mlx-lm"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["skipped"].keys() == {"mlx-lm"}
    assert found["reencode_same_events"] is True
    assert found["ratio_vs_reencode"]["20"] > 0
    tokens = found["tokens_per_source_word"]
    assert tokens.keys() == {"live 10", "reencode 10", "live 20", "reencode 20"}
    for depth in (10, 20):
        assert tokens[f"live {depth}"] < tokens[f"reencode {depth}"]
    assert "tokens, reencode 20" in [name for name, _, _ in rows(found)]
