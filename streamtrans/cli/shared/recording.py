"""From the events of a line to its instance, and from a model to the record of its weights."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamtrans.engine.transcript import Transcript
from streamtrans.evaluation.clock import WORD_MS, simulate
from streamtrans.evaluation.instances import Instance, unit_of

if TYPE_CHECKING:
    from streamtrans.engine.events import Event
    from streamtrans.models.routes import Route
    from streamtrans.models.settings import TranslationSettings


def as_instance(
    index: int,
    events: "Sequence[Event]",
    settings: "TranslationSettings",
    references: Sequence[str] = (),
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
        reference=references[0] if references else None,
        elapsed=elapsed,
        elapsed_ms=elapsed_ms,
        deleted=transcript.deleted,
        unit=unit_of(target_language),
        source_unit=unit_of(source_language),
        other_references=tuple(references[1:]),
    )


def model_record(route: "Route", adapter: Path | None) -> dict[str, Any]:
    """The models as the configuration of a run states them: name, adapter and instructions if any, and their digest.

    Languages are there for models whose files do not tell them; a chain has a list of models.
    """
    from streamtrans.models.routes import languages_configured

    models = [str(model) for model in route.models]
    named: dict[str, Any] = {"model": models[0] if len(models) == 1 else models}
    if adapter:
        named["adapter"] = str(adapter)
    silent = any(isinstance(model, Path) or not any(languages_configured(model, adapter)) for model in route.models)
    if silent and route.source and route.target:
        named["languages"] = f"{route.source}-{route.target}"
    if route.instructions:
        named["instructions"] = asdict(route.instructions)
    return {**named, "weights": weights_digest(route, adapter)}


def weights_digest(route: "Route", adapter: Path | None = None) -> str:
    """SHA-256 of all files that the models compute with; with an adapter, its weights come first."""
    from streamtrans.models.loading import find_parts, model_files

    digest = hashlib.sha256()
    for model in route.models:
        directory, merged = find_parts(model, adapter)
        files = [merged / "adapters.safetensors"] if merged else []
        for file in files + model_files(directory):
            with file.open("rb") as content:
                while block := content.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()
