"""Counters for Prometheus."""

from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from streamtrans.engine.events import Event


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        here: Any = {"registry": self.registry}
        self.sessions = Gauge("streamtrans_sessions", "Sessions that are open.", **here)
        self.viewers = Gauge("streamtrans_viewers", "Screens that watch captions.", **here)
        self._events = Counter("streamtrans_events", "Events sent, by type.", ["type"], **here)
        self.errors = Counter("streamtrans_errors", "Errors that clients were told of, by code.", ["code"], **here)
        sizes = (1, 2, 4, 8, 16, 32, 64)
        self.passes = Histogram("streamtrans_streams_per_pass", "Streams that shared a pass.", buckets=sizes, **here)
        seconds = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
        about = "From the arrival of a message to the last of its events."
        self.seconds = Histogram("streamtrans_message_seconds", about, buckets=seconds, **here)

    def count(self, events: Iterable[Event]) -> None:
        """Counts events that are sent."""
        for event in events:
            self._events.labels(event.type).inc()

    def page(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
