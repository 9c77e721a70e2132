"""`/v1/stream`: one live session per WebSocket; messages in, events out."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from streamtrans.engine.events import Event
from streamtrans.errors import StreamtransError
from streamtrans.policies import Policy, description_of
from streamtrans.serve.captions import Show
from streamtrans.serve.hall import Hall, new_name
from streamtrans.serve.hosted import Hosted
from streamtrans.serve.messages import (
    ChangePolicy,
    EndSentence,
    Feed,
    Finish,
    Hear,
    Incoming,
    Open,
    Reset,
    ServiceError,
    parse,
    policy_of,
)

DRAINED, GOING_AWAY, TOO_LARGE, POLICY_VIOLATION = 1001, 1001, 1009, 1008


class Vanished(Exception):
    """The client has gone."""


@dataclass
class Connection:
    """A WebSocket with messages that wait in a bounded queue: when it is full, the client is not read from."""

    socket: WebSocket
    hall: Hall
    waiting: asyncio.Queue[tuple[float, Incoming | ServiceError]] = field(init=False)

    def __post_init__(self) -> None:
        """Makes the queue."""
        self.waiting = asyncio.Queue(self.hall.limits.queued_messages)

    async def receive(self) -> Incoming:
        """The next message; ServiceError for a faulty one, Vanished at the end."""
        message = await self.socket.receive()
        if message["type"] == "websocket.disconnect":
            raise Vanished
        text = message.get("text") or message.get("bytes") or ""
        if len(text) > self.hall.limits.message_bytes:
            raise ServiceError("too_large", f"a message has {self.hall.limits.message_bytes} bytes at most")
        return self._checked(parse(text))

    def _checked(self, message: Incoming) -> Incoming:
        words = len(message.text.split()) if isinstance(message, Feed) else 0
        words = len(message.words) if isinstance(message, Hear) else words
        self.hall.check_words(words)
        return message

    async def read_on(self) -> None:
        """Fills the queue until the client goes; then a `Finish` stands for the end."""
        while True:
            try:
                found: Incoming | ServiceError = await self.receive()
            except ServiceError as error:
                found = error
            except (Vanished, WebSocketDisconnect, RuntimeError):
                await self.waiting.put((time.monotonic(), ServiceError("gone", "the client has gone", fatal=True)))
                return
            await self.waiting.put((time.monotonic(), found))

    async def send(self, message: dict[str, Any]) -> None:
        """Sends a message; Vanished if the client has gone, or leaves it unread for too long."""
        text = json.dumps(message, ensure_ascii=False)
        try:
            await asyncio.wait_for(self.socket.send_text(text), self.hall.limits.send_seconds)
        except (WebSocketDisconnect, RuntimeError, OSError, TimeoutError) as error:
            raise Vanished from error

    async def close(self, code: int = 1000) -> None:
        """Closes the connection, unless it is closed."""
        if self.socket.application_state is WebSocketState.CONNECTED:
            with suppress(RuntimeError, WebSocketDisconnect, OSError, TimeoutError):
                await asyncio.wait_for(self.socket.close(code), 1)


async def stream(socket: WebSocket, hall: Hall) -> None:
    """Serves one client from `open` to `finish`."""
    await socket.accept()
    connection = Connection(socket, hall)
    code = 1000
    try:
        async with hall.room():
            opened = await _opening(connection)
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(connection.read_on())
                code = await _Talk(connection, *opened).run()
                reader.cancel()
    except ServiceError as error:
        code = POLICY_VIOLATION
        await _complain(connection, error)
    except Vanished:
        pass
    await connection.close(code)


async def _opening(connection: Connection) -> tuple[Hosted, Show]:
    """The session and its show, once the client has asked for them rightly; Vanished if it goes."""
    limits = connection.hall.limits
    for _ in range(limits.mistakes):
        try:
            message = await asyncio.wait_for(connection.receive(), limits.open_seconds)
            if not isinstance(message, Open):
                raise ServiceError("wrong_order", f'a session begins with "open", not with "{message.type}"')
            return await _opened(connection, message)
        except TimeoutError as error:
            raise ServiceError("idle", f"no session was opened within {limits.open_seconds:g} s", True) from error
        except ServiceError as error:
            if error.fatal:
                raise
            await _complain(connection, error)
    raise ServiceError("mistakes", f"{limits.mistakes} messages had faults", fatal=True)


async def _opened(connection: Connection, wanted: Open) -> tuple[Hosted, Show]:
    hall = connection.hall
    show = hall.stage.show(wanted.session or new_name())
    if show.live:
        raise ServiceError("session_taken", f"session {show.name} has somebody who speaks in it; take another name")
    hosted, route = await hall.open(wanted, show.sentences)
    if show.live:  # while the model was loaded
        raise ServiceError("session_taken", f"session {show.name} has somebody who speaks in it; take another name")
    languages = hosted.settings.source_language or "", hosted.settings.target_language or ""
    show.begin(languages)
    hall.stage.begun(show)
    await connection.send(
        {
            "type": "opened",
            "session": show.name,
            "model": route.title,
            "from": languages[0],
            "to": languages[1],
            "policy": description_of(hosted.policy),
            "sentence": hosted.sentences,
        }
    )
    return hosted, show


async def _complain(connection: Connection, error: ServiceError) -> None:
    connection.hall.metrics.errors.labels(error.code).inc()
    with suppress(Vanished):
        await connection.send(error.as_dict())


class _Talk:
    """An open session."""

    def __init__(self, connection: Connection, hosted: Hosted, show: Show):
        self._connection, self._hosted, self._show = connection, hosted, show
        self._hall = connection.hall
        self._default = hosted.policy
        self._mistakes = 0

    async def run(self) -> int:
        """Answers messages until the end, and translates what was read, whatever happens; gives the closing code."""
        code = 1000
        try:
            async with asyncio.timeout(self._hall.limits.session_seconds):
                while await self._answer_next():
                    pass
        except TimeoutError:
            code = POLICY_VIOLATION
            await _complain(self._connection, ServiceError("session_length", "the session has lasted its longest time"))
        except ServiceError as error:
            code = POLICY_VIOLATION if error.code != "draining" else DRAINED
            if error.code != "gone":
                await _complain(self._connection, error)
        except Vanished:
            pass
        finally:
            await self._end()
        return code

    async def _answer_next(self) -> bool:
        """Answers the next message; whether there may be another."""
        arrived, message = await self._next()
        try:
            if isinstance(message, ServiceError):
                raise message
            async for events in self._events(message):
                await self._tell(events)
            if isinstance(message, ChangePolicy):
                await self._connection.send({"type": "policy", "policy": description_of(self._hosted.policy)})
        except ServiceError as error:
            self._mistakes += 1
            if error.fatal:
                raise
            await _complain(self._connection, error)
            if self._mistakes >= self._hall.limits.mistakes:
                raise ServiceError("mistakes", f"{self._mistakes} messages had faults", fatal=True) from error
        self._hall.metrics.seconds.observe(time.monotonic() - arrived)
        return not isinstance(message, Finish)

    async def _next(self) -> tuple[float, Incoming | ServiceError]:
        """The next message; ServiceError `draining` when the server stops, `idle` when none comes."""
        waiting = self._connection.waiting
        if not waiting.empty():
            return waiting.get_nowait()
        message = asyncio.ensure_future(waiting.get())
        drained = asyncio.ensure_future(self._hall.draining.wait())
        try:
            timeout = self._hall.limits.idle_seconds
            await asyncio.wait({message, drained}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if message.done():
                return message.result()
            if drained.done():
                raise ServiceError("draining", "the server stops; what was read has been translated", fatal=True)
            raise ServiceError("idle", f"nothing came for {timeout:g} s", fatal=True)
        finally:
            message.cancel()
            drained.cancel()

    async def _events(self, message: Incoming) -> AsyncIterator[list[Event]]:
        """The events of a message."""
        hosted, hall = self._hosted, self._hall
        match message:
            case Feed():
                async for events in hall.each(hosted.feed(message.text)):
                    yield events
            case Hear():
                async for events in hall.each(hosted.hear(message.words)):
                    yield events
            case EndSentence():
                yield await hall.run(hosted.end_sentence)
            case Reset():
                yield await hall.run(hosted.reset)
            case ChangePolicy():
                policy = policy_of(message.policy, self._default)
                await hall.run(lambda: self._follow(policy))
            case Open():
                raise ServiceError("wrong_order", "the session is open already; one connection has one session")

    def _follow(self, policy: Policy) -> None:
        try:
            self._hosted.follow(policy)
        except StreamtransError as error:
            raise ServiceError("bad_policy", str(error)) from error

    async def _tell(self, events: Iterable[Event]) -> None:
        self._show.note(events)
        self._hall.metrics.count(events)
        for event in events:
            await self._connection.send(event.as_dict())

    async def _end(self) -> None:
        """Translates what was read, for those who watch even if the client has gone."""
        with suppress(Vanished, StreamtransError):
            events = await self._hall.run(self._hosted.finish)
            self._show.note(events)
            self._show.pause()
            for event in events:
                await self._connection.send(event.as_dict())
        self._show.pause()
