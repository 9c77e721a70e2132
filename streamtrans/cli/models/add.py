"""`streamtrans models add`: a name for a model, with its languages, instructions and policy."""

import os
from math import inf
from pathlib import Path
from typing import Annotated, Any

import typer

from streamtrans.cli.shared.model_choice import ModelChoice, takes_model_to_name
from streamtrans.cli.shared.options import PolicyChoice, takes_policy
from streamtrans.errors import ModelError, UsageError
from streamtrans.models.embedded import embedded_models
from streamtrans.models.named import NamedModel, check_name, find_named, give_name
from streamtrans.models.routes import Route, languages_configured
from streamtrans.policies import make_policy
from streamtrans.policies.outside import is_outside
from streamtrans.text.instructions import Instructions
from streamtrans.text.languages import code_of, described


@takes_policy
@takes_model_to_name
def add(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name of your choice.")],
    model: ModelChoice,
    choice: PolicyChoice,
) -> None:
    """Give a model a name, and keep its languages, instructions and policy under it.

    Then `--model NAME` means all of that, in every command; options beside it win. The terms of a glossary are kept,
    not its file. The model is not loaded, and one of the Hub's is not fetched before it is used.

    \b
    Examples:
      streamtrans models add talks --model mlx-community/Qwen2.5-7B-Instruct-4bit --from en --to ja
      streamtrans models add law --model ~/Qwen3-4B --from German --to English --glossary terms.tsv --wait-k 4
      streamtrans live --model talks
    """
    check_name(name)
    stated, route = _stated(choice), _route(name, model)
    kept = NamedModel(_kept(route.models[0]), route.source, route.target, route.instructions, stated)
    give_name(name, kept)
    languages = f", {described(kept.source)} to {described(kept.target)}" if kept.source and kept.target else ""
    print(f"{name} stands for {kept.model}{languages}")


def _route(name: str, model: ModelChoice) -> Route:
    """The model to name, which is looked at where it is on this machine. Raises what `load` would, for its files."""
    from streamtrans.models.kinds import Kind, kind_of, refuse_instructions, require_languages
    from streamtrans.models.loading import find_parts

    if model.model is None:
        raise UsageError(f"{name} needs a model; name one with --model, a directory or a Hub id")
    if named := find_named(model.model):
        raise UsageError(f"{model.model} is a name itself; name what it stands for, {named.model}")
    if not _is_fetched(model.model):
        if not (model.source and model.target):
            raise UsageError(
                f"{model.model} is not on this machine, to be asked for its languages; add --from and --to"
            )
        told = Instructions(**model.instructions) if model.instructions else None
        return Route((model.model,), code_of(model.source), code_of(model.target), told)
    route = model.route
    if len(route.models) > 1:
        raise UsageError(f"{route.name} are two models, and a name is for one; name languages with --from and --to")
    directory, adapter = find_parts(route.models[0], fetch=False)
    kind = kind_of(directory, adapter)
    refuse_instructions(route.name, kind, route.instructions)
    if kind is Kind.CHAT:
        own = languages_configured(str(directory), adapter)
        require_languages(route.name, route.source or own[0], route.target or own[1])
    return route


def _is_fetched(model: str) -> bool:
    """Whether all of a model is here; one that does not exist is too, for others tell that better."""
    from streamtrans.models.loading import NotFetched, find_parts

    try:
        find_parts(model, fetch=False)
    except NotFetched:
        return False
    except ModelError:
        return True
    return True


def _kept(model: str | Path) -> str:
    """A model as it can be found from any directory."""
    is_directory = model not in embedded_models() and os.path.isdir(model)
    return os.path.abspath(model) if is_directory else str(model)


def _stated(choice: PolicyChoice) -> dict[str, Any] | None:
    """The policy as it was given, ready for JSON; None where none was. UsageError for one that cannot be kept."""
    name = choice.name or ("wait-k" if choice.ks else None)
    if name is None:
        if choice.max_lag is not None:
            raise UsageError("--max-lag is kept with a policy; name that too, with --policy")
        return None
    if is_outside(name):
        raise UsageError(f"--policy {name} runs code of yours, which no name does; give it beside --model")
    choice.policy(make_policy(name))  # complains of what cannot be
    numbers = {**choice.options, "k": choice.ks[0] if choice.ks else None, "max_lag": choice.max_lag}
    return {"name": name} | {key: "inf" if n == inf else n for key, n in numbers.items() if n is not None}
