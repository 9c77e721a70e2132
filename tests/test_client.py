"""Clients of a server: sessions elsewhere, used as those of this process."""

import asyncio

import pytest

pytest.importorskip("uvicorn", reason="needs the extra serve")

from service import service

from streamtrans import AsyncClient, Client
from streamtrans.client import ServerError
from streamtrans.engine.session import Session
from streamtrans.engine.translator import load
from streamtrans.errors import DataError, UsageError
from streamtrans.policies import Retranslate, WaitK, revises

TEXT = "Thank you very much for your help. I would like to book a table "


@pytest.fixture(scope="module")
def en_pt():
    return load("en-pt")


@pytest.fixture(scope="module")
def served(en_pt):
    with service(en_pt) as running:
        yield running


def untimed(events):
    return [(e.type, e.sentence, e.index, e.text, e.delay) for e in events]


def alone(en_pt, policy):
    session = Session(en_pt.stream(policy), [en_pt.executor.runner(policy)])
    return untimed(session.feed(TEXT) + session.finish())


def test_a_client_gives_the_events_of_a_session(served, en_pt):
    with Client(served.http, policy=WaitK(2)) as client:
        assert (client.settings.source_language, client.settings.target_language) == ("en", "pt")
        assert client.policy == WaitK(2)
        data = TEXT.encode()
        events = [event for start in range(0, len(data), 5) for event in client.feed(data[start : start + 5])]
        assert untimed(events + client.finish()) == alone(en_pt, WaitK(2))
        assert client.finish() == []


def test_an_async_client_too(served, en_pt):
    async def talk():
        async with AsyncClient(served.ws, policy=WaitK(2)) as client:
            return await client.feed(TEXT) + await client.finish()

    assert untimed(asyncio.run(talk())) == alone(en_pt, WaitK(2))


def test_many_async_clients_at_once(served, en_pt):
    async def talk():
        async with AsyncClient(served.ws, policy=WaitK(2)) as client:
            return await client.feed(TEXT) + await client.finish()

    async def all_of_them():
        return await asyncio.gather(*(talk() for _ in range(12)))

    found = asyncio.run(all_of_them())
    assert {tuple(untimed(events)) for events in found} == {tuple(alone(en_pt, WaitK(2)))}


def test_the_rest_of_a_session(served):
    with Client(served.http, session="the-rest") as client:
        assert client.session == "the-rest"
        assert [e.end_ms for e in client.hear("Good", 100, 400)] == [400]
        assert client.end_sentence()[-1].type == "end"
        client.follow(WaitK(1))
        assert client.policy == WaitK(1)
    with Client(served.http, policy=Retranslate()) as client:
        assert revises(client.policy)


def test_what_the_server_refuses_is_raised(served):
    with pytest.raises(ServerError, match="tlh") as caught:
        Client(served.http, source="en", target="tlh")
    assert caught.value.code == "unsupported_direction"


def test_bytes_that_are_no_text(served):
    with Client(served.http) as client:
        with pytest.raises(DataError):
            client.feed(b"Good \xff")
        assert client.finish()[-1].type == "done"


def test_no_server():
    with pytest.raises(ServerError, match=r"127\.0\.0\.1:9"):
        Client("http://127.0.0.1:9")
    with pytest.raises(UsageError, match="address"):
        Client("127.0.0.1:8484")


def test_a_server_that_goes_away(en_pt):
    with service(en_pt) as running:
        client = Client(running.http)
        client.feed("Good ")
    with pytest.raises(ServerError, match="gone"):
        client.feed("morning.")
