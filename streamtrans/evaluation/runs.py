"""Folders of finished runs: one run, or a system with a run for each setting."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamtrans.errors import DataError
from streamtrans.evaluation.instances import Instance, read_log, unit_of
from streamtrans.evaluation.quality import tokenizer_of

LOG = "instances.log"


@dataclass(frozen=True)
class Run:
    """A run as it was translated, or read back from its folder.

    tokenizer: the one of its BLEU, None where only its language would tell. options: those of its policy by name, as
    far as they are known.
    """

    name: str
    instances: list[Instance]
    policy: str | None = None
    wait_k: float | None = None
    tokenizer: str | None = "13a"
    options: Mapping[str, Any] = field(default_factory=dict)


def read_run(path: Path, language: str | None = None) -> Run:
    """The run in this folder; a folder with nothing but a log will do, and so will the log itself.

    language: of the target; it decides the tokenizer, and the unit of a log that does not state it. Without, the
    tokenizer is that of the run's scores, 13a for words that were never scored, and unknown for such characters.
    Raises `DataError` where there is no log, or a file that cannot be read.
    """
    log = path if path.is_file() else path / LOG
    if not log.is_file():
        below = ", ".join(log.parent.name for log in sorted(path.glob(f"*/{LOG}")))
        advice = f"name one of its runs: {below}" if below else "give the folder that --save-log wrote"
        raise DataError(f"{path}: no {LOG} in it; {advice}")
    ours = log.name == LOG
    scores = _scores(log.parent / "scores.json") if ours else {}
    wait_k = scores.get("wait_k")
    instances = read_log(log, unit=unit_of(language or ""))
    return Run(
        name=log.resolve().parent.name if ours else log.name,
        instances=instances,
        policy=scores.get("policy"),
        wait_k=math.inf if wait_k == "inf" else wait_k,
        tokenizer=tokenizer_of(language) if language else _tokenizer(scores.get("signature"), instances),
        options=scores.get("options") or {},
    )


def read_runs(path: Path, language: str | None = None) -> list[Run]:
    """The runs of a system: the folder itself if it has a log, else its sub-folders that have one, by name."""
    if path.is_file() or (path / LOG).is_file():
        return [read_run(path, language)]
    below = sorted(log.parent for log in path.glob(f"*/{LOG}"))
    if not below:
        raise DataError(f"{path}: no {LOG} in it or in its sub-folders; give a folder that --save-log wrote")
    return [read_run(folder, language) for folder in below]


def _scores(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        scores = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read ({error}); remove it or score the log again") from None
    if not isinstance(scores, dict):
        raise DataError(f"{path}: expected one JSON object; remove it or score the log again")
    return scores


def _tokenizer(signature: str | None, instances: list[Instance]) -> str | None:
    """The one that the signature names; Chinese, Japanese and Thai are all characters, but each needs its own."""
    parts = dict(part.split(":", 1) for part in (signature or "").split("|") if ":" in part)
    return parts.get("tok") or (None if any(i.unit == "char" for i in instances) else "13a")
