"""Who may come in."""

import urllib.error
import urllib.request

import pytest
from service import process, service
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from streamtrans.serve.security import is_loopback


def status(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def knock(url, **options):
    """Whether a WebSocket is let in."""
    try:
        with connect(url, open_timeout=60, **options):
            return True
    except InvalidStatus:
        return False


@pytest.mark.parametrize(
    ("host", "own"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("[::1]", True), ("127.8.8.8", True), ("0.0.0.0", False),
     ("192.168.1.4", False), ("example.org", False), ("", False)],
)  # fmt: skip
def test_loopback(host, own):
    assert is_loopback(host) is own


def test_pages_of_other_sites_are_turned_away(served):
    assert knock(f"{served.ws}/v1/stream", origin=served.http)
    assert not knock(f"{served.ws}/v1/stream", origin="https://evil.example")
    assert not knock(f"{served.ws}/alignatt", origin="null")
    assert status(f"{served.http}/metrics", Origin="https://evil.example") == 403


def test_names_that_are_not_ours_are_turned_away(served):
    assert status(f"{served.http}/healthz", Host="evil.example") == 403
    assert status(f"{served.http}/healthz") == 200


def test_origins_may_be_let_in(en_pt):
    with service(en_pt, origins=["https://room.example"]) as running:
        assert knock(f"{running.ws}/v1/stream", origin="https://room.example")
        assert not knock(f"{running.ws}/v1/stream", origin="https://other.example")


def test_a_token_is_asked_for(en_pt):
    with service(en_pt, token="sesame", public=True) as running:
        assert status(f"{running.http}/metrics") == 401
        assert status(f"{running.http}/metrics", Authorization="Bearer sesam") == 401
        assert status(f"{running.http}/metrics", Authorization="Bearer sesame") == 200
        assert status(f"{running.http}/metrics?token=sesame", Host="room.example") == 200
        assert status(f"{running.http}/healthz") == 200
        assert not knock(f"{running.ws}/v1/stream")
        assert knock(f"{running.ws}/v1/stream?token=sesame")
        assert knock(f"{running.ws}/alignatt", additional_headers={"Authorization": "Bearer sesame"})


def test_another_host_needs_a_token():
    import subprocess
    import sys

    command = [sys.executable, "-m", "streamtrans", "serve", "--host", "0.0.0.0", "--port", "0"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert found.returncode == 2
    assert "--token" in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_a_port_that_is_taken_is_told_in_a_line():
    import subprocess
    import sys

    with process() as (_, address):
        port = address.rpartition(":")[2]
        command = [sys.executable, "-m", "streamtrans", "serve", "--port", port]
        found = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert found.returncode == 1
        assert f":{port}" in found.stderr.splitlines()[-1]
        assert "Traceback" not in found.stderr
