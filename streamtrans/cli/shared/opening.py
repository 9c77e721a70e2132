"""Where a live session is opened: in this process, or at a server."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from streamtrans.cli.shared.options import PolicyChoice
from streamtrans.errors import UsageError
from streamtrans.models.routes import find_route

if TYPE_CHECKING:
    from streamtrans.engine.session import Session

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


def opener_here(
    choice: PolicyChoice, model: str | None, adapter: Path | None, source: str | None, target: str | None, carry: bool
) -> tuple[str, Open]:
    """The name of the model that these options choose, and what loads it and opens a session.

    Raises at once what `find_route` raises.
    """
    route = find_route(model, adapter, source, target)

    def open_session() -> "Session":
        from streamtrans.engine.chain import load_route

        translator = load_route(route, adapter, carry)
        return translator.session(choice.policy(translator.default_policy))

    return route.title, open_session


def opener_there(
    url: str,
    session: str | None,
    token: str | None,
    choice: PolicyChoice,
    model: str | None,
    adapter: Path | None,
    source: str | None,
    target: str | None,
    carry: bool,
) -> tuple[str, Open]:
    """The server's name, and what opens a session there; UsageError for options that only this process can follow."""
    if adapter or not carry:
        raise UsageError(f"{'--adapter' if adapter else '--no-carry'} does not go with --connect; say it to the server")

    def open_session() -> "Session":
        from streamtrans.client import Client

        client = Client(url, model=model, source=source, target=target, session=session, token=token)
        policy = choice.policy(client.policy)
        if policy != client.policy:
            client.follow(policy)
        return cast("Session", client)

    return url, open_session
