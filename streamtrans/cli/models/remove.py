"""`streamtrans models remove`: a Firefox model leaves the cache."""

from streamtrans.cli.models.get import PairArgument, waiting
from streamtrans.models.marian import store
from streamtrans.text.languages import pair_of


def remove(pair: PairArgument) -> None:
    """Remove one of Firefox's models from where `get` keeps them.

    \b
    Example:
      streamtrans models remove en-de
    """
    name = "-".join(pair_of("-".join(pair)))
    print(f"removed {name}, {store.megabytes(store.remove_model(name, waiting))}")
