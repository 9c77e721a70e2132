"""`/v1/stream`: one live session per WebSocket; messages in, events out."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

from starlette.websockets import WebSocket

from streamtrans.engine.events import Event
from streamtrans.errors import StreamtransError
from streamtrans.policies import Policy, description_of
from streamtrans.serve.captions import Show
from streamtrans.serve.connection import Connection, Inbox, Vanished, connected
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
    policy_of,
    read_message,
)


async def stream(socket: WebSocket, hall: Hall) -> None:
    """Serves one client from `open` to `finish`."""
    async with connected(socket, hall) as connection, hall.room():
        hosted, show = await _opening(connection)
        await _Talk(connection, hosted, show).run()


async def _opening(connection: Connection) -> tuple[Hosted, Show]:
    """The session and its show, once the client has asked for them rightly."""
    limits = connection.hall.limits
    for _ in range(limits.mistakes):
        try:
            message = read_message(await asyncio.wait_for(connection.receive(), limits.open_seconds))
            if not isinstance(message, Open):
                raise ServiceError("wrong_order", f'a session begins with "open", not with "{message.type}"')
            return await _opened(connection, message)
        except TimeoutError as error:
            raise ServiceError("idle", f"no session was opened within {limits.open_seconds:g} s", True) from error
        except ServiceError as error:
            if error.fatal:
                raise
            await connection.complain(error)
    raise ServiceError("mistakes", f"{limits.mistakes} messages had faults", fatal=True)


async def _opened(connection: Connection, wanted: Open) -> tuple[Hosted, Show]:
    hall = connection.hall
    show = hall.stage.show(wanted.session or new_name())
    if show.live:
        raise ServiceError("session_taken", f"session {show.name} has somebody who speaks in it; take another name")
    show.live = True  # while the model is loaded, too
    try:
        hosted, route = await hall.open(wanted, show.sentences)
    except BaseException:
        show.live = False
        raise
    languages = hosted.settings.source_language or "", hosted.settings.target_language or ""
    show.begin(languages)
    hall.stage.begun(show)
    about = {"session": show.name, "model": route.title, "from": languages[0], "to": languages[1]}
    try:
        policy = description_of(hosted.policy)
        await connection.send({"type": "opened", **about, "policy": policy, "sentence": hosted.sentences})
    except Vanished:
        show.pause()
        raise
    return hosted, show


class _Talk:
    """An open session."""

    def __init__(self, connection: Connection, hosted: Hosted, show: Show):
        self._connection, self._hosted, self._show = connection, hosted, show
        self._hall, self._limits = connection.hall, connection.hall.limits
        self._default = hosted.policy
        self._mistakes = 0
        self._inbox = Inbox(connection, self._understood)

    async def run(self) -> None:
        """Answers messages until the end, and translates what was read, whatever happens."""
        helpers = [asyncio.create_task(self._inbox.fill()), asyncio.create_task(self._await_draining())]
        try:
            async with asyncio.timeout(self._limits.session_seconds):
                while await self._answer_next():
                    pass
        except TimeoutError as error:
            raise ServiceError("session_length", "the session has lasted for as long as it may") from error
        finally:
            for helper in helpers:
                helper.cancel()
            await self._end()

    async def _await_draining(self) -> None:
        """Has the session end, after the messages that wait, when the server stops."""
        await self._hall.draining.wait()
        error = ServiceError("draining", "the server stops; what was read has been translated", fatal=True)
        await self._inbox.put(error)

    def _understood(self, text: str | bytes) -> Incoming:
        """The message in a text; ServiceError `too_large` if it has too many words."""
        message = read_message(text)
        if isinstance(message, Feed | Hear):
            self._hall.check_words(len(message.text.split() if isinstance(message, Feed) else message.words))
        return message

    async def _answer_next(self) -> bool:
        """Answers the next message; whether there may be another."""
        arrived, message = await self._inbox.next()
        try:
            if isinstance(message, ServiceError | Vanished):
                raise message
            async with aclosing(self._events(message)) as found:
                async for events in found:
                    await self._tell(events)
            if isinstance(message, ChangePolicy):
                await self._connection.send({"type": "policy", "policy": description_of(self._hosted.policy)})
            if not isinstance(message, Open) and message.id is not None:
                await self._connection.send({"type": "ack", "id": message.id})
        except ServiceError as error:
            self._mistakes += 1
            if error.fatal:
                raise
            await self._connection.complain(error)
            if self._mistakes >= self._limits.mistakes:
                raise ServiceError("mistakes", f"{self._mistakes} messages had faults", fatal=True) from error
        self._hall.metrics.seconds.observe(time.monotonic() - arrived)
        return not isinstance(message, Finish)

    async def _events(self, message: Incoming) -> AsyncGenerator[list[Event]]:
        """The events of a message."""
        hosted = self._hosted
        match message:
            case Feed():
                work = hosted.feed(message.text)
            case Hear():
                work = hosted.hear(message.words)
            case EndSentence():
                work = hosted.end_sentence()
            case Reset():
                work = hosted.reset()
            case Finish():
                work = hosted.finish()
            case ChangePolicy():
                policy = policy_of(message.policy, self._default)
                await self._hall.run(lambda: self._follow(policy))
                return
            case Open():
                raise ServiceError("wrong_order", "the session is open already; one connection has one session")
        async with aclosing(self._hall.events(hosted, work)) as found:
            async for events in found:
                yield events

    def _follow(self, policy: Policy) -> None:
        try:
            self._hosted.follow(policy)
        except StreamtransError as error:
            raise ServiceError("bad_policy", str(error)) from error

    async def _tell(self, events: Iterable[Event]) -> None:
        self._show.note(events)
        for event in events:
            await self._connection.send(event.as_dict())

    async def _end(self) -> None:
        """Translates what was read, for those who watch even if the client has gone."""
        try:
            async for events in self._hall.events(self._hosted, self._hosted.finish()):
                await self._tell(events)
        except (Vanished, StreamtransError):
            pass
        finally:
            self._show.pause()
