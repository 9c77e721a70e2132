"""`streamtrans models remove`: a name is forgotten, or a Firefox model leaves the cache."""

from typing import Annotated

import typer

from streamtrans.cli.models.get import waiting
from streamtrans.errors import UsageError
from streamtrans.models.marian import store
from streamtrans.models.named import forget_name, given_names, is_given
from streamtrans.text.languages import pair_of


def _removable() -> list[str]:
    return given_names() + [path.name for path in store.cached_models().values()]


def remove(
    name: Annotated[
        list[str], typer.Argument(metavar="NAME", help="A name you gave, or a pair: en-de.", autocompletion=_removable)
    ],
) -> None:
    """Forget a name of `add`, whose model stays; or remove one of Firefox's models from where `get` keeps them.

    \b
    Examples:
      streamtrans models remove talks
      streamtrans models remove en-de
    """
    if len(name) == 1 and is_given(name[0]):
        forget_name(name[0])
        print(f"forgot {name[0]}")
        return
    try:
        pair = "-".join(pair_of("-".join(name)))
    except UsageError as error:
        given = given_names()
        raise UsageError(f"{error}; the names you gave: {', '.join(given)}" if given else str(error)) from None
    print(f"removed {pair}, {store.megabytes(store.remove_model(pair, waiting))}")
