"""`POST /v1/translate`: a text in, its events as they happen (server-sent events), or its translation as JSON."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from streamtrans.engine.events import End, Event
from streamtrans.serve.hall import Hall
from streamtrans.serve.hosted import Hosted
from streamtrans.serve.messages import ServiceError, Text, understood

_STATUS = {"too_large": 413, "full": 503, "draining": 503, "unsupported_direction": 404, "unknown_model": 404}


async def translate(request: Request, hall: Hall) -> Response:
    """Answers with events, or with JSON if that is what the request accepts."""
    async with AsyncExitStack() as stack:
        try:
            wanted = await _wanted(request, hall)
            await stack.enter_async_context(hall.room())
            hosted, _ = await hall.open(wanted)
        except ServiceError as error:
            hall.metrics.errors.labels(error.code).inc()
            return JSONResponse(error.as_dict(), _STATUS.get(error.code, 400))
        events = _events(hall, hosted, wanted.text)
        if "application/json" in request.headers.get("accept", ""):
            sentences = [event.text async for event in events if isinstance(event, End)]
            return JSONResponse({"translation": "\n".join(sentences), "sentences": sentences})
        return StreamingResponse(_sent(events, stack.pop_all()), media_type="text/event-stream")
    raise AssertionError("unreachable")


async def _wanted(request: Request, hall: Hall) -> Text:
    most = hall.limits.message_bytes
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > most:
                raise ServiceError("too_large", f"a request has {most} bytes at most")
    except ClientDisconnect as error:
        raise ServiceError("gone", "the client has gone") from error
    wanted = understood(Text.model_validate_json, bytes(body))
    hall.check_words(len(wanted.text.split()))
    return wanted


async def _events(hall: Hall, hosted: Hosted, text: str) -> AsyncGenerator[Event]:
    for work in (hosted.feed(text), hosted.finish()):
        async with aclosing(hall.events(hosted, work)) as found:
            async for events in found:
                for event in events:
                    yield event


async def _sent(events: AsyncGenerator[Event], stack: AsyncExitStack) -> AsyncIterator[str]:
    """The events as a browser's `EventSource` reads them; the room is kept until the last one."""
    async with stack, aclosing(events) as open_events:
        async for event in open_events:
            yield f"event: {event.type}\ndata: {json.dumps(event.as_dict(), ensure_ascii=False)}\n\n"
