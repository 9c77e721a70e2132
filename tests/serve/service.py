"""A service for tests: in a thread of this process, with limits of the test's own, or as a process."""

import json
import re
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import uvicorn
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from streamtrans.models.routes import Route
from streamtrans.serve.app import make_app
from streamtrans.serve.hall import Hall
from streamtrans.serve.limits import Limits
from streamtrans.serve.scheduler import Wish

PATIENCE = 60
"""Seconds after which a test gives up."""


class Service:
    """A running service."""

    def __init__(self, hall, address):
        self.hall, self.http, self.ws = hall, f"http://{address}", f"ws://{address}"

    def connect(self, path="/v1/stream", **options):
        return connect(self.ws + path, open_timeout=PATIENCE, **options)

    @contextmanager
    def session(self, **wishes):
        """A client whose session is open."""
        with self.connect() as socket:
            client = Client(socket)
            client.send(type="open", **wishes)
            client.opened = client.receive()
            yield client


class Client:
    """Sends messages, and reads the answers."""

    def __init__(self, socket):
        self.socket = socket

    def send(self, **message):
        self.socket.send(json.dumps(message))

    def receive(self):
        return json.loads(self.socket.recv(timeout=PATIENCE))

    def until(self, kind):
        """All messages up to the first of a type."""
        found = [self.receive()]
        while found[-1]["type"] != kind:
            found.append(self.receive())
        return found

    def rest(self):
        """All messages until the server closes."""
        found = []
        with suppress(ConnectionClosedError):  # some ends are errors
            for message in self.socket:
                found.append(json.loads(message))
        return found


@contextmanager
def service(translator, choose=lambda own: own, token=None, origins=(), public=False, **limits):
    """A service in a thread, whose default model is a translator that is loaded already."""
    hall = Hall(Route(("en-pt",)), Limits(**limits), choose, load=lambda route: translator)
    app = make_app(hall, token, origins, public)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", ws="websockets-sansio")
    server = uvicorn.Server(config)
    started = threading.Event()
    startup = server.startup

    async def notified(sockets=None):
        await startup(sockets)
        started.set()

    server.startup = notified
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert started.wait(PATIENCE)
    host, port = server.servers[0].sockets[0].getsockname()
    try:
        yield Service(hall, f"{host}:{port}")
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


@contextmanager
def process(*options, **environment):
    """`streamtrans serve` as a process, and its address."""
    command = [sys.executable, "-m", "streamtrans", "serve", "--port", "0", *options]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        said = running.stderr.readline()
        yield running, re.search(r"http://([^/ ]+)", said)[1]
    finally:
        running.kill()
        running.wait()
        running.stderr.close()


def untimed(messages):
    """Events without times."""
    return [{key: value for key, value in message.items() if key != "time_ms"} for message in messages]


def events_of(work):
    """The events of a session's work, its passes made on the way."""
    events, prediction = [], None
    while True:
        try:
            step = work.send(prediction)
        except StopIteration:
            return events
        prediction = None
        if isinstance(step, Wish):
            (prediction,) = step.pool.answer([step.memory], [step.request])
        else:
            events.append(step)
