"""Our latency against SimulEval 1.1.4's and OmniSTEval 0.1.10's own scorer classes, in their own environments.

scripts/make_peer_environments.py makes them; without them these tests are skipped.
"""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrans.evaluation import latency
from streamtrans.evaluation.instances import Instance, read_log, to_json, write_log
from streamtrans.evaluation.runs import About, Run
from streamtrans.evaluation.scores import Scores

ROOT = Path(__file__).parents[2]
PEERS = Path(os.environ.get("STREAMTRANS_PEERS") or ROOT / "work" / "peers")


class Peer:
    """One process that scores many logs: their imports take seconds."""

    def __init__(self, name: str):
        python = PEERS / name / "bin" / "python"
        if not python.exists():
            pytest.skip(f"no {python}: run scripts/make_peer_environments.py, or set STREAMTRANS_PEERS")
        command = [str(python), str(Path(__file__).with_name("peer_scorers.py")), name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, instances, elapsed=False, unit="word", **options):
        """The answer as it came: repr of each score."""
        fields = [json.loads(to_json(i)) if isinstance(i, Instance) else i for i in instances]
        self.process.stdin.write(json.dumps({"instances": fields, "elapsed": elapsed, "unit": unit} | options) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __call__(self, instances, **options):
        answer = self.ask(instances, **options)
        assert "error" not in answer, answer
        return {name: float(value) for name, value in answer.items()}

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


@pytest.fixture(scope="module", params=["simuleval", "omnisteval"])
def peer(request):
    peer = Peer(request.param)
    yield peer
    peer.close()


@pytest.fixture(scope="module")
def simuleval():
    peer = Peer("simuleval")
    yield peer
    peer.close()


@pytest.fixture(scope="module")
def omnisteval():
    peer = Peer("omnisteval")
    yield peer
    peer.close()


@st.composite
def instances(draw, index=0):
    source_length = draw(st.integers(1, 40))
    delays = sorted(draw(st.lists(st.integers(0, source_length), min_size=1, max_size=50)))
    ready, elapsed = 0.0, []
    for delay in delays:
        ready = max(delay, ready) + draw(st.floats(0.001, 3))
        elapsed.append(ready)
    return Instance(
        index=index,
        source=tuple(f"s{i}" for i in range(source_length)),
        source_length=source_length,
        prediction=" ".join("t" for _ in delays),
        delays=tuple(delays),
        reference=" ".join("r" for _ in range(draw(st.integers(1, 50)))),
        elapsed=tuple(elapsed),
    )


logs = st.lists(instances(), min_size=1, max_size=8)


@given(log=logs)
@settings(max_examples=300, deadline=None)
def test_equal_to_theirs(peer, log):
    ours = latency.corpus(log)
    for elapsed, suffix in ((False, ""), (True, "_CA")):
        for name, theirs in peer(log, elapsed=elapsed).items():
            if name in latency.LATENCY:
                mine = ours[name + suffix]
                assert mine == pytest.approx(theirs, abs=1e-6) if theirs == theirs else mine is None, name + suffix


@given(log=logs)
@settings(max_examples=200, deadline=None)
def test_atd_equal_to_simulevals_in_text_mode(simuleval, log):
    assert latency.corpus(log)["ATD"] == pytest.approx(simuleval(log, text=True)["ATD"], abs=1e-6)


@given(log=logs)
@settings(max_examples=100, deadline=None)
def test_degeneracy_equal_where_every_sentence_has_a_yaal(omnisteval, log):
    log = [i for i in log if i.delays[0] < i.source_length]
    if log:
        theirs, ours = omnisteval(log), latency.degeneracy(log)
        assert ours.swf == pytest.approx(theirs["swf"], abs=1e-6)
        assert ours.efsw == pytest.approx(theirs["efsw"], abs=1e-6)
        assert ours.efsw - ours.swf == pytest.approx(theirs["dsptv"], abs=1e-6)


@given(log=st.lists(instances(), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_characters_equal_to_theirs(peer, log):
    """Without spaces in the reference, which they count and we do not."""
    log = [
        replace(i, unit="char", prediction=i.prediction.replace(" ", ""), reference=i.reference.replace(" ", ""))
        for i in log
    ]
    ours = latency.corpus(log)
    for name, theirs in peer(log, unit="char").items():
        if name in latency.LATENCY:
            assert ours[name] == pytest.approx(theirs, abs=1e-6) if theirs == theirs else ours[name] is None


def one(reference="a b c d e f g h i j", delays=(3, 4, 5, 6, 7, 8, 9, 10, 10, 10), **changes):
    fields = {
        "index": 0,
        "source": " ".join("s" for _ in range(10)),
        "source_length": 10,
        "prediction": " ".join("t" for _ in delays),
        "delays": list(delays),
        "elapsed": [0] * len(delays),
        "prediction_length": len(delays),
        "reference": reference,
    }
    return {k: v for k, v in (fields | changes).items() if v is not None}


def ours(tmp_path, fields, unit="word"):
    path = tmp_path / "instances.log"
    path.write_text(json.dumps(fields) + "\n", encoding="utf-8")
    return latency.corpus(read_log(path, unit=unit))


def test_they_count_the_spaces_of_a_reference_and_we_its_words(peer, tmp_path):
    spaced = one(reference="a b c d e f g h i j" + " " * 5)
    assert peer([spaced])["AL"] > 4.1  # as if the reference had 15 words
    assert ours(tmp_path, spaced)["AL"] == pytest.approx(3)


def test_they_count_spaces_as_characters(peer, tmp_path):
    fields = one(reference="a b c d e f g h i j", prediction="tttttttttt")
    assert peer([fields], unit="char")["AL"] > 4.1  # as if the reference had 19 characters
    assert ours(tmp_path, fields, unit="char")["AL"] == pytest.approx(3)


def test_simuleval_takes_a_missing_reference_for_one_word(simuleval, tmp_path):
    fields = one(reference=None)
    assert simuleval([fields])["AP"] == pytest.approx(7.2)
    assert ours(tmp_path, fields)["AP"] == pytest.approx(0.72)
    assert ours(tmp_path, fields)["AL"] == pytest.approx(3)


def test_simuleval_reads_text_as_speech_for_atd(simuleval, tmp_path):
    assert simuleval([one()], metrics=["ATD"])["ATD"] != pytest.approx(3)
    assert ours(tmp_path, one())["ATD"] == pytest.approx(3)


def test_simuleval_fails_when_all_is_empty(simuleval, tmp_path):
    assert "error" in simuleval.ask([one(delays=())])
    assert ours(tmp_path, one(delays=()))["AL"] is None


def test_simulevals_zeros_for_text_are_not_times(simuleval, tmp_path):
    assert simuleval([one()], elapsed=True)["AL"] < 0
    assert ours(tmp_path, one())["AL_CA"] is None


def test_omnisteval_counts_words_of_sentences_without_yaal(omnisteval):
    log = [one(), one(delays=(10,) * 10)]
    assert omnisteval(log)["swf"] == pytest.approx(35)
    instances = [Instance(0, None, 10, i["prediction"], tuple(i["delays"]), i["reference"]) for i in log]
    assert latency.degeneracy(instances).swf == pytest.approx(70)


def test_our_log_without_times_is_read_by_theirs(peer):
    written = json.loads(to_json(Instance(0, ("a", "b"), 2, "x y", (1, 2), "x y")))
    assert written["elapsed"] is None
    assert peer([written])["AL"] == pytest.approx(1)


SOURCES = [" ".join(f"w{i}{j}" for j in range(n)) for i, n in enumerate((4, 9, 12, 23, 7))]
REFERENCES = [" ".join(f"w{i}{j}" for j in range(n)) for i, n in enumerate((5, 9, 10, 20, 9))]


def command(peer, *arguments):
    program = PEERS / peer / "bin" / peer
    if not program.exists():
        pytest.skip(f"no {program}: run scripts/make_peer_environments.py, or set STREAMTRANS_PEERS")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def simuleval_run(tmp_path):
    """SimulEval's own loop over an agent: what it prints, and its log."""
    (tmp_path / "source").write_text("\n".join(SOURCES) + "\n")
    (tmp_path / "target").write_text("\n".join(REFERENCES) + "\n")
    agent = Path(__file__).with_name("peer_agent.py")
    options = ["--agent", agent, "--source", tmp_path / "source", "--target", tmp_path / "target"]
    metrics = ["--quality-metrics", "BLEU", "--latency-metrics", "AL", "LAAL", "AP", "DAL", "ATD"]
    names = [*metrics, "StartOffset", "EndOffset"]
    command("simuleval", *options, *names, "--output", tmp_path / "out")
    header, values = command("simuleval", *options, *names).splitlines()[-2:]
    return dict(zip(header.split(), map(float, values.split()), strict=True)), tmp_path / "out" / "instances.log"


def test_simulevals_loop_and_its_log(simuleval_run):
    """They print three decimals. ATD only agrees without --output: with it they score the log, as speech."""
    theirs, log = simuleval_run
    ours = Scores.of(Run(About("ours"), read_log(log))).values
    assert {"BLEU", "AL", "LAAL", "AP", "DAL", "ATD", "StartOffset", "EndOffset"} == set(theirs)
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(value, abs=5e-4 + 1e-9), name
    assert ours["AL_CA"] is None


def test_omnistevals_command_line_on_our_log(simuleval_run, tmp_path):
    instances = read_log(simuleval_run[1])
    write_log(tmp_path / "ours.log", instances)
    files = ["--hypothesis_file", tmp_path / "ours.log", "--ref_sentences_file", tmp_path / "target"]
    command("omnisteval", "shortform", *files, "--word_level", "--output_folder", tmp_path / "scores")
    rows = (line.split("\t") for line in (tmp_path / "scores/scores.tsv").read_text().splitlines()[1:])
    theirs = {name.removesuffix(" (CU)"): value for name, value in rows}
    ours = Scores.of(Run(About("ours"), instances)).values
    for name in ("BLEU", "chrF", "YAAL", "AL", "LAAL", "AP", "DAL"):
        assert ours[name] == pytest.approx(float(theirs[name]), abs=5e-5 + 1e-9), name
