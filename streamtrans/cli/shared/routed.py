"""From a route to the translator that takes it."""

from pathlib import Path
from typing import TYPE_CHECKING

from streamtrans.errors import UsageError
from streamtrans.models.routes import Route

if TYPE_CHECKING:
    from streamtrans.engine.translator import Translator


def load_route(route: Route, adapter: Path | None, carry: bool) -> "Translator":
    """The translator of a route; ModelError as `load`, UsageError for a chain of two models."""
    from streamtrans.engine.translator import load

    model, *more = route.models
    if more:
        raise UsageError(f"{route.name}: chains are not built yet")
    return load(model, adapter, carry)
