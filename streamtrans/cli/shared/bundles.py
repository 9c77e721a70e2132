"""Options that belong together, which a command takes as one value."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

Command = Callable[..., None]


def keyword(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    """A parameter that a command takes by name, annotated as Typer has it."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def bundled(command: Command, name: str, options: Sequence[inspect.Parameter], bundle: Callable[..., Any]) -> Command:
    """Put options in the place of the command's parameter `name`, which gets the value that `bundle` makes of them.

    bundle: takes the options by their names, before the command starts.
    """

    @functools.wraps(command)
    def run(**given: Any) -> None:
        value = bundle(**{option.name: given.pop(option.name) for option in options})
        command(**given, **{name: value})

    own, parameters = inspect.signature(command), list[inspect.Parameter]()
    for parameter in own.parameters.values():
        replaced = parameter.name == name
        parameters += options if replaced else [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
