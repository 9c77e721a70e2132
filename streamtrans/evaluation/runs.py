"""Folders of finished runs: one run, or a system with a run for each setting."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamtrans.errors import DataError
from streamtrans.evaluation.instances import Instance, read_log

LOG = "instances.log"


@dataclass(frozen=True)
class Run:
    """A run read back from its folder; tokenizer: the one its BLEU was computed with."""

    name: str
    instances: list[Instance]
    policy: str | None = None
    wait_k: float | None = None
    tokenizer: str = "13a"


def read_run(directory: Path) -> Run:
    """The run in this folder; a folder with nothing but a log will do, and so will the log itself.

    Raises `DataError` where there is no log, or a file that cannot be read.
    """
    if directory.is_file():
        return Run(directory.parent.name or directory.name, read_log(directory))
    if not (directory / LOG).is_file():
        below = ", ".join(path.parent.name for path in sorted(directory.glob(f"*/{LOG}")))
        advice = f"name one of its runs: {below}" if below else "give the folder that --save-log wrote"
        raise DataError(f"{directory}: no {LOG} in it; {advice}")
    scores = _scores(directory / "scores.json")
    wait_k = scores.get("wait_k")
    return Run(
        name=directory.resolve().name,
        instances=read_log(directory / LOG),
        policy=scores.get("policy"),
        wait_k=math.inf if wait_k == "inf" else wait_k,
        tokenizer=_tokenizer(scores.get("signature") or ""),
    )


def read_runs(directory: Path) -> list[Run]:
    """The runs of a system: the folder itself if it has a log, else its sub-folders that have one, by name."""
    if directory.is_file() or (directory / LOG).is_file():
        return [read_run(directory)]
    below = sorted(path.parent for path in directory.glob(f"*/{LOG}"))
    if not below:
        raise DataError(f"{directory}: no {LOG} in it or in its sub-folders; give a folder that --save-log wrote")
    return [read_run(path) for path in below]


def _scores(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        scores = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); remove it or score the log again") from None
    if not isinstance(scores, dict):
        raise DataError(f"{path}: expected one JSON object; remove it or score the log again")
    return scores


def _tokenizer(signature: str) -> str:
    parts = dict(part.split(":", 1) for part in signature.split("|") if ":" in part)
    return parts.get("tok", "13a")
