"""The whole measurement: cases side by side, then one dictionary of results."""

import os
import platform
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from streamtrans.bench import ours
from streamtrans.bench.peers import Skipped, Transformers, mlx_lm_decode, retranslate
from streamtrans.bench.process import ColdStart, cold_start, help_time
from streamtrans.bench.timing import Case, interleave, medians, ratio, slowest
from streamtrans.bench.workload import SENTENCES, Recording, at_depth, record
from streamtrans.engine.chain import Chain, load_route
from streamtrans.engine.executors.qwen2 import Qwen2Executor
from streamtrans.engine.translator import Translator
from streamtrans.models.loading import find_parts
from streamtrans.models.qwen2_streaming.model import Model
from streamtrans.models.routes import Route
from streamtrans.runtime import compute_dtype, describe, mx

DEPTHS = (10, 30, 60)
"""Source words at which re-encoding is compared."""

BATCHES = (1, 8, 32)
_PACKAGES = ("streamtrans", "mlx", "mlx-lm", "numpy")
_GEMM, _GEMV = 1024, 4096

Advance = Callable[[str], None]


class Suite:
    """One run of all cases; `skipped` tells why a peer was not measured."""

    def __init__(
        self, route: Route, options: Sequence[str], against: Sequence[str] | None, torch_python: str, quick: bool
    ):
        """options: of `live`, for the same model. against: peers, None for those that need nothing else.

        quick: fewer rounds, two sentences.
        """
        self._name, self._options = route.title, options
        self._translator = load_route(route)
        self._directory, _ = find_parts(route.models[0])
        executor = self._translator.executor if isinstance(self._translator, Translator) else None
        self._qwen2 = executor.model if isinstance(executor, Qwen2Executor) else None
        self._against = (["mlx-lm", "reencode"] if self._qwen2 else ["fxtranslate"]) if against is None else against
        self._torch_python = torch_python
        self._rounds, self._live_rounds, self._slow_rounds, self._starts = (2, 1, 1, 1) if quick else (12, 6, 3, 3)
        self._sentences = SENTENCES[:2] if quick else SENTENCES
        self.skipped: dict[str, str] = {}

    def run(self, advance: Advance) -> dict[str, Any]:
        """All results, by the names that `streamtrans bench --json` gives them; times are medians."""
        with ExitStack() as stack:
            cases = self._products() | self._passes() | self._words() | self._peers(stack)
            found = medians(interleave(cases, self._rounds, advance))
            agreement = self._transformers.agreement if self._transformers else None
        live = interleave(self._live(), self._live_rounds, advance)
        found |= medians(live)
        self._slowest = {name: slowest(samples) for name, samples in live.items()}
        lines = {f"batch {size}": self._lines(size) for size in BATCHES}
        found |= medians(interleave(lines, self._slow_rounds, advance))
        return self._results(found, agreement) | self._processes(advance)

    def _products(self) -> dict[str, Case]:
        """Matrix products, ours and numpy's."""
        random = np.random.default_rng(0)
        cases: dict[str, Case] = {}
        for name, size in (("gemm", _GEMM), ("gemv", _GEMV)):
            matrix = random.standard_normal((size, size), dtype=np.float32)
            for whose, make in (("", ours.product), (" numpy", ours.numpy_product)):
                action = make(matrix, row=name == "gemv")
                cases[name + whose] = lambda action=action: ours.best_of_five(action)  # type: ignore[misc]
        reading = ours.memory_read()
        return cases | {"memory": lambda: ours.best_of_five(reading)}

    def _passes(self) -> dict[str, Case]:
        """The model alone, where it is a Qwen2."""
        if not (model := self._qwen2):
            return {}
        return {
            "decode": lambda: ours.decode(model),
            "read": lambda: ours.read_word(model),
            "prefill 64": lambda: ours.prefill(model, 64),
            "prefill 256": lambda: ours.prefill(model, 256),
        }

    def _words(self) -> dict[str, Case]:
        """Sessions, a sentence after the other."""
        kinds = {"session": ours.session, "steady": ours.steady, "first word": ours.first_word, "agree": ours.agreeing}
        return {
            name: lambda measured=measured: [  # type: ignore[misc]
                sample for sentence in self._sentences for sample in measured(self._translator, sentence)
            ]
            for name, measured in kinds.items()
        }

    def _live(self) -> dict[str, Case]:
        """Source words of a live stream, by the words of context before them."""
        longest = (self._translator.settings.max_source_words or 60) - 5
        depths = [min(depth, longest) for depth in DEPTHS]
        return {
            f"live {depth}": lambda at=at: ours.live_words(self._translator, at)  # type: ignore[misc]
            for depth, at in zip(DEPTHS, depths, strict=True)
        }

    def _lines(self, size: int) -> Case:
        sentences = [*self._sentences] * max(1, size // len(self._sentences))
        return lambda: ours.lines(self._translator, sentences, size)

    def _peers(self, stack: ExitStack) -> dict[str, Case]:
        """Cases of the peers that were asked for and are there; the others go to `skipped`, with the reason."""
        self._transformers: Transformers | None = None
        cases: dict[str, Case] = {}
        makers: dict[str, Callable[[], dict[str, Case]]] = {
            "mlx-lm": self._mlx_lm,
            "transformers": lambda: self._torch(stack),
            "reencode": self._reencode,
            "fxtranslate": self._fxtranslate,
        }
        for name in self._against:
            try:
                if (name == "fxtranslate") is (self._qwen2 is not None):
                    raise Skipped(f"it cannot run {self._name}")
                cases |= makers[name]()
            except Skipped as reason:
                self.skipped[name] = str(reason)
        return cases

    @property
    def _loaded(self) -> Model:
        """The Qwen2, for peers that are only asked for with one."""
        assert self._qwen2
        return self._qwen2

    def _mlx_lm(self) -> dict[str, Case]:
        decode = mlx_lm_decode(self._directory, self._loaded)
        return {"mlx-lm, 1 thread": lambda: decode(1), "mlx-lm, all threads": lambda: decode(None)}

    def _torch(self, stack: ExitStack) -> dict[str, Case]:
        assert isinstance(self._translator, Translator)
        recordings: list[Recording] = [record(self._translator, sentence) for sentence in self._sentences]
        offset = self._translator.settings.target_position_offset
        peer = Transformers(self._torch_python, self._directory, offset, recordings)
        self._transformers = stack.enter_context(peer)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return {
            f"transformers {dtype}, {threads} threads": lambda d=dtype, t=threads: peer.per_target_word(d, t)  # type: ignore[misc]
            for dtype in ("float32", "bfloat16")
            for threads in sorted({1, cores})
        }

    def _reencode(self) -> dict[str, Case]:
        model = self._loaded
        cases: dict[str, Case] = {}
        for words in DEPTHS:
            depth = at_depth(words, model.args.vocab_size)
            cases[f"at {words}"] = lambda d=depth: ours.wait_k_word(model, d)  # type: ignore[misc]
            cases[f"reencode {words}"] = lambda d=depth: ours.reencoded_word(model, d)  # type: ignore[misc]
        return cases

    def _fxtranslate(self) -> dict[str, Case]:
        """All words so far translated anew after each, by the engine that Firefox has for its models."""
        if not isinstance(self._translator, Translator):
            raise Skipped("it translates with one model, not through two")
        return {f"retranslate {n}": case for n, case in retranslate(self._directory, DEPTHS).items()}

    def _results(self, found: dict[str, float | None], agreement: float | None) -> dict[str, Any]:
        def best(prefix: str) -> float | None:
            """The fastest of a peer's settings."""
            return min((v for name, v in found.items() if name.startswith(prefix) and v is not None), default=None)

        get = found.get
        batches = {size: get(f"batch {size}") for size in BATCHES}
        return {
            "ms_per_target_word": get("steady"),
            "ms_per_source_word_agree": get("agree"),
            "ms_per_source_word_live": {
                str(depth): {"median": get(f"live {depth}"), "p95": self._slowest.get(f"live {depth}")}
                for depth in DEPTHS
            },
            "memory_gb_per_s": ratio(ours.MEGABYTES, get("memory")),
            "first_word_ms": get("first word"),
            "decode_ms_per_token": get("decode"),
            "read_ms_per_word": get("read"),
            "prefill_ms": {"64": get("prefill 64"), "256": get("prefill 256")},
            "ratio_vs_mlx_lm_decode": ratio(best("mlx-lm"), get("decode")),
            "ratio_vs_transformers": {
                dtype: ratio(best(f"transformers {dtype}"), get("session")) for dtype in ("float32", "bfloat16")
            },
            "ratio_vs_reencode": {str(n): ratio(get(f"reencode {n}"), get(f"at {n}")) for n in DEPTHS},
            "ratio_vs_retranslate": {str(n): ratio(get(f"retranslate {n}"), get(f"live {n}")) for n in DEPTHS},
            "gemm_fraction_of_numpy": ratio(get("gemm numpy"), get("gemm")),
            "gemv_fraction_of_numpy": ratio(get("gemv numpy"), get("gemv")),
            "sentences_per_s": {str(size): 1000 / ms if ms else None for size, ms in batches.items()},
            "transformers_same_predictions": agreement,
            "medians_ms": found,
            "skipped": self.skipped,
            "environment": self._environment(),
        }

    def _processes(self, advance: Advance) -> dict[str, Any]:
        """Cold starts, one after the other."""
        starts: list[ColdStart] = []
        helps: list[float] = []
        for _ in range(self._starts):
            advance("cold start")
            starts.append(cold_start(self._options))
            helps.append(help_time())
        measured: dict[str, list[float | None]] = {
            "cold_start_s": [s.first_word_s for s in starts],
            "ready_s": [s.ready_s for s in starts],
            "peak_mb": [s.peak_mb for s in starts],
            "help_s": [*helps],
        }
        return medians({name: [v for v in values if v is not None] for name, values in measured.items()})

    def _environment(self) -> dict[str, Any]:
        runtime = describe()
        peers = self._transformers.versions if self._transformers else {}
        return {
            "model": self._name,
            "parameters": self._parameters(),
            "dtype": str(compute_dtype(mx.bfloat16)).removeprefix("mlx.core."),
            "device": runtime.device,
            "cpu": _cpu(),
            "blas": runtime.blas,
            "blas_threads": runtime.blas_threads,
            "system": f"{platform.system()} {platform.machine()}",
            "load": os.getloadavg()[0],
            "versions": {"python": platform.python_version(), **{p: _version(p) for p in _PACKAGES}, **peers},
        }

    def _parameters(self) -> int:
        links = self._translator.links if isinstance(self._translator, Chain) else [self._translator]
        return sum(link.executor.parameters for link in links if isinstance(link, Translator))


def _cpu() -> str:
    """The name that the processor gives itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
