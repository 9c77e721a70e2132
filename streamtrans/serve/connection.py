"""A WebSocket whose client may vanish, talk too much, or never read what it is sent."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Generic, TypeVar

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from streamtrans.serve.hall import Hall
from streamtrans.serve.messages import ServiceError

T = TypeVar("T")

GOING_AWAY, POLICY_VIOLATION = 1001, 1008


class Vanished(Exception):
    """The client has gone."""


class Connection:
    """One client."""

    def __init__(self, socket: WebSocket, hall: Hall):
        self.socket, self.hall = socket, hall

    async def receive(self) -> str | bytes:
        """The next message; Vanished at the end, ServiceError `too_large`."""
        try:
            message = await self.socket.receive()
        except (WebSocketDisconnect, RuntimeError) as error:
            raise Vanished from error
        if message["type"] == "websocket.disconnect":
            raise Vanished
        text: str | bytes = message.get("text") or message.get("bytes") or ""
        if len(text.encode() if isinstance(text, str) else text) > self.hall.limits.message_bytes:
            raise ServiceError("too_large", f"a message has {self.hall.limits.message_bytes} bytes at most")
        return text

    async def send(self, message: dict[str, Any]) -> None:
        """Sends a message; Vanished if the client has gone, or leaves it unread for too long."""
        text = json.dumps(message, ensure_ascii=False)
        try:
            async with asyncio.timeout(self.hall.limits.send_seconds):
                await self.socket.send_text(text)
        except (WebSocketDisconnect, RuntimeError, OSError, TimeoutError) as error:
            raise Vanished from error

    async def complain(self, error: ServiceError) -> None:
        """Tells the client of an error, if it is still there."""
        self.hall.metrics.errors.labels(error.code).inc()
        with suppress(Vanished):
            await self.send(error.as_dict())

    async def close(self, code: int) -> None:
        """Closes the connection, unless it is closed."""
        if self.socket.application_state is WebSocketState.CONNECTED:
            with suppress(RuntimeError, WebSocketDisconnect, OSError, TimeoutError):
                await asyncio.wait_for(self.socket.close(code), 1)


class Inbox(Generic[T]):
    """The messages of a client that wait, with their times of arrival; when they are many, it is not read from."""

    def __init__(self, connection: Connection, understand: Callable[[str | bytes], T]):
        """understand: reads a message, or raises ServiceError."""
        self._connection, self._understand = connection, understand
        self._limits = connection.hall.limits
        self._waiting: asyncio.Queue[tuple[float, T | ServiceError | Vanished]]
        self._waiting = asyncio.Queue(self._limits.queued_messages)

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._waiting.empty()

    async def fill(self) -> None:
        """Reads until the client has gone."""
        while True:
            found: T | ServiceError | Vanished
            try:
                found = self._understand(await self._connection.receive())
            except (ServiceError, Vanished) as error:
                found = error
            await self.put(found)
            if isinstance(found, Vanished):
                return

    async def put(self, found: T | ServiceError | Vanished) -> None:
        """Adds what arrives now, once there is room."""
        await self._waiting.put((time.monotonic(), found))

    async def next(self) -> tuple[float, T | ServiceError | Vanished]:
        """The next one, and when it arrived; ServiceError `idle` when none comes."""
        try:
            async with asyncio.timeout(self._limits.idle_seconds):
                return await self._waiting.get()
        except TimeoutError as error:
            raise ServiceError("idle", f"nothing came for {self._limits.idle_seconds:g} s", fatal=True) from error


@asynccontextmanager
async def connected(socket: WebSocket, hall: Hall) -> AsyncIterator[Connection]:
    """A connection that is closed at the end, after a word on the error that ended it."""
    await socket.accept()
    connection = Connection(socket, hall)
    code = 1000
    try:
        yield connection
    except Vanished:
        pass
    except ServiceError as error:
        code = GOING_AWAY if error.code == "draining" else POLICY_VIOLATION
        await connection.complain(error)
    await connection.close(code)
