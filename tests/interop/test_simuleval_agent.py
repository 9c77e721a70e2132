"""SimulEval's own loop on our engine gives the BLEU and the latency that we give."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from streamtrans.cli.shared.recording import as_instance
from streamtrans.engine.batch import BatchEngine
from streamtrans.engine.translator import load
from streamtrans.evaluation.runs import About, Run
from streamtrans.evaluation.scores import Scores
from streamtrans.policies import Boundary, WaitK

ROOT = Path(__file__).parents[2]
PEERS = Path(os.environ.get("STREAMTRANS_PEERS") or ROOT / "work" / "peers")
SIMULEVAL = PEERS / "simuleval" / "bin" / "simuleval"
PAIRS = [
    ("The government said on Monday that it would not change its policy before the elections next year.",
     "O governo disse na segunda-feira que não mudaria sua política antes das eleições do próximo ano."),
    ("We went home because it had begun to rain. Dr. Smith, however, stayed in the U.S. for a while.",
     "Fomos para casa porque tinha começado a chover. O Dr. Smith, no entanto, ficou nos EUA por um tempo."),
    ("Yes.", "Sim."),
    ("I would like to book a table for two people tomorrow evening.",
     "Eu gostaria de reservar uma mesa para duas pessoas amanhã à noite."),
]  # fmt: skip


def can_run():
    if not SIMULEVAL.exists():
        return False
    check = [SIMULEVAL.with_name("python"), "-c", "import mlx.core, sentencepiece"]
    return subprocess.run(check, capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(
    not can_run(), reason="no SimulEval with mlx: run scripts/make_peer_environments.py, or set STREAMTRANS_PEERS"
)


def run_simuleval(folder, *options):
    for column, name in enumerate(("source", "target")):
        (folder / name).write_text("".join(pair[column] + "\n" for pair in PAIRS), encoding="utf-8")
    agent = ROOT / "streamtrans" / "interop" / "simuleval_agent.py"
    command = [
        SIMULEVAL, "--agent", agent, "--source", folder / "source", "--target", folder / "target",
        "--output", folder / "out", "--quality-metrics", "BLEU", "--latency-metrics", "AL", "LAAL", "AP", "DAL",
        "--no-progress-bar", *options,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=180, env=environment)


def simuleval(folder, *options):
    result = run_simuleval(folder, *options)
    assert result.returncode == 0, result.stderr
    header, values = (folder / "out" / "scores.tsv").read_text().split("\n")[:2]
    log = [json.loads(line) for line in (folder / "out" / "instances.log").read_text().splitlines()]
    return dict(zip(header.split("\t"), map(float, values.split("\t")), strict=True)), log


@pytest.mark.parametrize(
    ("options", "policy"), [(["--wait-k", "3"], WaitK(3)), (["--policy", "boundary"], Boundary())], ids=str
)
def test_the_same_scores_and_delays(tmp_path, options, policy):
    theirs, log = simuleval(tmp_path, *options)
    translator = load("en-pt")
    results = BatchEngine(translator, policy).translate([source for source, _ in PAIRS])
    ours = [as_instance(n, events, translator.settings, [PAIRS[n][1]]) for n, events in results]
    assert [(i["prediction"], i["delays"]) for i in log] == [(i.prediction, list(i.delays)) for i in ours]
    values = Scores.of(Run(About("ours"), ours)).values
    for name in ("BLEU", "AL", "LAAL", "AP", "DAL"):
        assert values[name] == pytest.approx(theirs[name], abs=5.1e-4), name


@pytest.mark.parametrize(
    ("k", "message"), [("0", "it must be a whole number from 1"), ("three", "invalid float value: 'three'")]
)
def test_a_wait_k_that_cannot_be_is_refused(tmp_path, k, message):
    result = run_simuleval(tmp_path, "--wait-k", k)
    assert result.returncode != 0
    assert message in result.stderr
