"""Clients of `streamtrans serve`: sessions elsewhere, used as those of this process."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from streamtrans.engine.events import KINDS, Event
from streamtrans.errors import DataError, StreamtransError, UsageError
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies import Policy, description_of, make_policy
from streamtrans.policies.registry import options_stated
from streamtrans.text.encoding import Utf8Decoder

_PATIENCE = 60.0
"""Seconds for a connection to open."""


class ServerError(StreamtransError):
    """The server refused, or has gone; `code` as the protocol has it, "gone" without a connection."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


class _Protocol:
    """Messages and their meaning, without a connection."""

    def __init__(self, url: str, wishes: dict[str, Any], token: str | None):
        self.url = _address(url, token)
        self._wishes = {key: value for key, value in wishes.items() if value is not None}
        self._number = 0
        self._decoder = Utf8Decoder()
        self.settings = TranslationSettings()
        self.policy: Policy
        self.session = ""

    def open(self) -> str:
        return json.dumps({"type": "open"} | self._wishes)

    def opened(self, text: str | bytes) -> None:
        message = self._checked(text)
        self.session = message["session"]
        self.settings = TranslationSettings(source_language=message["from"], target_language=message["to"])
        self.policy = _policy(message["policy"])

    def message(self, kind: str, **fields: Any) -> str:
        self._number += 1
        return json.dumps({"type": kind, "id": self._number} | fields, ensure_ascii=False)

    def text(self, text: str | bytes) -> tuple[str, DataError | None]:
        return (text, None) if isinstance(text, str) else self._decoder.feed(text)

    def answer(self, text: str | bytes) -> Event | bool | None:
        """An event; True for the end of the answers to the last message, None for anything else."""
        message = self._checked(text)
        kind = message.pop("type")
        if kind == "ack":
            return bool(message["id"] == self._number) or None
        if kind == "policy":
            self.policy = _policy(message["policy"])
        return KINDS[kind](**message) if kind in KINDS else None

    def _checked(self, text: str | bytes) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(text)
        if message["type"] == "error":
            raise ServerError(message["code"], message["message"])
        return message


class _Remote:
    """A session of a server; its client says in `_begin` how it gets there."""

    def __init__(
        self,
        url: str,
        *,
        model: str | None = None,
        source: str | None = None,
        target: str | None = None,
        policy: Policy | None = None,
        session: str | None = None,
        token: str | None = None,
    ):
        """url: http://… or ws://…, of the server; source, target: languages; session: its name, for those who watch.

        A `Client` raises ServerError if there is no server, or it refuses.
        """
        stated = _stated(policy) if policy else None
        wishes = {"model": model, "from": source, "to": target, "policy": stated, "session": session}
        self._protocol = _Protocol(url, wishes, token)
        self._begin()

    def _begin(self) -> None:
        raise NotImplementedError

    @property
    def session(self) -> str:
        """The name of the session, for those who watch."""
        return self._protocol.session

    @property
    def policy(self) -> Policy:
        """The policy that decides."""
        return self._protocol.policy

    @property
    def settings(self) -> TranslationSettings:
        """The languages."""
        return self._protocol.settings


class Client(_Remote):
    """A session of a server, with the methods of a `Session`; use it in a `with`."""

    cuts = foreign = 0

    def _begin(self) -> None:
        from websockets.sync.client import connect

        self.finished = False
        self._open = ExitStack()
        with _gone(self._protocol.url):
            opening = connect(self._protocol.url, open_timeout=_PATIENCE, max_size=None, proxy=None)
            self._socket = self._open.enter_context(opening)
            self._socket.send(self._protocol.open())
            self._protocol.opened(self._socket.recv(_PATIENCE))

    def events(self, text: str | bytes) -> Iterator[Event]:
        """Sends more source text, any piece of it, and yields each event as it comes."""
        text, error = self._protocol.text(text)
        yield from self._answers("feed", text=text)
        if error:
            raise error

    def hear(self, word: str, start_ms: float, end_ms: float) -> Iterator[Event]:
        """Sends one word with its times in the speech."""
        return self._answers("hear", words=[[word, start_ms, end_ms]])

    def feed(self, text: str | bytes) -> list[Event]:
        """Sends more source text; as `events`."""
        return list(self.events(text))

    def end_sentence(self) -> list[Event]:
        """Has everything owed written."""
        return list(self._answers("end_sentence"))

    def follow(self, policy: Policy) -> None:
        """Has another policy decide, from the next word on, or from the next sentence if it needs other evidence."""
        for _ in self._answers("policy", policy=_stated(policy)):
            pass

    def finish(self) -> list[Event]:
        """Has everything owed written, and ends the session."""
        if self.finished:
            return []
        self.finished = True
        events = list(self._answers("finish"))
        self.close()
        return events

    def close(self) -> None:
        """Leaves; the server translates what it has read, for those who watch."""
        self._open.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _answers(self, kind: str, **fields: Any) -> Iterator[Event]:
        with _gone(self._protocol.url):
            self._socket.send(self._protocol.message(kind, **fields))
            while (found := self._protocol.answer(self._socket.recv())) is not True:
                if isinstance(found, Event):
                    yield found


class AsyncClient(_Remote):
    """A `Client` for asyncio; use it in an `async with`, which opens the session."""

    def _begin(self) -> None:
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> "AsyncClient":
        from websockets.asyncio.client import connect

        with _gone(self._protocol.url):
            self._socket = await connect(self._protocol.url, open_timeout=_PATIENCE, max_size=None, proxy=None)
            await self._socket.send(self._protocol.open())
            self._protocol.opened(await self._socket.recv())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()

    async def events(self, text: str | bytes) -> AsyncIterator[Event]:
        """Sends more source text, any piece of it, and yields each event as it comes."""
        text, error = self._protocol.text(text)
        async for event in self._answers("feed", text=text):
            yield event
        if error:
            raise error

    async def feed(self, text: str | bytes) -> list[Event]:
        """Sends more source text; as `events`."""
        return [event async for event in self.events(text)]

    async def hear(self, word: str, start_ms: float, end_ms: float) -> list[Event]:
        """Sends one word with its times in the speech."""
        return [event async for event in self._answers("hear", words=[[word, start_ms, end_ms]])]

    async def end_sentence(self) -> list[Event]:
        """Has everything owed written."""
        return [event async for event in self._answers("end_sentence")]

    async def follow(self, policy: Policy) -> None:
        """Has another policy decide; as `Client.follow`."""
        async for _ in self._answers("policy", policy=_stated(policy)):
            pass

    async def finish(self) -> list[Event]:
        """Has everything owed written, and ends the session."""
        return [event async for event in self._answers("finish")]

    async def _answers(self, kind: str, **fields: Any) -> AsyncIterator[Event]:
        async with self._turn:
            with _gone(self._protocol.url):
                await self._socket.send(self._protocol.message(kind, **fields))
                while (found := self._protocol.answer(await self._socket.recv())) is not True:
                    if isinstance(found, Event):
                        yield found


def _stated(policy: Policy) -> dict[str, Any]:
    described = description_of(policy)
    return {"name": described.pop("policy"), **described}


def _policy(stated: dict[str, Any]) -> Policy:
    options = options_stated(stated)
    return make_policy(options.pop("policy"), **options)


def _address(url: str, token: str | None) -> str:
    """The address of the protocol at a server; UsageError for what is no address of one."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    if scheme is None or not parts.netloc:
        raise UsageError(f"{url!r} is no address of a server; write it as http://127.0.0.1:8484")
    path = parts.path.rstrip("/")
    query = urlencode({"token": token}) if token else parts.query
    return urlunsplit((scheme, parts.netloc, path if path.endswith("/v1/stream") else f"{path}/v1/stream", query, ""))


@contextmanager
def _gone(url: str) -> Iterator[None]:
    """Turns the errors of a connection into one for people."""
    from websockets.exceptions import ConnectionClosed, WebSocketException

    where = urlsplit(url).netloc
    try:
        yield
    except ConnectionClosed as error:
        raise ServerError("gone", f"the server at {where} has gone; what it had translated is kept") from error
    except (OSError, TimeoutError, WebSocketException) as error:
        raise ServerError("gone", f"no server answers at {where} ({' '.join(str(error).split())})") from error
