"""Who may come in: the host, the origin and the token of a request, before anything else looks at it."""

import hmac
import ipaddress
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

OPEN_PATHS = frozenset({"/healthz"})


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host of this name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_open(path: str) -> bool:
    """Whether a path needs no token: a page's scripts and styles are no secret, and browsers ask for them without."""
    return path in OPEN_PATHS or path.startswith("/static/")


class Doorkeeper:
    """Turns away requests without the token, from pages of other sites, and for names that are not ours.

    A page of another site can reach a server on loopback through its visitor's browser; its `Origin`, or the name it
    had to use (`Host`), gives it away.
    """

    def __init__(self, app: ASGIApp, token: str | None = None, origins: Sequence[str] = (), public: bool = False):
        """origins: of other sites that may come in. public: the server has names that we cannot know."""
        self._app, self._token, self._origins, self._public = app, token, tuple(origins), public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": refusal[1]})
        else:
            status, message = refusal
            answer = JSONResponse({"type": "error", "code": "refused", "message": message}, status)
            await answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._public and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            return 403, "this server answers on loopback only"
        origin = headers.get("origin")
        if origin and urlsplit(origin).netloc != host and origin not in self._origins:
            return 403, f"pages of {origin} may not use this server; --allow-origin lets them"
        if self._token and not _is_open(scope["path"]) and not self._knows_token(scope, headers):
            return 401, "a token is needed: Authorization: Bearer TOKEN, or ?token=TOKEN"
        return None

    def _knows_token(self, scope: Scope, headers: Headers) -> bool:
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        given = headers.get("authorization", "").removeprefix("Bearer ") or asked
        return hmac.compare_digest(given.encode(), (self._token or "").encode())
