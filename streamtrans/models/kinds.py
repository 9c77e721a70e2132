"""The kinds of models: what a directory holds, which decides how it translates."""

from enum import StrEnum
from pathlib import Path
from typing import Any

from streamtrans.errors import ModelError, UsageError
from streamtrans.models.adapters import with_adapter
from streamtrans.models.chat import has_chat_template
from streamtrans.models.loading import read_config
from streamtrans.models.marian.store import is_firefox_model
from streamtrans.text.instructions import Instructions


class Kind(StrEnum):
    """STREAMING was trained for it, CHAT has a chat template, FIREFOX its own files."""

    STREAMING = "streaming"
    CHAT = "chat"
    FIREFOX = "firefox"


def kind_of(directory: Path, adapter: Path | None = None) -> Kind:
    """Find the kind of a model; ModelError for one that is none, and would invent text.

    One rule: a config.json with a section `streamtrans` is of the kind that it names there, STREAMING if none; without
    the section it is a chat model if it has a chat template. The section of an adapter on top counts first.
    """
    if is_firefox_model(directory):
        return Kind.FIREFOX
    config = read_config(directory)
    section = with_adapter(config, adapter)["streamtrans"] if adapter else None
    section = section or config.get("streamtrans")
    if section is not None:
        return _stated(directory, section)
    if has_chat_template(directory):
        return Kind.CHAT
    raise ModelError(
        f"{directory} was not trained for streaming and has no chat template, so it would invent text; take its "
        "instruct sibling, or train it: streamtrans train --help"
    )


def refuse_instructions(model: str | Path, kind: Kind, instructions: Instructions | None) -> None:
    """Raises UsageError for instructions to a model that takes none."""
    if instructions and kind is not Kind.CHAT:
        raise UsageError(f"{model} is no chat model: it takes no instruction, glossary or context")


def require_languages(model: str | Path, source: str | None, target: str | None) -> tuple[str, str]:
    """Return both languages of a chat model. Raises UsageError where nobody names them."""
    if not source or not target:
        raise UsageError(f"{model} is a chat model, of any languages; say which with --from and --to")
    return source, target


def _stated(directory: Path, section: Any) -> Kind:
    stated = section.get("kind", Kind.STREAMING) if isinstance(section, dict) else Kind.STREAMING
    if stated not in (Kind.STREAMING, Kind.CHAT):
        raise ModelError(f'{directory}: streamtrans.kind must be "streaming" or "chat", not {stated!r}')
    return Kind(stated)
