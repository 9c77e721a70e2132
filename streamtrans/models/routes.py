"""From what the command line says of models and languages to the model, or the two in a chain, that translates."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from streamtrans.errors import ModelError, UsageError
from streamtrans.models.embedded import ASSETS, embedded_models
from streamtrans.models.marian import store
from streamtrans.models.named import find_named
from streamtrans.text.instructions import Instructions
from streamtrans.text.languages import HUB, closest, code_of, described, tags_of

DEFAULT = "en-pt"
MODEL_SIZE = "17 to 44 MB"
"""Of Firefox's models, to download (November 2026)."""

Pair = tuple[str, str]


@dataclass(frozen=True)
class Route:
    """The model that translates, or two, of which the second reads what the first writes.

    models: a Path is the directory of a Firefox model, a string whatever `load_checkpoint` takes.
    source, target: codes of the languages; None where only the model's own configuration tells them. instructions: for
    a chat model. policy: the one to follow if none is asked for, as in `TranslationSettings`, in place of the model's.
    given: the name that somebody gave it.
    """

    models: tuple[str | Path, ...]
    source: str | None = None
    target: str | None = None
    instructions: Instructions | None = None
    policy: dict[str, Any] | None = field(default=None, hash=False)
    given: str | None = None

    @property
    def name(self) -> str:
        """The model as people name it."""
        return self.given or " → ".join(map(str, self.models))

    @property
    def title(self) -> str:
        """The model without the directory it is in, as plots and screens name it."""
        return self.given or " → ".join(Path(model).name for model in self.models)


def find_route(model: str | None, adapter: Path | None, source: str | None, target: str | None) -> Route:
    """Choose what translates, from `--model`, `--adapter`, `--from` and `--to` as they were given.

    A name of `models add` stands for what was settled then, before a directory of that name; languages beside it win.
    Nothing is downloaded but a Hub id that `model` names. Raises UsageError for languages that are none, are missing or
    contradict the model, ModelError where no model is here, with the command that gets it.
    """
    if not model or not (named := find_named(model)):
        return _found(model, adapter, source, target)
    route = _found(named.model, adapter, source or named.source, target or named.target)
    return replace(route, instructions=named.instructions, policy=named.policy, given=model)


def _found(model: str | None, adapter: Path | None, source: str | None, target: str | None) -> Route:
    """The route without names that somebody gave."""
    source, target = (code_of(text) if text else None for text in (source, target))
    if model is None and adapter is None and (source or target):
        return _between(*_both(source, target))
    name = model or DEFAULT
    if adapter is None and not _is_there(name) and (pair := tags_of(name)):
        return _agreeing(_between(*pair), source, target)
    if name not in embedded_models() and store.is_firefox_model(Path(name)):
        if adapter:
            raise UsageError(f"{name} is one of Firefox's models, on which no adapter goes")
        return _firefox(Path(name), source, target)
    if source or target:
        own = languages_configured(name, adapter)
        return _agreeing(Route((name,), *own), source, target)
    return Route((name,))


def directions() -> list[Pair]:
    """The directions that one model on this machine translates, by code."""
    return sorted(_here())


def _is_there(name: str) -> bool:
    return name in embedded_models() or os.path.isdir(name)


def _firefox(directory: Path, source: str | None, target: str | None) -> Route:
    own = store.languages_of(directory)
    if own is None and not (source and target):
        raise UsageError(f"{directory} does not tell its languages; say them with --from and --to")
    return _agreeing(Route((directory,), *(own or (None, None))), source, target)


def _agreeing(route: Route, source: str | None, target: str | None) -> Route:
    """The route with the languages it lacks; UsageError where it has others."""
    for option, given, own in (("--from", source, route.source), ("--to", target, route.target)):
        if given and own and not closest(given, [own]):
            ways = f"{described(route.source or '?')} to {described(route.target or '?')}"
            raise UsageError(f"{option} is {described(given)}, but {route.name} translates from {ways}")
    return Route(route.models, route.source or source, route.target or target)


def languages_configured(name: str, adapter: Path | None) -> tuple[str | None, str | None]:
    """Read source and target in the configuration of a checkpoint, or of its adapter; None where it names none."""
    from streamtrans.models.adapters import with_adapter
    from streamtrans.models.loading import find_parts, read_config
    from streamtrans.models.settings import TranslationSettings

    directory, adapter = find_parts(name, adapter)
    config = read_config(directory)
    settings = TranslationSettings.from_config(with_adapter(config, adapter) if adapter else config)
    return settings.source_language, settings.target_language


def _both(source: str | None, target: str | None) -> Pair:
    """Both languages, where one may be missing: English beside another, else the only one that models here have."""
    if source and target:
        if source == target:
            raise UsageError(f"--from and --to are both {described(source)}")
        return source, target
    known = source or target or HUB
    if not closest(known, [HUB]):
        return (known, HUB) if source else (HUB, known)
    others = sorted({pair[1 if source else 0] for pair in _here() if closest(known, [pair[0 if source else 1]])})
    if len(others) != 1:
        missing, given = ("--to", "--from") if source else ("--from", "--to")
        choice = f", one of {', '.join(map(described, others))}" if others else ""
        raise UsageError(f"{given} {described(known)} needs {missing}{choice}")
    return (known, others[0]) if source else (others[0], known)


def _between(source: str, target: str) -> Route:
    """The model here that translates between two languages: embedded, else cached, else two of them through English."""
    models = _here()
    if legs := legs_among(models, source, target):
        return Route(tuple(models[leg] for leg in legs), legs[0][0], legs[-1][1])
    raise ModelError(f"no model from {described(source)} to {described(target)} is here; {_advice(source, target)}")


def legs_among(pairs: Iterable[Pair], source: str, target: str) -> list[Pair]:
    """Find the pairs that lead from one language to another, or to the closest ones: one, two through English, or none.

    Of several that mean the same languages, it is the first.
    """
    known = list(pairs)
    for way in ([(source, target)], [(source, HUB), (HUB, target)]):
        legs = [next((pair for pair in known if all(map(_means, leg, pair))), None) for leg in way]
        if len(found := [leg for leg in legs if leg]) == len(way):
            return found
    return []


def _means(asked: str, code: str) -> bool:
    return closest(asked, [code]) is not None


def _advice(source: str, target: str) -> str:
    """The command that gets what is missing between two languages, and its size."""
    name = f"{source}-{target}"
    size = MODEL_SIZE if HUB in (source, target) else f"two of {MODEL_SIZE}, through English"
    half = store.cache_directory() / name
    begun = f"{half} lacks files, so somebody is fetching it or was stopped; " if half.is_dir() else ""
    return f"{begun}get it with: streamtrans models get {name} ({size})"


def _here() -> dict[Pair, str | Path]:
    """The models on this machine by their languages; an embedded one comes before a cached one."""
    from streamtrans.models.checkpoint_files import read_object
    from streamtrans.models.settings import TranslationSettings

    found: dict[Pair, str | Path] = {}
    for name in embedded_models():
        settings = TranslationSettings.from_config(read_object(ASSETS / name / "config.json"))
        if settings.source_language and settings.target_language:
            found[settings.source_language, settings.target_language] = name
    return found | {pair: path for pair, path in store.cached_models().items() if pair not in found}
