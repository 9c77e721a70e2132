"""The others, on the same weights: mlx-lm in this process, transformers in one of its own."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from streamtrans.bench.ours import PROMPT, tokens_for
from streamtrans.bench.timing import Case, milliseconds
from streamtrans.bench.workload import LONG_SENTENCE, Recording
from streamtrans.models.checkpoint_files import read_weights
from streamtrans.models.loading import read_config
from streamtrans.models.qwen2_streaming.model import Model
from streamtrans.runtime import blas_threads, compute_dtype, mx


class Skipped(Exception):
    """A peer cannot be measured here; the message says why."""


def mlx_lm_decode(directory: Path, ours: Model) -> Callable[[int | None], Iterator[float]]:
    """Plain decoding by mlx-lm's own Qwen2, as a case that takes the number of BLAS threads, None for all.

    As `mlx_lm.generate` does, the next token's pass begins before the last one's is known to Python. Raises Skipped.
    """
    if find_spec("mlx_lm") is None:
        raise Skipped("mlx-lm is not installed")
    from mlx_lm.models import qwen2
    from mlx_lm.models.cache import make_prompt_cache

    config = read_config(directory)
    model = qwen2.Model(qwen2.ModelArgs.from_dict({**config, "rope_theta": ours.args.rope_theta}))
    if "quantization" in config:
        raise Skipped("the checkpoint is quantised")
    weights = {name: w.astype(compute_dtype(w.dtype)) for name, w in read_weights(directory).items()}
    model.load_weights(list(model.sanitize(weights).items()))
    mx.eval(model.parameters())
    prompt = tokens_for(ours, PROMPT)

    def decode(threads: int | None) -> Iterator[float]:
        cache = make_prompt_cache(model)
        token = mx.argmax(model(mx.array([prompt]), cache=cache)[:, -1], axis=-1)
        mx.eval(token)

        def step() -> None:
            nonlocal token
            coming = mx.argmax(model(token[None], cache=cache)[:, -1], axis=-1)
            mx.async_eval(coming)
            token.item()
            token = coming

        with blas_threads(threads or sys.maxsize):
            step()
            samples = [milliseconds(step) for _ in range(16)]
        yield from samples

    return decode


def retranslate(directory: Path, depths: Sequence[int]) -> dict[int, Case]:
    """A source word by Firefox's own engine, which translates all words so far anew for it, at each depth in words.

    Raises Skipped.
    """
    if find_spec("fxtranslate") is None:
        raise Skipped("fxtranslate is not installed: pip install 'streamtrans[firefox]'")
    engine = native_engine(directory)

    def around(depth: int) -> Iterator[float]:
        for words in range(depth - 4, depth + 6):
            yield milliseconds(lambda words=words: engine.translate(" ".join(LONG_SENTENCE[:words])))  # type: ignore[misc]

    return {depth: lambda depth=depth: around(depth) for depth in depths}  # type: ignore[misc]


def native_engine(directory: Path) -> Any:
    """Firefox's own engine for the model of a directory; needs fxtranslate."""
    import fxtranslate

    kinds = ("model.*.bin", "*vocab.*.spm", "lex.*.bin")
    weights, vocabularies, shortlist = (sorted(directory.glob(kind)) for kind in kinds)
    files = [*weights, vocabularies[0], vocabularies[-1], *shortlist]
    return fxtranslate.Translator(*(file.read_bytes() for file in files))


class Transformers:
    """The transformers peer: a process that does the passes of our recordings; a context manager.

    `versions` of torch and transformers; `agreement` is the share of predictions that were the same in float32.
    """

    def __init__(self, python: str, directory: Path, offset: int, recordings: Sequence[Recording]):
        """Start it; raises Skipped if that Python has no torch or transformers, or cannot be run."""
        self._recordings = recordings
        self.agreement = 1.0
        program = str(Path(__file__).with_name("transformers_peer.py"))
        try:
            self._process = subprocess.Popen(
                [python, program, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
        except OSError as error:
            raise Skipped(f"{python} cannot be run: {error.strerror}") from error
        greeting = self._answer("torch or transformers is missing there; name another Python with --torch-python")
        self.versions: dict[str, str] = greeting
        sentences = [[[p.source, p.target, p.take_back] for p in r.passes] for r in recordings]
        self._send({"offset": offset, "sentences": sentences})

    def __enter__(self) -> "Transformers":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def per_target_word(self, dtype: str, threads: int) -> Iterator[float]:
        """Milliseconds per target word of each sentence."""
        self._send({"dtype": dtype, "threads": threads})
        answer = self._answer(f"it stopped while computing in {dtype}")
        if dtype == "float32":
            pairs = [
                mine == theirs
                for r, predicted in zip(self._recordings, answer["predicted"], strict=True)
                for mine, theirs in zip(r.predicted, predicted, strict=True)
            ]
            self.agreement = sum(pairs) / len(pairs)
        for recording, seconds in zip(self._recordings, answer["seconds"], strict=True):
            if recording.words:
                yield seconds * 1000 / recording.words

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # a process that has stopped shows by the answer that it does not give
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def _answer(self, or_else: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise Skipped(or_else)
        return json.loads(line)
