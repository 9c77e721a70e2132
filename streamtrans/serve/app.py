"""The application: which path is answered by whom."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from streamtrans.serve.about import about
from streamtrans.serve.hall import Hall
from streamtrans.serve.protocols.sidecar import sidecar
from streamtrans.serve.protocols.stream import stream
from streamtrans.serve.protocols.translate import translate
from streamtrans.serve.protocols.watch import watch
from streamtrans.serve.security import Doorkeeper

STATIC = Path(str(resources.files("streamtrans"))) / "serve" / "static"


def make_app(hall: Hall, token: str | None = None, origins: Sequence[str] = (), public: bool = False) -> Starlette:
    """The application over a hall; the rest as `Doorkeeper`."""

    async def healthz(_: Request) -> Response:
        draining = hall.draining.is_set()
        state = {"status": "draining" if draining else "ok", "sessions": hall.sessions}
        return JSONResponse(state, 503 if draining else 200)

    async def metrics(_: Request) -> Response:
        return Response(hall.metrics.page(), media_type="text/plain; version=0.0.4")

    async def on_about(_: Request) -> Response:
        route, translator, policy = hall.own
        return JSONResponse(await hall.run(lambda: about(route.title, translator, policy)))

    async def on_stream(socket: WebSocket) -> None:
        await stream(socket, hall)

    async def on_sidecar(socket: WebSocket) -> None:
        await sidecar(socket, hall)

    async def on_watch(socket: WebSocket) -> None:
        await watch(socket, hall)

    async def on_translate(request: Request) -> Response:
        return await translate(request, hall)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        hall.close()

    routes: list[BaseRoute] = [
        Route("/healthz", healthz),
        Route("/metrics", metrics),
        Route("/v1/about", on_about),
        Route("/v1/translate", on_translate, methods=["POST"]),
        WebSocketRoute("/v1/stream", on_stream),
        WebSocketRoute("/v1/captions", on_watch),
        WebSocketRoute("/alignatt", on_sidecar),
        Route("/", _page("index.html")),
        Route("/captions", _page("captions.html")),
        Mount("/static", _Static(directory=STATIC)),
    ]
    door = Middleware(Doorkeeper, token=token, origins=origins, public=public)
    return Starlette(routes=routes, middleware=[door], lifespan=lifespan)


class _Static(StaticFiles):
    """Files that a browser asks for anew, so that a page never runs with the scripts of an older edition."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        """The file; the browser keeps a copy and asks whether it is still the same."""
        response = super().file_response(*args, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _page(name: str):  # type: ignore[no-untyped-def]
    headers = {
        "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }

    async def page(_: Request) -> Response:
        return FileResponse(STATIC / name, headers=headers)

    return page
