"""Bounds that keep one client from harming the others."""

from pydantic import BaseModel, ConfigDict, Field


class Limits(BaseModel):
    """Bounds per server, per session and per message; a client that passes one is told which."""

    model_config = ConfigDict(frozen=True)

    sessions: int = Field(default=100, ge=1, description="Sessions that are open at one time.")
    viewers: int = Field(default=500, ge=1, description="Screens that watch captions at one time.")
    models: int = Field(default=4, ge=1, description="Models in memory at one time.")
    message_bytes: int = Field(default=65536, ge=256, description="Bytes per message.")
    message_words: int = Field(default=5000, ge=1, description="Words per message.")
    queued_messages: int = Field(default=16, ge=1, description="Messages that wait; then none is read.")
    session_seconds: float = Field(default=86400, gt=0, description="Seconds a session may last.")
    idle_seconds: float = Field(default=3600, gt=0, description="Seconds a session may be silent.")
    open_seconds: float = Field(default=30, gt=0, description="Seconds until a connection must open its session.")
    send_seconds: float = Field(default=30, gt=0, description="Seconds that a client may leave us waiting.")
    mistakes: int = Field(default=20, ge=1, description="Messages with faults, after which a session is closed.")
    drain_seconds: float = Field(
        default=10, gt=0, description="Seconds for open sessions to end when the server stops."
    )
