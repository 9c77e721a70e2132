"""Gives each fuzz target of tests/fuzz many inputs, in a process of its own, and tells what came of it.

    python scripts/fuzz.py 100000                 every target
    python scripts/fuzz.py 100000 words log       these

An input must be answered rightly or refused in one line, within `SECONDS`; the process may not grow by more than
`MEGABYTES` over what it had after its first thousand inputs. A line of JSON for each target goes to standard output.
Needs the packages of `.[test]`.
"""

import argparse
import gc
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "fuzz"))

CHUNK = 1000
SECONDS = 30
MEGABYTES = 200


def resident() -> float:
    """Megabytes that this process holds now, what hypothesis no longer needs being given back."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def too_long(*_: object) -> None:
    raise TimeoutError(f"an input took more than {SECONDS} s")


def fuzz(name: str, inputs: int, first: int) -> dict[str, object]:
    """Tries one target with the inputs after the `first`; the first input that fails is in `failed`."""
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from targets import make_targets

    signal.signal(signal.SIGALRM, too_long)
    began, done, after_first, failed = time.monotonic(), 0, 0.0, ""
    with tempfile.TemporaryDirectory() as folder:
        target = make_targets(Path(folder), [name])[name]
        while done < inputs and not failed:

            @seed(first + done)
            @settings(
                max_examples=min(CHUNK, inputs - done),
                deadline=None,
                database=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            )
            @given(target.inputs)
            def run(given: object) -> None:
                signal.alarm(SECONDS)
                target.check(given)
                signal.alarm(0)

            try:
                run()
                done += min(CHUNK, inputs - done)
            except BaseException:
                failed = traceback.format_exc()
            after_first = after_first or resident()
            if resident() - after_first > MEGABYTES:
                failed = failed or f"grew from {after_first:.0f} to {resident():.0f} MB"
            print(f"{name}: {done}", file=sys.stderr, flush=True)
    seconds = round(time.monotonic() - began)
    most = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return {"target": name, "inputs": done, "seconds": seconds, "most MB": most, "failed": failed}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", type=int)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--first", type=int, default=0, help="The number of inputs that an earlier run has tried.")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    from targets import MAKERS

    names = options.targets or list(MAKERS)
    if options.here:
        print(json.dumps(fuzz(names[0], options.inputs, options.first)), flush=True)
        return 0
    failures = 0
    for name in names:
        command = [sys.executable, __file__, str(options.inputs), name, "--first", str(options.first), "--here"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        result = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {"target": name, "failed": "it died"}
        print(json.dumps(result), flush=True)
        failures += bool(result["failed"])
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
