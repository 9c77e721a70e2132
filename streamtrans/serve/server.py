"""A server process: it says where it listens, and when it is told to stop, it lets open sessions end."""

import asyncio
import socket
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from streamtrans.errors import StreamtransError
from streamtrans.serve.hall import Hall

SWITCH = 0.0005
"""Seconds that the thread of the connections waits for Python while a lane has it. It waits anew for every message that
comes or goes, and each time 5 ms, Python's own choice, are too long."""


def serve_until_stopped(hall: Hall, app: Starlette, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM, which have every session translate what it has read; a second one stops at once.

    ready: is told the address once the server listens. Raises StreamtransError if it cannot.
    """
    limits = hall.limits
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        ws="websockets-sansio",
        ws_max_size=4 * limits.message_bytes,  # a message beyond our own limit is told so; one beyond this is cut off
        ws_per_message_deflate=False,
        ws_ping_timeout=300,  # one that is not read from, because much of its waits, cannot be heard either
        timeout_graceful_shutdown=int(limits.drain_seconds),
        server_header=False,
    )
    sys.setswitchinterval(SWITCH)
    server = _Server(config, hall, ready)
    try:
        server.run()
    except SystemExit as error:  # uvicorn's, after it has logged why
        raise StreamtransError(f"cannot listen on {host}:{port}: the port is taken, or may not be used") from error


class _Server(uvicorn.Server):
    """A server that drains before it stops."""

    def __init__(self, config: uvicorn.Config, hall: Hall, ready: Callable[[str], None]):
        super().__init__(config)
        self._hall, self._ready = hall, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Says where it listens."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._loop = asyncio.get_running_loop()
            self._ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drains at the first signal, and stops when nobody is left, or time is up."""
        if self._hall.draining.is_set() or not self.started:
            super().handle_exit(sig, frame)
            return
        self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self._hall.draining.set()
        self._draining = asyncio.ensure_future(self._stop_when_empty())

    async def _stop_when_empty(self) -> None:
        end = self._loop.time() + self._hall.limits.drain_seconds
        while self._hall.sessions and self._loop.time() < end:
            await asyncio.sleep(0.05)
        self.should_exit = True
