"""`/alignatt`: the translation protocol of WhisperLiveKit, whose `--translation-backend alignatt` is its client.

The client sends all words of an utterance so far, each time; what is new of them is read. Its unstable words (`tail`)
are not: what is written here stays. As the same words give the same translation, a client that comes back gets what it
had, and goes on from there.
"""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from starlette.websockets import WebSocket

from streamtrans.engine.events import Event, Write
from streamtrans.errors import StreamtransError
from streamtrans.models.routes import directions
from streamtrans.policies import revises
from streamtrans.serve.captions import Show
from streamtrans.serve.connection import Connection, Inbox, Vanished, connected
from streamtrans.serve.hall import Hall, new_name
from streamtrans.serve.hosted import Hosted
from streamtrans.serve.messages import ServiceError, Wanted, understood
from streamtrans.serve.scheduler import Work
from streamtrans.text.words import join, units

VERSION = 1
_Milliseconds = Annotated[float, Field(allow_inf_nan=False)] | None
_Word = tuple[str, _Milliseconds, _Milliseconds]


class Init(BaseModel):
    """Begins a session. Fields that are not here, such as a preset of another model, are of no use to us."""

    type: Literal["init"]
    protocol_version: int
    source_lang: str
    target_lang: str
    preset: str | None = None
    accepted_target_prefix: str = ""


class Update(BaseModel):
    """All words of an utterance so far."""

    type: Literal["update"]
    seq: int
    utterance_id: int | str
    words: list[_Word]
    is_final: bool = False


_Found = Update | ServiceError | Vanished


async def sidecar(socket: WebSocket, hall: Hall) -> None:
    """Serves one client until it goes."""
    async with connected(socket, hall) as connection, hall.room():
        try:
            first = await asyncio.wait_for(connection.receive(), hall.limits.open_seconds)
        except TimeoutError as error:
            raise ServiceError("idle", "no init came") from error
        init = understood(Init.model_validate_json, first)
        hosted, title = await _opened(connection, init)
        settings = hosted.settings
        direction = f"{settings.source_language}-{settings.target_language}"
        about = {"protocol_version": VERSION, "direction": direction, "preset": init.preset, "model": title}
        await connection.send({"type": "init_ok", **about})
        await _Dictation(connection, hosted, init.accepted_target_prefix).run()


async def _opened(connection: Connection, init: Init) -> tuple[Hosted, str]:
    """The session of an `init`; a direction that is not here is told with the ones that are."""
    if init.protocol_version != VERSION:
        raise ServiceError("unsupported_version", f"this server speaks version {VERSION} of the protocol")
    source = None if init.source_lang == "auto" else init.source_lang
    try:
        hosted, route = await connection.hall.open(Wanted.model_validate({"from": source, "to": init.target_lang}))
    except ServiceError as error:
        if error.code not in ("unsupported_direction", "unknown_model"):
            raise
        supported = [f"{source}-{target}" for source, target in directions()]
        message = {"type": "error", "code": "unsupported_direction", "message": str(error), "supported": supported}
        connection.hall.metrics.errors.labels("unsupported_direction").inc()
        await connection.send(message)
        await connection.close(1008)
        raise Vanished from error
    if revises(hosted.policy):
        raise ServiceError("bad_policy", "this server's policy takes words back, which this protocol does not allow")
    return hosted, route.title


class _Dictation:
    """An open session: utterance after utterance."""

    def __init__(self, connection: Connection, hosted: Hosted, accepted: str):
        """accepted: what the client has of the utterance that it will send first."""
        self._connection, self._hosted, self._hall = connection, hosted, connection.hall
        self._language = hosted.settings.target_language or ""
        self._show: Show = self._hall.stage.show(new_name())
        self._utterance: int | str | None = None
        self._fed = 0  # words of the utterance
        self._written: list[str] = []
        self._told = ""
        self._accepted = accepted
        self._covered = 0
        self._held: _Found | None = None

    async def run(self) -> None:
        """Answers updates until the client goes."""
        self._show.begin((self._hosted.settings.source_language or "", self._language))
        self._hall.stage.begun(self._show)
        inbox = Inbox(self._connection, partial(understood, Update.model_validate_json))
        reader = asyncio.create_task(inbox.fill())
        try:
            while True:
                await self._answer(await self._next(inbox))
        finally:
            reader.cancel()
            with suppress(StreamtransError):
                await self._do(self._hosted.finish())
            self._show.pause()

    async def _next(self, inbox: Inbox[Update]) -> Update:
        """The next update that no other of the same utterance has overtaken."""
        found, self._held = self._held or (await inbox.next())[1], None
        while isinstance(found, Update) and not (found.is_final or inbox.empty):
            _, following = await inbox.next()
            if not isinstance(following, Update) or following.utterance_id != found.utterance_id:
                self._held = following
                break
            found = following
        if isinstance(found, Vanished):
            raise found
        if isinstance(found, Update):
            return found
        await self._connection.complain(ServiceError("processing_failed", str(found)))
        return await self._next(inbox)

    async def _answer(self, update: Update) -> None:
        """Reads the new words of an update, and tells all that stands of its utterance."""
        self._hall.check_words(len(update.words))
        if update.utterance_id != self._utterance:
            await self._begin(update.utterance_id)
        for word in update.words[self._fed :]:
            await self._do(self._reading(*word))
        self._fed = max(self._fed, len(update.words))
        if update.is_final:
            await self._do(self._hosted.end_sentence())
        await self._tell(update)
        if update.is_final:
            self._utterance, self._accepted = None, ""

    async def _begin(self, utterance: int | str) -> None:
        """Another utterance; the one before is over, told or not."""
        await self._do(self._hosted.end_sentence())
        if self._utterance is not None:
            self._accepted = ""
        self._utterance, self._fed, self._written, self._told, self._covered = utterance, 0, [], self._accepted, 0

    def _reading(self, text: str, start_ms: float | None, end_ms: float | None) -> Work:
        if start_ms is None or end_ms is None:
            return self._hosted.feed(f"{text} ")
        return self._hosted.hear([(text, start_ms, end_ms)])

    async def _do(self, work: Work) -> None:
        async for events in self._hall.events(self._hosted, work):
            self._note(events)

    def _note(self, events: list[Event]) -> None:
        self._show.note(events)
        for event in events:
            if isinstance(event, Write):
                self._written.append(event.text)
                self._covered = event.delay

    async def _tell(self, update: Update) -> None:
        committed = self._committed()
        answer: dict[str, Any] = {
            "type": "translation",
            "seq": update.seq,
            "utterance_id": update.utterance_id,
            "final": update.is_final,
            "forced_final": False,
            "committed_text": committed,
            "committed_delta": committed[len(self._told) :],
            "buffer_text": "",
            "covered_source_units": self._covered,
        }
        self._told = committed
        await self._connection.send(answer)

    def _committed(self) -> str:
        """All that stands: after what the client had already, the words that come next."""
        had = units(self._accepted, self._language)
        if len(self._written) <= len(had):
            return self._accepted
        more = join(self._written[len(had) :], self._language)
        return join([self._accepted, more], self._language) if had else more
