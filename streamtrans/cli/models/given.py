"""The names in the list of `streamtrans models`: what each stands for, and whether it is there."""

from dataclasses import dataclass
from typing import Any

from streamtrans.cli.shared.stderr import warn
from streamtrans.errors import ModelError
from streamtrans.models.marian.store import languages_of
from streamtrans.models.named import NamedModel, read_named
from streamtrans.models.routes import languages_configured
from streamtrans.text.instructions import Instructions


@dataclass(frozen=True)
class GivenName:
    """A name with what was settled under it; None for what was not, all of it where the file is damaged.

    kind: streaming, chat or firefox; else gone (the directory), damaged, or not fetched. path: of the directory.
    instruction: None for the default one. glossary: the number of its terms.
    """

    name: str
    model: str | None
    kind: str
    path: str | None = None
    source_language: str | None = None
    target_language: str | None = None
    instruction: str | None = None
    glossary: int = 0
    context: int = 0
    policy: dict[str, Any] | None = None


def look_up(name: str) -> GivenName:
    """Look up what a name stands for; warns of a file, or of a model, that is damaged."""
    try:
        found = read_named(name)
    except ModelError as error:
        warn(str(error))
        return GivenName(name, None, "damaged")
    kind, path, own = _looked_at(name, found)
    told = found.instructions or Instructions()
    return GivenName(
        name=name,
        model=found.model,
        kind=kind,
        path=path,
        source_language=found.source or own[0],
        target_language=found.target or own[1],
        instruction=told.instruction if told.instruction != Instructions.instruction else None,
        glossary=len(told.glossary),
        context=told.context,
        policy=found.policy,
    )


def _looked_at(name: str, named: NamedModel) -> tuple[str, str | None, tuple[str | None, str | None]]:
    """Kind, directory, and the languages that the model's own files tell."""
    from streamtrans.models.kinds import Kind, kind_of
    from streamtrans.models.loading import NotFetched, find_parts

    unknown = None, None
    if named.is_gone:
        return "gone", None, unknown
    try:
        directory, adapter = find_parts(named.model, fetch=False)
        kind = kind_of(directory, adapter)
        own = languages_of(directory) if kind is Kind.FIREFOX else languages_configured(str(directory), adapter)
        return kind.value, str(directory), own or unknown
    except NotFetched:
        return "not fetched", None, unknown
    except ModelError as error:
        warn(f"{name}: {error}")
        return "damaged", None, unknown


def as_row(info: GivenName) -> tuple[str, ...]:
    """Return the row of a table: name, languages, kind, settings, model."""
    policy = dict(info.policy or {})
    named = " ".join([policy.pop("name", ""), *(f"{key.replace('_', '-')} {value}" for key, value in policy.items())])
    settings = {
        named: named,
        "instruction": info.instruction,
        f"{info.glossary} term{'s' * (info.glossary > 1)}": info.glossary,
        f"context {info.context}": info.context,
    }
    languages = f"{info.source_language or '?'} → {info.target_language or '?'}"
    settled = ", ".join(part for part, given in settings.items() if given) or "–"
    return info.name, languages, info.kind, settled, info.model or "–"
