"""The options that choose what translates, the same in every command, and the model that they choose.

A command that translates is decorated with `takes_model` and has a parameter `model: ModelChoice`; a new option of
models has its place here and nowhere else.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamtrans.cli.shared.bundles import Command, bundled, keyword
from streamtrans.errors import UsageError
from streamtrans.files import text_lines
from streamtrans.models.embedded import embedded_models
from streamtrans.models.named import given_names
from streamtrans.models.routes import Route, find_route
from streamtrans.text.instructions import Instructions, parse_glossary
from streamtrans.text.languages import NAMES

if TYPE_CHECKING:
    from streamtrans.engine.lines import Opener


def _languages() -> list[tuple[str, str]]:
    return list(NAMES.items())


def _models() -> list[str]:
    return embedded_models() + given_names()


_MODEL = typer.Option(
    "--model", "-m", metavar="MODEL", help="en-pt, a directory, a Hub id, a name you gave.", autocompletion=_models
)
_FROM = typer.Option("--from", metavar="LANGUAGE", help="Of the source: German, de, …", autocompletion=_languages)
_TO = typer.Option("--to", metavar="LANGUAGE", help="Of the translation.", autocompletion=_languages)
FromOption = Annotated[str | None, _FROM]
ToOption = Annotated[str | None, _TO]
_ADAPTER = typer.Option("--adapter", metavar="DIR", help="A low-rank adapter to put on the model.")
_CARRY = typer.Option("--carry/--no-carry", help="Copy addresses, tags, emoji and the like letter for letter.")
_INSTRUCTION = typer.Option(
    "--instruction", metavar="TEXT", help="To a chat model, in place of ours; {source} and {target} are languages."
)
_GLOSSARY = typer.Option("--glossary", metavar="FILE", help="Terms for a chat model: a term, a tab, its translation.")
_SENTENCES = typer.Option("--context", metavar="N", min=0, help="Finished sentences that a chat model still sees (0).")

_OPTIONS = (
    keyword("model", Annotated[str | None, _MODEL]),
    keyword("source_language", FromOption),
    keyword("target_language", ToOption),
    keyword("adapter", Annotated[Path | None, _ADAPTER]),
    keyword("carry", Annotated[bool, _CARRY], default=True),
    keyword("instruction", Annotated[str | None, _INSTRUCTION]),
    keyword("glossary", Annotated[Path | None, _GLOSSARY]),
    keyword("context_sentences", Annotated[int | None, _SENTENCES]),
)


@dataclass(frozen=True)
class ModelChoice:
    """The model as the command line states it; `instructions` by the names of `Instructions`, those that were given.

    carry: words that are no language go around the model.
    """

    model: str | None = None
    source: str | None = None
    target: str | None = None
    adapter: Path | None = None
    carry: bool = True
    instructions: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def route(self) -> Route:
        """The model, or the two in a chain, that translates. Raises as `find_route` and `Instructions`."""
        route = find_route(self.model, self.adapter, self.source, self.target)
        if not self.instructions:
            return route
        return replace(route, instructions=replace(route.instructions or Instructions(), **self.instructions))

    @property
    def title(self) -> str:
        """The name of what translates, as plots and screens have it."""
        return self.adapter.name if self.adapter else self.route.title

    @property
    def options(self) -> list[str]:
        """The options `--model`, `--from` and `--to` as they were given, for the command line of another process."""
        given = {"--model": self.model, "--from": self.source, "--to": self.target}
        return [part for option, value in given.items() if value for part in (option, value)]

    @property
    def local(self) -> list[str]:
        """The options given that only the process with the model can follow."""
        told = {"--adapter": self.adapter, "--no-carry": not self.carry}
        return [option for option, given in told.items() if given] + [f"--{name}" for name in self.instructions]

    def load(self) -> "Opener":
        """The translator; raises as `route` and `load_route`."""
        from streamtrans.engine.chain import load_route

        return load_route(self.route, self.adapter, self.carry)

    def record(self) -> dict[str, Any]:
        """The model in the configuration of a run: all of it that decides about the translations."""
        from streamtrans.cli.shared.recording import model_record

        return model_record(self.route, self.adapter) | {"carry": self.carry}


def takes_model(command: Command) -> Command:
    """Gives a command the options of models, bundled into its parameter `model`."""
    return bundled(command, "model", _OPTIONS, _chosen)


def takes_model_of_lines(command: Command) -> Command:
    """Gives a command all of them but `--context`: lines are each a text of their own, whatever came before."""
    return bundled(command, "model", [option for option in _OPTIONS if option.name != "context_sentences"], _chosen)


def takes_model_to_name(command: Command) -> Command:
    """Gives a command those that `models add` keeps: all but `--adapter` and `--carry`."""
    kept = [option for option in _OPTIONS if option.name not in ("adapter", "carry")]
    return bundled(command, "model", kept, _chosen)


def takes_model_alone(command: Command) -> Command:
    """Gives a command no more of them than `--model`, `--from` and `--to`."""
    return bundled(command, "model", _OPTIONS[:3], _chosen)


def _chosen(
    model: str | None,
    source_language: str | None,
    target_language: str | None,
    adapter: Path | None = None,
    carry: bool = True,
    instruction: str | None = None,
    glossary: Path | None = None,
    context_sentences: int | None = None,
) -> ModelChoice:
    """The choice of these options. Raises as `text_lines` and `parse_glossary`."""
    if str(glossary) == "-":
        raise UsageError("--glossary needs a file; standard input is for the text")
    terms = parse_glossary(text_lines(glossary), str(glossary)) if glossary else None
    told = {"instruction": instruction, "glossary": terms, "context": context_sentences}
    instructions = {name: value for name, value in told.items() if value is not None}
    return ModelChoice(model, source_language, target_language, adapter, carry, instructions)
