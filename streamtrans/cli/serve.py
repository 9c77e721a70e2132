"""`streamtrans serve`: the service and its page."""

from typing import TYPE_CHECKING, Annotated

import typer

from streamtrans.cli.shared.model_choice import ModelChoice, takes_model
from streamtrans.cli.shared.options import PolicyChoice, takes_policy
from streamtrans.cli.shared.stderr import say
from streamtrans.errors import UsageError

if TYPE_CHECKING:
    from streamtrans.engine.lines import Opener
    from streamtrans.models.routes import Route

PORT = 8484
"""Where WhisperLiveKit looks for a translator."""

_TOKEN = typer.Option("--token", metavar="SECRET", envvar="STREAMTRANS_TOKEN", help="Clients must know it.")
_ORIGINS = typer.Option("--allow-origin", metavar="URL", help="Pages of this site may use it; may be repeated.")


@takes_policy
@takes_model
def serve(
    choice: PolicyChoice,
    model: ModelChoice,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Listen here; all but loopback need --token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0 takes a free one.")] = PORT,
    token: Annotated[str | None, _TOKEN] = None,
    allow_origin: Annotated[list[str] | None, _ORIGINS] = None,
    sessions: Annotated[int, typer.Option("--sessions", metavar="N", min=1, help="Open at one time, at most.")] = 100,
) -> None:
    """Serve live translation: a page, captions for a room, WebSocket and HTTP for programs.

    Open http://127.0.0.1:8484/ and type. A screen in the room, or OBS's browser source, shows /captions. WhisperLiveKit
    finds its translator at ws://127.0.0.1:8484/alignatt. Only this machine is answered unless --host says otherwise.
    Ctrl-C ends it, once open sessions have been translated to their end.

    \b
    Examples:
      streamtrans serve
      streamtrans serve --from en --to de --wait-k 3
      STREAMTRANS_TOKEN=... streamtrans serve --host 0.0.0.0
      some-recogniser | streamtrans live --connect http://127.0.0.1:8484
    """
    try:
        from streamtrans.serve.app import make_app
        from streamtrans.serve.hall import Hall
        from streamtrans.serve.limits import Limits
        from streamtrans.serve.security import is_loopback
        from streamtrans.serve.server import serve_until_stopped
    except ModuleNotFoundError as error:
        raise UsageError(f"serve needs {error.name}, which is not installed: pip install '.[serve]'") from error

    public = not is_loopback(host)
    if public and not token:
        raise UsageError(f"--host {host} lets others in; give them a secret with --token, or STREAMTRANS_TOKEN")
    own = model.route

    def load(route: "Route") -> "Opener":
        from streamtrans.engine.chain import load_route

        return model.load() if route == own else load_route(route, None, model.carry)

    hall = Hall(own, Limits(sessions=sessions), choice.policy, load)
    hall.warm()
    app = make_app(hall, token, allow_origin or (), public)
    serve_until_stopped(
        hall, app, host, port, lambda address: say(f"streamtrans: {own.title} at {address}/ (Ctrl-C ends)")
    )
