"""Models under names that people gave them: a JSON file per name, with the languages and all that was settled."""

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from streamtrans.errors import ModelError, StreamtransError, UsageError
from streamtrans.files import write_atomically
from streamtrans.models.embedded import embedded_models
from streamtrans.policies import make_policy
from streamtrans.policies.registry import options_stated
from streamtrans.text.instructions import Instructions
from streamtrans.text.languages import code_of, tags_of

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_NAME = re.compile(r"\w[\w.+-]{0,47}")


@dataclass(frozen=True)
class NamedModel:
    """A model and what was settled for it.

    model: an embedded name, the whole path of a directory, or a Hub id. source, target: codes of the languages; None
    where the model's own configuration tells them. policy: as in `TranslationSettings`. Raises UsageError for a
    language or a policy that is none.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "strict": True}

    model: str
    source: str | None = None
    target: str | None = None
    instructions: Instructions | None = None
    policy: dict[str, str | int | float] | None = None

    def __post_init__(self) -> None:
        for language in filter(None, (self.source, self.target)):
            code_of(language)
        if self.policy is not None:
            options = options_stated(self.policy)
            make_policy(str(options.pop("name", "")), **options)

    @property
    def languages(self) -> tuple[str, str] | None:
        """Source and target, if both are settled."""
        return (self.source, self.target) if self.source and self.target else None

    @property
    def is_gone(self) -> bool:
        """Whether it is a directory that is not there any more."""
        return os.path.isabs(self.model) and not os.path.isdir(self.model)


def names_directory() -> Path:
    """Return the directory that holds the files; it need not exist."""
    stated = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(stated) if os.path.isabs(stated) else Path(os.path.expanduser("~")) / ".config"
    return base / "streamtrans" / "models"


def given_names() -> list[str]:
    """List the names that were given, sorted; nothing is read."""
    try:
        found = [file.stem for file in names_directory().iterdir() if file.suffix == ".json"]
    except OSError:  # no directory, or none that we may read
        return []
    return sorted(name for name in found if is_given(name))


def find_named(name: str | Path) -> NamedModel | None:
    """Find the model with a given name; None where nobody gave it.

    Raises as `read_named`, and ModelError for a directory that is gone.
    """
    if not is_given(str(name)):
        return None
    found = read_named(str(name))
    if found.is_gone:
        raise ModelError(f"{name} stands for {found.model}, which is gone; {_advice(str(name))}")
    return found


def read_named(name: str) -> NamedModel:
    """Read the file of a name. Raises ModelError for one that is damaged or not there."""
    file = _file(name)
    try:
        return _adapter().validate_json(file.read_bytes())
    except OSError as error:
        raise ModelError(f"{file}: {error.strerror}") from error
    except (ValueError, StreamtransError) as error:
        reason = str(error)
        if errors := getattr(error, "errors", None):  # pydantic's, of which the first will do
            first = errors(include_url=False)[0]
            reason = ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))
        raise ModelError(f"{file} is damaged: {' '.join(reason.split())[:300]}; {_advice(name)}") from error


def give_name(name: str, model: NamedModel) -> None:
    """Keep a model under a name, whole or not at all. Raises as `check_name`, and as `write_atomically`."""
    check_name(name)
    content = _adapter().dump_json(model, exclude_defaults=True, indent=2)
    write_atomically(_file(name), content + b"\n")


def forget_name(name: str) -> None:
    """Remove what is kept under a name that was given, not the model. Raises OSError where that cannot be."""
    _file(name).unlink()


def check_name(name: str) -> None:
    """Raises UsageError for a name that is taken, or that `--model` takes for something else."""
    reason = ""
    if not _NAME.fullmatch(name):
        reason = "is no name; take letters, digits, and . _ + - between them"
    elif name in embedded_models():
        reason = "is the name of an embedded model"
    elif tags_of(name):
        reason = "looks like a pair of languages"
    elif Path(name).exists():
        reason = "is a file or a directory here"
    elif is_given(name):
        raise UsageError(f"{name} is a name already; {_advice(name)}")
    if reason:
        raise UsageError(f"{name!r} {reason}; choose another name")


def is_given(name: str) -> bool:
    """Whether somebody gave this name to a model."""
    return bool(_NAME.fullmatch(name)) and name not in embedded_models() and os.path.isfile(_file(name))


def _advice(name: str) -> str:
    return f"forget it with: streamtrans models remove {name}"


def _file(name: str) -> Path:
    return names_directory() / f"{name}.json"


@cache
def _adapter() -> "TypeAdapter[NamedModel]":
    from pydantic import TypeAdapter

    return TypeAdapter(NamedModel)
