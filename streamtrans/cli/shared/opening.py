"""Where a live session is opened: in this process, or at a server."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from streamtrans.cli.shared.options import PolicyChoice
from streamtrans.errors import UsageError
from streamtrans.models.routes import find_route

if TYPE_CHECKING:
    from streamtrans.engine.session import Session
    from streamtrans.models.routes import Route

ConnectOption = Annotated[
    str | None, typer.Option("--connect", metavar="URL", help="Have a server translate, one of `streamtrans serve`.")
]
SessionNameOption = Annotated[
    str | None, typer.Option("--session", metavar="NAME", help="Its name at the server, for those who watch.")
]
TokenOption = Annotated[
    str | None,
    typer.Option("--token", metavar="SECRET", envvar="STREAMTRANS_TOKEN", help="Of the server, if it asks for one."),
]

Open = Callable[[], "Session"]


def opener(
    connect: str | None,
    session: str | None,
    token: str | None,
    choice: PolicyChoice,
    model: str | None,
    adapter: Path | None,
    source: str | None,
    target: str | None,
    carry: bool,
) -> tuple[str, Open]:
    """The name of the model that these options choose, or of the server, and what opens a session there.

    Raises at once what `find_route` raises, and UsageError for options that no server can follow.
    """
    if not connect:
        route = find_route(model, adapter, source, target)
        return route.title, lambda: _opened_here(route, adapter, carry, choice)
    if adapter or not carry:
        raise UsageError(f"{'--adapter' if adapter else '--no-carry'} does not go with --connect; say it to the server")
    wishes = {"model": model, "source": source, "target": target, "session": session, "token": token}
    return connect, lambda: _opened_there(connect, wishes, choice)


def _opened_here(route: "Route", adapter: Path | None, carry: bool, choice: PolicyChoice) -> "Session":
    from streamtrans.engine.chain import load_route

    translator = load_route(route, adapter, carry)
    return translator.session(choice.policy(translator.default_policy))


def _opened_there(url: str, wishes: dict[str, Any], choice: PolicyChoice) -> "Session":
    from streamtrans.client import Client

    client = Client(url, **wishes)
    policy = choice.policy(client.policy)
    if policy != client.policy:
        client.follow(policy)
    return cast("Session", client)
