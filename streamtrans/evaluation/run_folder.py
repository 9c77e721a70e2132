"""The folder of a run: a log that grows with the run, its configuration from the start, its scores at the end."""

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from streamtrans.errors import DataError, UsageError
from streamtrans.evaluation import instances as logs
from streamtrans.evaluation import significance
from streamtrans.evaluation.instances import Instance, unit_of
from streamtrans.evaluation.quality import tokenizer_of
from streamtrans.evaluation.report import tsv
from streamtrans.evaluation.runs import About, Run
from streamtrans.evaluation.scores import Scores
from streamtrans.files import clear_leftovers, write_atomically

LOG = "instances.log"
_CONFIGURATION = "configuration.json"
_SCORES, _TABLE = "scores.json", "scores.tsv"
_VERSIONS_OF = ("streamtrans", "sacrebleu", "numpy", "mlx", "mlx-lm", "sentencepiece", "unbabel-comet")


class RunFolder:
    """One run on disk: `begin`, `add` each sentence, `finish`; `read` gives it back.

    `path` may be the log alone, or another system's log under any name (or a pipe), which can only be read.
    """

    def __init__(self, path: Path):
        self._is_log = path.exists() and not path.is_dir()
        self._whole = not self._is_log or path.name == LOG  # else no other file here is of this run
        self.path = path.parent if self._is_log else path
        self.log = path if self._is_log else path / LOG

    def begin(self, configuration: Mapping[str, Any], resume: bool = False, most: int | None = None) -> list[Instance]:
        """Start a new run, or `resume` the one that is there: the instances it has, at most the first `most`.

        Raises UsageError for a path that is a file, and when that run was started with another configuration,
        DataError for a damaged log.
        """
        if self._is_log:
            raise UsageError(f"{self.log} is a file; give a folder to keep the run in")
        for name in (LOG, _CONFIGURATION, _SCORES, _TABLE):
            clear_leftovers(self.path / name)
        done = self._found(configuration) if resume else []
        for name in (_SCORES, _TABLE) if done else (_SCORES, _TABLE, LOG):  # an earlier run's would pass for this one's
            (self.path / name).unlink(missing_ok=True)
        if not done:
            self._write(_CONFIGURATION, {"configuration": dict(configuration)}, indent=None)
            logs.write_log(self.log, [])
        elif most is not None and most < len(done):
            done = done[:most]
            logs.write_log(self.log, done)
        return done

    def _found(self, configuration: Mapping[str, Any]) -> list[Instance]:
        before = self._configuration()
        if before is None:
            if self.log.exists():
                raise UsageError(
                    f"{self.path} has a log but no {_CONFIGURATION}, so nobody knows what to resume it with: "
                    "take another folder, or run without --resume to write it anew"
                )
            return []
        now = json.loads(json.dumps(dict(configuration)))
        for name in now:
            if before.get(name) != now[name]:
                raise UsageError(
                    f"{self.path} was started with {name} {before.get(name)!r}, not {now[name]!r}: "
                    "resume with the same options, or run without --resume"
                )
        return logs.resume(self.log)

    def add(self, *instances: Instance) -> None:
        """Further lines of the log, on disk when this returns."""
        logs.append(self.log, instances)

    def finish(self, run: Run, scores: Scores) -> None:
        """Write the log in its order, versions and seeds into the configuration, and the scores.

        Each file appears whole or not at all; scores.json comes last, so that a folder that has it is complete.
        Raises `StreamtransError` where a file cannot be written.
        """
        logs.write_log(self.log, run.instances)
        seeds = {"significance": significance.SEED}
        record = {"configuration": self._configuration() or {}, "seeds": seeds, "versions": versions()}
        self._write(_CONFIGURATION, record)
        write_atomically(self.path / _TABLE, tsv([scores]))
        self._write(_SCORES, scores.as_dict())

    def read(self, language: str | None = None) -> Run:
        """The run; a folder with nothing but a log will do.

        language: of the target; it decides the tokenizer, and the unit of a log that does not state it. Without, the
        tokenizer is that of the run's scores, 13a for words that were never scored, and unknown for such characters.
        Raises `DataError` where there is no log, or a file that cannot be read.
        """
        if not self.log.exists():
            below = ", ".join(log.parent.name for log in sorted(self.path.glob(f"*/{LOG}")))
            advice = f"name one of its runs: {below}" if below else "give the folder that --save-log wrote"
            raise DataError(f"{self.path}: no {LOG} in it; {advice}")
        scores = self._scores() if self._whole else {}
        wait_k = scores.get("wait_k")
        instances = logs.read_log(self.log, unit=unit_of(language or ""))
        about = About(
            name=self.log.resolve().parent.name if self._whole else self.log.name,
            policy=scores.get("policy"),
            options=scores.get("options") or ({} if wait_k is None else {"k": wait_k}),
            tokenizer=tokenizer_of(language) if language else _tokenizer(scores.get("signature"), instances),
        )
        return Run(about, instances)

    @property
    def expected(self) -> int:
        """The number of sentences that the run was begun with; 0 where nobody says, or it cannot be read."""
        try:
            sentences = (self._configuration() or {}).get("sentences")
        except DataError:  # not ours, or damaged: the log may be good all the same
            return 0
        return sentences if isinstance(sentences, int) else 0

    def _scores(self) -> dict[str, Any]:
        """The object in scores.json, of which `read` can use what it uses; {} where there is none."""
        advice = "remove it or score the log again"
        scores = self._read(_SCORES, advice)
        for name, kind in {"policy": str, "options": dict, "signature": str}.items():
            if not isinstance(scores.get(name), kind | None):
                raise DataError(f"{self.path / _SCORES}: {name} is {scores[name]!r}; {advice}")
        return scores

    def _configuration(self) -> dict[str, Any] | None:
        advice = "run again without --resume"
        record = self._read(_CONFIGURATION, advice) if self._whole else {}
        configuration = record.get("configuration")
        if record and not isinstance(configuration, dict):
            raise DataError(f"{self.path / _CONFIGURATION}: no configuration in it; {advice}")
        return configuration

    def _read(self, name: str, advice: str) -> dict[str, Any]:
        """The object in a JSON file, {} where there is no such file."""
        path = self.path / name
        if not path.exists():
            return {}
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"{path}: cannot be read ({error}); {advice}") from None
        if not isinstance(content, dict):
            raise DataError(f"{path}: expected one JSON object; {advice}")
        return content

    def _write(self, name: str, content: Mapping[str, Any], indent: int | None = 2) -> None:
        text = json.dumps(content, ensure_ascii=False, indent=indent, default=str)
        write_atomically(self.path / name, text + "\n")


def run_folders(path: Path) -> list[RunFolder]:
    """The runs of a system: the folder itself if it has a log (or is one), else its sub-folders that have one, by name.

    Raises DataError where there is none.
    """
    if (path.exists() and not path.is_dir()) or (path / LOG).is_file():
        return [RunFolder(path)]
    below = sorted(log.parent for log in path.glob(f"*/{LOG}"))
    if not below:
        raise DataError(f"{path}: no {LOG} in it or in its sub-folders; give a folder that --save-log wrote")
    return [RunFolder(folder) for folder in below]


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


def _tokenizer(signature: str | None, instances: Sequence[Instance]) -> str | None:
    """The one that the signature names; Chinese, Japanese and Thai are all characters, but each needs its own."""
    parts = dict(part.split(":", 1) for part in (signature or "").split("|") if ":" in part)
    return parts.get("tok") or (None if any(i.unit == "char" for i in instances) else "13a")
