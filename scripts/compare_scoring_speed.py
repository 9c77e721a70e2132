#!/usr/bin/env python3
"""How long scoring takes: one sentence at a time, in batches, and SimulEval driving our agent, on the same sentences.

usage: compare_scoring_speed.py SOURCE REFERENCE [--limit N] [--wait-k K] [--batch-size N] [--rounds N]

All in one run and in turn, so that the ratios hold whatever else the machine does; the median of the rounds counts.
SimulEval is left out where its environment is not there (scripts/make_peer_environments.py). Also says for how many
sentences the batch differs from the sequential engine, and how close the two best tokens came in each of them.
"""

import argparse
import os
import platform
import statistics
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

from streamtrans.engine.batch import BatchEngine
from streamtrans.engine.executors import single
from streamtrans.engine.lines import SequentialEngine
from streamtrans.engine.translator import load
from streamtrans.policies import WaitK
from streamtrans.runtime import describe

ROOT = Path(__file__).parents[1]
SIMULEVAL = Path(os.environ.get("STREAMTRANS_PEERS") or ROOT / "work" / "peers") / "simuleval" / "bin" / "simuleval"


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def simuleval(sources, references, k):
    """Its own time, start-up and model loading left out: what its progress over the sentences took."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("source", "reference")]
        for file, lines in zip(files, (sources, references), strict=True):
            file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")

        def run(count):
            command = [
                SIMULEVAL, "--agent", ROOT / "streamtrans" / "interop" / "simuleval_agent.py", "--wait-k", f"{k:g}",
                "--source", files[0], "--target", files[1], "--output", Path(folder, f"out-{count}"),
                "--end-index", str(count), "--no-progress-bar", "--quality-metrics", "BLEU", "--latency-metrics", "AL",
            ]  # fmt: skip
            subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)})

        start_up, _ = timed(lambda: run(1))
        return timed(lambda: run(len(sources)))[0] - start_up


def closest_choice(translator, policy, line):
    """The smallest difference between the two best tokens of any choice in a session."""
    margins, predict = [], single.predict

    def noting(requests, hidden, logits, *rest):
        best = np.sort(np.array(logits), axis=-1)[0, -requests[0].rows :]
        margins.append(float((best[:, -1] - best[:, -2]).min()))
        return predict(requests, hidden, logits, *rest)

    single.predict = noting
    try:
        translator.session(policy).feed_line(line)
    finally:
        single.predict = predict
    return min(margins)


def seen(results):
    return [[(e.type, e.index, e.text, e.delay) for e in events] for _, events in results]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--wait-k", type=float, default=5)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    sources, references = (
        path.read_text(encoding="utf-8").splitlines()[: options.limit] for path in (options.source, options.reference)
    )
    translator, policy = load("en-pt"), WaitK(options.wait_k)
    batch = BatchEngine(translator, policy, options.batch_size)
    sequential = SequentialEngine(translator, policy)
    for engine in (batch, sequential):
        list(engine.translate(sources[:8]))  # warm
    times = {"sequential": [], "batched": [], "SimulEval": []}
    for _ in range(options.rounds):
        for name, engine in (("batched", batch), ("sequential", sequential)):
            seconds, results = timed(lambda engine=engine: seen(engine.translate(sources)))
            times[name].append(seconds)
            if name == "batched":
                batched = results
        if SIMULEVAL.exists():
            times["SimulEval"].append(simuleval(sources, references, options.wait_k))
    report(options, batch, times)
    different = [n for n, (one, other) in enumerate(zip(batched, results, strict=True)) if one != other]
    margins = [closest_choice(translator, policy, sources[n]) for n in different]
    print(f"different events: {len(different)} sentences" + "".join(f", closest choice {m:.1e}" for m in margins))


def report(options, batch, times):
    runtime = describe()
    print(f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {runtime.device}, {runtime.blas}, mlx {version('mlx')}")
    print(f"{options.limit} sentences, k = {options.wait_k:g}, batch size {batch.batch_size}, {options.rounds} rounds")
    base = statistics.median(times["batched"])
    for name, seconds in times.items():
        if seconds:
            middle = statistics.median(seconds)
            each = 1000 * middle / options.limit
            print(f"{name:10}  {middle:7.2f} s  {each:6.1f} ms a sentence  {middle / base:5.1f} × batched")
        else:
            print(f"{name:10}  not installed")


if __name__ == "__main__":
    main()
