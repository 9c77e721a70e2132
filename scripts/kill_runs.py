"""Kills `translate` and `score --save-log` at random moments, resumes them, and compares with a run nobody disturbed.

    python scripts/kill_runs.py 1000 --seed 0

A chain is one run that is disturbed up to six times and then left to end; each disturbance is drawn:

  time       SIGKILL at any moment, from the start of the process to its usual end
  operation  SIGKILL before or after the n-th call that touches a file
  full       no file may grow beyond a number of bytes, as on a full disk: a write is cut in the middle
  cut        after a SIGKILL, log and output lose some of their last bytes, as when the machine loses power
  grow       the input of `translate` is there only in part, cut inside a line too, and grows before it is resumed

After every disturbance all whole lines but the last must be the right ones, and none of them may be lost. At the end
every file must equal, byte for byte, the one of the undisturbed run. Exits with 1 when one does not. The model is small
and random, made on the spot, so that a run takes a second.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

SENTENCES = 16
WORDS = "we go home and then you take the bus to a small town by the sea where they live with café über naïve".split()
KINDS = ["time", "time", "time", "operation", "operation", "operation", "full", "cut"]
LONGEST_CHAIN = 6

MODEL = """
import json, shutil, sys
from itertools import count
from math import inf
from pathlib import Path
from mlx.utils import tree_flatten, tree_map
from streamtrans.engine.batch import BatchEngine
from streamtrans.engine.translator import load
from streamtrans.models.embedded import ASSETS
from streamtrans.models.qwen2_streaming.model import Model, ModelArgs
from streamtrans.policies import WaitK
from streamtrans.runtime import mx
folder, lines = Path(sys.argv[1]), Path(sys.argv[2]).read_text().splitlines()
folder.mkdir()
sizes = dict(vocab_size=8000, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
             tie_word_embeddings=True)
section = {"tokenizer": "sentencepiece-suffix", "source_language": "en", "target_language": "pt",
           "max_source_words": 12, "length_ratio": 1}
(folder / "config.json").write_text(json.dumps({"model_type": "qwen2", **sizes, "streamtrans": section}))
shutil.copy(ASSETS / "en-pt" / "tokenizer.model", folder)

def translations(noise):
    shaken = tree_map(lambda w: w * (1 + noise * mx.random.normal(w.shape)), model.parameters())
    mx.save_safetensors(str(folder / "model.safetensors"), dict(tree_flatten(shaken)))
    translator = load(folder)
    results = [BatchEngine(translator, WaitK(k)).translate(lines) for k in (1, 2, 3, inf)]
    return [[event.text for event in events] for result in results for _, events in result]

for seed in count():  # a model whose choices are clear: in another batch logits differ by about 1e-6
    mx.random.seed(seed)
    model = Model(ModelArgs(**sizes))
    if translations(1e-5) == translations(1e-5) == translations(0):
        break
"""

WATCHED = """
import atexit, os, signal, sys
left, told = int(sys.argv.pop(1)), os.environ.get("COUNT_CALLS_IN")
calls, before = {"open", "write", "flush", "close", "truncate", "replace", "unlink", "chmod", "mkdir"}, 0
places = ("cli/translate", "streamtrans/evaluation", "streamtrans/files", "pathlib", "tempfile")

def watch(frame, event, function):
    global left
    if event[:2] == "c_" and function.__name__ in calls and any(p in frame.f_code.co_filename for p in places):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

if told:
    start = left
    atexit.register(lambda: open(told, "w").write(str(start - left)))
from streamtrans.cli.app import main
sys.setprofile(watch)
main()
"""


@dataclass(frozen=True)
class Job:
    """A command and the files that it makes; `grows` where its input may grow."""

    arguments: list[str]
    results: list[str]
    grows: bool = False


def jobs(model: Path) -> list[Job]:
    """The commands that are disturbed; all take place in a folder with source.en and reference.pt."""
    base = ["--model", str(model)]
    folder = ["instances.log", "configuration.json", "scores.json", "scores.tsv"]
    recorded = [f"run/{name}" for name in folder]
    translate = ["translate", "source.en", "-o", "out.pt", *base]
    score = ["score", "source.en", "reference.pt", "--save-log", "run", *base]
    return [
        Job([*translate, "--batch-size", "5"], ["out.pt"], grows=True),
        Job([*translate, "--wait-k", "2", "--save-log", "run", "--batch-size", "3"], ["out.pt", *recorded], grows=True),
        Job([*translate, "--save-log", "run"], ["out.pt", *recorded], grows=True),
        Job(
            [*score, "--wait-k", "1,inf", "--batch-size", "7"],
            [f"run/wait-{k}/{name}" for k in ("1", "inf") for name in folder],
        ),
    ]


@dataclass
class Undisturbed:
    """A job's results by name, its seconds, and its calls that touch files."""

    results: dict[str, bytes]
    seconds: float
    calls: int


@dataclass
class Tally:
    """The disturbances of each kind, the chains that ended well, and what was wrong in the others."""

    kinds: Counter[str] = field(default_factory=Counter)
    grown: int = 0
    chains: int = 0
    wrong: list[str] = field(default_factory=list)


def texts(seed: int) -> tuple[bytes, bytes]:
    """A source and a reference; some lines are empty, some longer than the model reads."""
    chance = random.Random(seed)
    lines = [" ".join(chance.choices(WORDS, k=chance.choice([0, 1, 2, 2, 3, 4, 13]))) for _ in range(SENTENCES)]
    return "".join(f"{line}\n" for line in lines).encode(), "".join(f"{line[::-1]}\n" for line in lines).encode()


def begun(folder: Path, source: bytes, reference: bytes) -> Path:
    folder.mkdir()
    (folder / "source.en").write_bytes(source)
    (folder / "reference.pt").write_bytes(reference)
    return folder


def undisturbed(job: Job, folder: Path) -> Undisturbed:
    """What the job gives when it is left alone."""
    environment = {**os.environ, "COUNT_CALLS_IN": str(folder / "calls")}
    command = [sys.executable, "-c", WATCHED, "-1", *job.arguments]
    began = time.monotonic()
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment)
    seconds = time.monotonic() - began
    return Undisturbed(results_of(job, folder), seconds, int((folder / "calls").read_text()))


def results_of(job: Job, folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() if (folder / name).exists() else b"" for name in job.results}


class Chain:
    """One run, disturbed again and again until it ends; what went wrong is in `wrong`."""

    def __init__(self, job: Job, whole: Undisturbed, folder: Path, source: bytes, seed: int, most: int):
        self.job, self.whole, self.folder, self.source, self.most = job, whole, folder, source, most
        self.chance = random.Random(seed)
        self.name = f"chain {seed} ({' '.join(job.arguments[:2])})"
        self.kinds: Counter[str] = Counter()
        self.grown, self.wrong = 0, ""
        self._kept: dict[str, int] = {}

    def run(self) -> "Chain":
        self.growing = self.job.grows and self.chance.random() < 0.4
        for number in range(min(self.most, self.chance.randint(1, LONGEST_CHAIN))):
            if self.growing:
                self._grow()
            kind = self.chance.choice(KINDS)
            ended = self._disturb(kind, resume=number > 0)
            self.kinds[kind] += not ended
            if self.wrong or (ended and not self.growing):
                break
        if not self.wrong:
            self._end()
        return self

    def _command(self, resume: bool) -> list[str]:
        return [*self.job.arguments, "--resume"] if resume else self.job.arguments

    def _grow(self) -> None:
        """More of the source is there than before, to any byte of it."""
        file = self.folder / "source.en"
        at = file.stat().st_size if self.grown else 0
        file.write_bytes(self.source[: self.chance.randint(max(at, 1), len(self.source))])
        self.grown += 1

    def _disturb(self, kind: str, resume: bool) -> bool:
        """Runs the command, disturbed; true if it ended as usual all the same."""
        calls = self.chance.randint(1, self.whole.calls) if kind == "operation" else -1
        command = [sys.executable, "-c", WATCHED, str(calls), *self._command(resume)]
        if kind != "operation":
            command = [sys.executable, "-m", "streamtrans", *self._command(resume)]
        largest = max(map(len, self.whole.results.values()))
        limit = self.chance.randint(0, largest) if kind == "full" else resource.RLIM_INFINITY
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY)),
        )
        seconds = self.chance.uniform(0, self.whole.seconds) if kind in ("time", "cut") else 60
        try:
            said = process.communicate(timeout=seconds)[1].decode()
        except subprocess.TimeoutExpired:
            process.kill()
            said = process.communicate()[1].decode()
        if "Traceback" in said or process.returncode not in (0, 1, -signal.SIGKILL):
            self.wrong = f"{kind}: exit code {process.returncode}: {said}"
        self._check(kind)
        if kind == "cut":
            self._cut()
        return process.returncode == 0

    def _check(self, kind: str) -> None:
        """Whole lines that are there are right, and none of them is lost."""
        for name in ("out.pt", *(name for name in self.job.results if name.endswith("instances.log"))):
            if name in self.job.results and (self.folder / name).exists():
                found = (self.folder / name).read_bytes().split(b"\n")[:-1]
                if found[:-1] != self.whole.results[name].split(b"\n")[: len(found[:-1])]:
                    self.wrong = self.wrong or f"{kind}: {name} holds other lines"
                again = 1 if name == "out.pt" else 2  # lines that resuming translates again; the log is one ahead
                if len(found) < self._kept.get(name, 0) - again:
                    self.wrong = self.wrong or f"{kind}: {name} fell from {self._kept[name]} to {len(found)} lines"
                self._kept[name] = len(found)

    def _cut(self) -> None:
        for name in self.job.results:
            file = self.folder / name
            if name.endswith(("out.pt", "instances.log")) and file.exists() and self.chance.random() < 0.7:
                size = file.stat().st_size
                os.truncate(file, max(0, size - self.chance.randint(0, 100)))
                self._kept.clear()

    def _end(self) -> None:
        (self.folder / "source.en").write_bytes(self.source)
        done = subprocess.run(
            [sys.executable, "-m", "streamtrans", *self._command(resume=True)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode:
            self.wrong = f"resuming: exit code {done.returncode}: {done.stderr}"
            return
        for name, found in results_of(self.job, self.folder).items():
            if found != self.whole.results[name]:
                self.wrong = f"{name} differs from that of the undisturbed run"
        if strays := [file.name for file in self.folder.rglob(".*")]:
            self.wrong = f"{strays[0]} is left"


def kill_runs(number: int, seed: int, side_by_side: int, keep: Path | None) -> Tally:
    """Chains until `number` disturbances have happened."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        source, reference = texts(seed)
        (root / "source.en").write_bytes(source)
        subprocess.run([sys.executable, "-c", MODEL, str(root / "model"), str(root / "source.en")], check=True)
        kinds = [
            (job, undisturbed(job, begun(root / f"whole-{i}", source, reference)))
            for i, job in enumerate(jobs(root / "model"))
        ]

        def chain(at: int) -> Chain:
            job, whole = kinds[at % len(kinds)]
            folder = begun(root / f"chain-{at}", source, reference)
            return Chain(job, whole, folder, source, seed * 1_000_000 + at, number).run()

        at = 0
        with ThreadPoolExecutor(side_by_side) as pool:
            while disturbances(tally) < number:
                for done in pool.map(chain, range(at, at + 4 * side_by_side)):
                    collect(done, tally, keep)
                at += 4 * side_by_side
                print(f"{disturbances(tally)} disturbances, {len(tally.wrong)} wrong", file=sys.stderr, flush=True)
    return tally


def disturbances(tally: Tally) -> int:
    return sum(tally.kinds[kind] for kind in set(KINDS))


def collect(chain: Chain, tally: Tally, keep: Path | None) -> None:
    tally.kinds += chain.kinds
    tally.grown += chain.grown
    tally.chains += 1
    if chain.wrong:
        tally.wrong.append(f"{chain.name}: {chain.wrong}")
        print(tally.wrong[-1], file=sys.stderr, flush=True)
        if keep:
            shutil.copytree(chain.folder, keep / chain.folder.name, dirs_exist_ok=True)
    shutil.rmtree(chain.folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("disturbances", type=int, nargs="?", default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side-by-side", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="Folders of the chains that went wrong go here.")
    options = parser.parse_args()
    tally = kill_runs(options.disturbances, options.seed, options.side_by_side, options.keep)
    about = {"disturbances": disturbances(tally), **tally.kinds, "inputs grown": tally.grown, "chains": tally.chains}
    print(json.dumps(about | {"wrong": tally.wrong}, indent=2))
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
