"""From events to what is scored, what a run is called, and its folder while it grows."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamtrans.engine.transcript import Transcript
from streamtrans.errors import DataError, UsageError
from streamtrans.evaluation import instances as logs
from streamtrans.evaluation import significance
from streamtrans.evaluation.clock import WORD_MS, simulate
from streamtrans.evaluation.files import write_atomically
from streamtrans.evaluation.instances import Instance, unit_of
from streamtrans.evaluation.report import Scores, save
from streamtrans.evaluation.runs import LOG
from streamtrans.policies import Policy, parted
from streamtrans.policies.registry import options_of

if TYPE_CHECKING:
    from streamtrans.engine.events import Event
    from streamtrans.models.settings import TranslationSettings

_CONFIGURATION = "configuration.json"
_SCORES = "scores.json", "scores.tsv"


def as_instance(
    index: int,
    events: "Sequence[Event]",
    settings: "TranslationSettings",
    reference: str | None = None,
    word_ms: float = WORD_MS,
) -> Instance:
    """The instance of a line's events; with elapsed times, on the simulated clock, if the events were timed."""
    source_language, target_language = settings.source_language or "", settings.target_language or ""
    transcript = Transcript.of(events, target_language)
    timed = transcript.timed and bool(events)
    elapsed, elapsed_ms = simulate(transcript.delays, transcript.computation_ms, word_ms) if timed else (None, None)
    return Instance(
        index=index,
        source=tuple(transcript.source),
        source_length=len(transcript.source),
        prediction=transcript.text,
        delays=tuple(transcript.delays),
        reference=reference,
        elapsed=elapsed,
        elapsed_ms=elapsed_ms,
        deleted=transcript.deleted,
        unit=unit_of(target_language),
        source_unit=unit_of(source_language),
    )


def policy_options(policy: Policy) -> dict[str, Any]:
    """Name and options of a policy, as the configuration of a run states them; k = ∞ is "inf"."""
    inside, max_lag = parted(policy)
    options = {name: getattr(inside, name) for name in options_of(inside.name)}
    stated = {name: _stated(value) for name, value in options.items()}
    return {"policy": inside.name, **stated, "max_lag": max_lag}


def described(policy: Policy) -> dict[str, Any]:
    """What a run says of its policy: keywords of `Run` and of `report.score`."""
    options = policy_options(policy)
    wait_k = getattr(parted(policy)[0], "k", None)
    return {"policy": options.pop("policy"), "wait_k": wait_k, "options": options}


def run_name(policy: Policy) -> str:
    """What a run is called: "wait-3", "wait-3-max-lag-4", "agree-2-hold-1"; other policies have other names.

    First the policy with the number it is known by, then the options that are not at their default.
    """
    options = policy_options(policy)
    name = options.pop("policy")
    defaults = {key: option.default for key, option in options_of(name).items()} | {"max_lag": None}
    main = "k" if "k" in options else name
    parts = ["wait" if name == "wait-k" else name]
    parts += [_short(options.pop(main))] if main in options else []
    for option, value in options.items():
        if value not in (defaults[option], _stated(defaults[option])):
            parts += [option.replace("_", "-"), _short(value)]
    return "-".join(parts)


def model_record(model: str, adapter: Path | None) -> dict[str, Any]:
    """What the configuration of a run says about its model: name, adapter if there is one, digest of the weights."""
    named = {"model": model, "adapter": str(adapter)} if adapter else {"model": model}
    return {**named, "weights": weights_digest(model, adapter)}


def weights_digest(model: str, adapter: Path | None = None) -> str:
    """SHA-256 of the weights, regret head and config.json of a model; with an adapter, its weights come first."""
    from streamtrans.models.loading import find_parts
    from streamtrans.models.qwen2_streaming.regret_head import FILE

    directory, adapter = find_parts(model, adapter)
    files = [adapter / "adapters.safetensors"] if adapter else []
    files += sorted([*directory.glob("model*.safetensors"), *directory.glob(FILE), directory / "config.json"])
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _stated(value: Any) -> Any:
    return "inf" if value == float("inf") else value


def _short(value: float | str) -> str:
    return str(value).removesuffix(".0")


def read_configuration(directory: Path) -> dict[str, Any]:
    """The configuration that a run's folder states, {} where it has none. Raises DataError for a damaged one."""
    file = directory / _CONFIGURATION
    if not file.exists():
        return {}
    try:
        return dict(json.loads(file.read_text(encoding="utf-8"))["configuration"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file}: cannot be read ({error}); run again without --resume") from None


class RunFolder:
    """The folder of one run: a log that grows with the run, the configuration from its start, scores at its end."""

    def __init__(self, directory: Path, configuration: dict[str, Any]):
        self.log = directory / LOG
        self._directory, self._configuration = directory, configuration

    def begin(self, resume: bool) -> list[Instance]:
        """Start a new run, or `resume` the one that is there: the instances it has.

        Raises UsageError when that one was started with other options, DataError for a log that is damaged.
        """
        done = self._found() if resume else []
        for name in _SCORES if done else (*_SCORES, LOG):  # what is left of an earlier run would pass for this one's
            (self._directory / name).unlink(missing_ok=True)
        if not done:
            record = {"configuration": self._configuration}
            write_atomically(self._directory / _CONFIGURATION, json.dumps(record, ensure_ascii=False) + "\n")
            logs.write_log(self.log, [])
        return done

    def _found(self) -> list[Instance]:
        before = read_configuration(self._directory)
        if not before:
            if self.log.exists():
                raise UsageError(
                    f"{self._directory} has a log but no {_CONFIGURATION}, so nobody knows what to resume it with: "
                    "take another folder, or run without --resume to write it anew"
                )
            return []
        now = json.loads(json.dumps(self._configuration))
        for name in now:
            if before.get(name) != now[name]:
                raise UsageError(
                    f"{self._directory} was started with {name} {before.get(name)!r}, not {now[name]!r}: "
                    "resume with the same options, or run without --resume"
                )
        return logs.resume(self.log)

    def add(self, instance: Instance) -> None:
        """One more line of the log, on disk when this returns."""
        logs.append(self.log, [instance])

    def finish(self, instances: Sequence[Instance], scores: Scores) -> None:
        """Write what belongs to a complete run."""
        save(self._directory, instances, scores, self._configuration, seeds={"significance": significance.SEED})
