"""Where a live session is opened: in this process, or at a server."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from streamtrans.cli.shared.model_choice import ModelChoice
from streamtrans.cli.shared.options import PolicyChoice
from streamtrans.errors import UsageError

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


def opener(
    connect: str | None, session: str | None, token: str | None, choice: PolicyChoice, model: ModelChoice
) -> tuple[str, Open]:
    """The name of the model that these options choose, or of the server, and what opens a session there.

    Raises at once what `find_route` raises, and UsageError for options that no server can follow.
    """
    if not connect:
        return model.route.title, lambda: _opened_here(model, choice)
    if model.local:
        raise UsageError(f"{model.local[0]} does not go with --connect; say it to the server")
    named = {"model": model.model, "source": model.source, "target": model.target}
    return connect, lambda: _opened_there(connect, {**named, "session": session, "token": token}, choice)


def _opened_here(model: ModelChoice, choice: PolicyChoice) -> "Session":
    translator = model.load()
    return translator.session(choice.policy(translator.default_policy))


def _opened_there(url: str, wishes: dict[str, Any], choice: PolicyChoice) -> "Session":
    from streamtrans.client import Client

    client = Client(url, **wishes)
    policy = choice.policy(client.policy)
    if policy != client.policy:
        client.follow(policy)
    return cast("Session", client)
