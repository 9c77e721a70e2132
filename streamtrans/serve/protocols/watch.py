"""`/v1/captions`: the lines of a session for those who only watch."""

import asyncio
from collections.abc import Set
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from streamtrans.serve.captions import Show
from streamtrans.serve.connection import Connection, connected
from streamtrans.serve.hall import Hall
from streamtrans.serve.messages import ServiceError

_BEAT = 20
"""Seconds, at most, after which a message goes out even if nothing has changed: both ends notice a broken line."""


async def watch(socket: WebSocket, hall: Hall) -> None:
    """Sends the last lines of a session, then every change, until the viewer goes.

    `?session=NAME` names it, else it is always the latest. `?last=N` bounds the lines at first; a viewer that was away
    gets them again by their numbers.
    """
    async with connected(socket, hall) as connection, _counted(hall):
        ends = {asyncio.ensure_future(wait) for wait in (_until_gone(socket), hall.draining.wait())}
        try:
            while not any(end.done() for end in ends):
                show = await _wanted(connection)
                await _show(connection, show, _number(socket.query_params.get("last"), 50), ends)
        finally:
            for end in ends:
                end.cancel()


class _counted:
    """Counts a viewer while it watches."""

    def __init__(self, hall: Hall):
        self._hall = hall

    async def __aenter__(self) -> None:
        if self._hall.viewers >= self._hall.limits.viewers:
            raise ServiceError("full", f"all {self._hall.limits.viewers} places for viewers are taken", fatal=True)
        self._change(1)

    async def __aexit__(self, *_: object) -> None:
        self._change(-1)

    def _change(self, number: int) -> None:
        self._hall.viewers += number
        self._hall.metrics.viewers.set(self._hall.viewers)


async def _wanted(connection: Connection) -> Show:
    """The show of the session that is named, or the latest, as soon as there is one."""
    name = connection.socket.query_params.get("session")
    if name:
        return connection.hall.stage.show(name[:64])
    while (show := connection.hall.stage.latest) is None:
        await connection.send({"type": "waiting"})
        await asyncio.sleep(1)
    return show


async def _show(connection: Connection, show: Show, last: int, ends: "Set[asyncio.Future[Any]]") -> None:
    """Sends a show until one of the ends has come, or, if no session was named, another one is the latest."""
    named, quiet = bool(connection.socket.query_params.get("session")), 0
    with show.watched() as viewer:
        await connection.send(show.snapshot(last))
        while not any(end.done() for end in ends) and (named or connection.hall.stage.latest is show):
            change = asyncio.ensure_future(viewer.next(show))
            await asyncio.wait({change, *ends}, timeout=1, return_when=asyncio.FIRST_COMPLETED)
            quiet += 1
            if change.done():
                await connection.send(change.result())
                continue
            change.cancel()
            if quiet >= _BEAT:
                quiet = 0
                await connection.send({"type": "beat"})


async def _until_gone(socket: WebSocket) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass


def _number(text: str | None, default: int) -> int:
    return min(int(text), 200) if text and text.isascii() and text.isdigit() and len(text) < 6 else default
