"""`POST /v1/translate`."""

import json
import urllib.error
import urllib.request

import pytest
from service import service


def post(running, body, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{running.http}/v1/translate", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers["content-type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["content-type"], error.read().decode()


def test_events_as_they_happen(served, en_pt):
    status, kind, body = post(served, {"text": "Good morning. How are you?"})
    assert (status, kind) == (200, "text/event-stream; charset=utf-8")
    parts = [part.split("\n") for part in body.strip().split("\n\n")]
    events = [json.loads(data.removeprefix("data: ")) for _, data in parts]
    assert [name.removeprefix("event: ") for name, _ in parts] == [event["type"] for event in events]
    assert [event["text"] for event in events if event["type"] == "end"] == ["Bom dia.", "Como você está?"]
    assert events[-1]["type"] == "done"


def test_the_translation_alone(served):
    status, _, body = post(
        served, {"text": "Good morning.", "policy": {"name": "wait-k", "k": "inf"}}, Accept="application/json"
    )
    assert status == 200
    assert json.loads(body) == {"translation": "Bom dia.", "sentences": ["Bom dia."]}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_json"),
        ({}, 400, "bad_message"),
        ({"text": "x", "to": "tlh"}, 404, "unsupported_direction"),
        ({"text": "x", "policy": "sing"}, 400, "bad_policy"),
        ({"text": "a " * 5001}, 413, "too_large"),
        (b" " * 100_000, 413, "too_large"),
    ],
)
def test_what_cannot_be_is_told(served, body, status, code):
    found, _, answer = post(served, body)
    assert (found, json.loads(answer)["code"]) == (status, code)


def test_a_full_server_says_so(en_pt):
    with service(en_pt, sessions=1) as small, small.session():
        assert post(small, {"text": "Hello."})[0] == 503


def test_health_and_metrics(served):
    with urllib.request.urlopen(f"{served.http}/healthz", timeout=60) as answer:
        assert json.loads(answer.read())["status"] == "ok"
    post(served, {"text": "Good morning."})
    with urllib.request.urlopen(f"{served.http}/metrics", timeout=60) as answer:
        page = answer.read().decode()
    assert "streamtrans_streams_per_pass_count" in page
    assert 'streamtrans_events_total{type="write"}' in page
