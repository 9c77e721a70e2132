"""What a run scored: computing it, showing it, saving it so that it can be computed again."""

import json
import math
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from streamtrans.errors import DataError
from streamtrans.evaluation import latency
from streamtrans.evaluation.files import write_atomically
from streamtrans.evaluation.instances import Instance, write_log
from streamtrans.evaluation.quality import COMET_MODEL, QUALITY, Quality, comet, corpus_quality

if TYPE_CHECKING:
    from rich.table import Table

_VERSIONS_OF = ("streamtrans", "sacrebleu", "numpy", "mlx", "mlx-lm", "sentencepiece", "unbabel-comet")
_COLUMN, _NAMES = 10, 16  # widths in the table for terminals


@dataclass(frozen=True)
class Scores:
    """The scores of one run; `values` by metric, in the order of reports, None where there is none.

    empty: sentences for which nothing was written. skipped: sentences without a YAAL, the empty ones among them.
    degenerate: SWF and EFSW are so far apart that YAAL misleads. wait_k: None for policies without one. options: those
    of the policy by name, ready for JSON. name: that of the run's folder; by default what policy and k give: "wait-3",
    "boundary".
    """

    sentences: int
    values: Mapping[str, float | None]
    empty: int
    skipped: int
    degenerate: bool
    signatures: Mapping[str, str] = field(default_factory=dict)
    policy: str | None = None
    wait_k: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self._default_name())

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON: one entry of "runs"; k = ∞ is "inf", what is undefined is null."""
        return {
            "run": self.name,
            "policy": self.policy,
            "wait_k": "inf" if self.wait_k == math.inf else self.wait_k,
            "options": dict(self.options),
            "sentences": self.sentences,
            **self.values,
            "skipped": self.skipped,
            "empty": self.empty,
            "degenerate": self.degenerate,
            "signature": self.signatures.get("BLEU"),
            "signatures": dict(self.signatures),
        }

    def _default_name(self) -> str:
        if self.wait_k is None or self.policy not in (None, "wait-k"):
            return self.policy or "run"
        return f"wait-{self.wait_k:g}"


def score(
    instances: Sequence[Instance],
    *,
    quality: Sequence[str] = QUALITY,
    tokenizer: str | None = "13a",
    comet_model: str = COMET_MODEL,
    policy: str | None = None,
    wait_k: float | None = None,
    options: Mapping[str, Any] | None = None,
    name: str = "",
) -> Scores:
    """Score a corpus: the named quality metrics ("BLEU", "chrF", "TER", "COMET") and all of latency.

    Empty predictions count for quality and not for latency. Without references quality is None and latency takes the
    length of the prediction for that of the reference. Raises `DataError` where only some have a reference.
    """
    qualities = _quality(instances, quality, tokenizer, comet_model)
    degeneracy = latency.degeneracy(instances)
    written = [len(instance.delays) for instance in instances]
    values: dict[str, float | None] = {name: q.value if q else None for name, q in qualities.items()}
    values |= latency.corpus(instances)
    values["NE"] = latency.normalized_erasure([instance.deleted for instance in instances], written)
    values["SWF"] = degeneracy.swf if degeneracy else None
    values["EFSW"] = degeneracy.efsw if degeneracy else None
    return Scores(
        sentences=len(instances),
        values=values,
        empty=written.count(0),
        skipped=sum(latency.LATENCY["YAAL"](instance) is None for instance in instances),
        degenerate=degeneracy is not None and degeneracy.suspicious,
        signatures={name: q.signature for name, q in qualities.items() if q},
        policy=policy,
        wait_k=wait_k,
        options=options or {},
        name=name,
    )


def _quality(
    instances: Sequence[Instance], names: Sequence[str], tokenizer: str | None, comet_model: str
) -> dict[str, Quality | None]:
    references = [i.reference for i in instances if i.reference is not None]
    if not references:
        return dict.fromkeys(names)
    if len(references) != len(instances):
        raise DataError(
            f"{len(instances) - len(references)} of {len(instances)} sentences have no reference: give references for "
            "all of them, or for none to score latency alone"
        )
    predictions = [i.prediction for i in instances]
    result: dict[str, Quality | None] = {}
    for name in names:
        if name == "COMET":
            sources = [i.source_text for i in instances if i.source_text is not None]
            if len(sources) != len(instances):
                raise DataError("COMET needs the source of every sentence, and the log does not have it")
            result[name] = comet(sources, predictions, references, comet_model)
        else:
            result[name] = corpus_quality(name, predictions, references, tokenizer)
    return result


def save(
    directory: Path,
    instances: Sequence[Instance],
    scores: Scores,
    configuration: Mapping[str, Any],
    seeds: Mapping[str, int] | None = None,
) -> None:
    """Write a run's folder: instances.log, configuration.json (options, seeds, versions), scores.tsv, scores.json.

    Each file appears whole or not at all; scores.json comes last, so a folder that has it is complete.
    Raises `StreamtransError` where a file cannot be written.
    """
    write_log(directory / "instances.log", instances)
    record = {"configuration": dict(configuration), "seeds": dict(seeds or {}), "versions": versions()}
    write_atomically(directory / "configuration.json", _json(record))
    write_atomically(directory / "scores.tsv", tsv([scores]))
    write_atomically(directory / "scores.json", _json(scores.as_dict()))


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2, default=str) + "\n"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a score depends on, as far as they are installed."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in _VERSIONS_OF:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def tsv(runs: Sequence[Scores]) -> str:
    """One header line and one line a run, separated by tabs; what is undefined is an empty cell."""
    rows = [{k: v for k, v in run.as_dict().items() if k not in ("options", "signatures")} for run in runs]
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _cell(value: Any, digits: int = 4) -> str:
    if value is None:
        return ""
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def show(runs: Sequence[Scores], stream: IO[str] | None = None) -> None:
    """Print the runs: tables on a terminal, tab-separated text otherwise. stream: standard output by default."""
    stream = stream or sys.stdout
    if not stream.isatty():
        stream.write(tsv(runs))
        return
    from rich.console import Console

    console = Console(file=stream)
    column = max([_COLUMN, *(len(run.name) + 2 for run in runs)])
    per_table = max(1, (console.width - _NAMES) // column)
    for start in range(0, len(runs), per_table):
        console.print(_table(runs[start : start + per_table]))
    for signature in dict.fromkeys(s for run in runs for s in run.signatures.values()):
        console.print(signature, style="dim", highlight=False)
    if any(run.degenerate for run in runs):
        console.print("degenerate: words are written in bursts at the ends, and YAAL does not describe this policy")


def _table(runs: Sequence[Scores]) -> "Table":
    """Metrics down, runs across: all metrics stay readable on a narrow terminal."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for run in runs:
        table.add_column(run.name, justify="right", overflow="fold")
    rows = [run.as_dict() for run in runs]
    for name in dict.fromkeys(name for row in rows for name in row):
        if name in ("run", "policy", "wait_k", "options", "signature", "signatures"):
            continue
        cells = [_cell(row.get(name), 2) for row in rows]
        if any(cells) and not (name == "degenerate" and "True" not in cells):
            table.add_row(name, *(cell or "–" for cell in cells))
    return table
