"""Simultaneous translation that anyone can run.

from streamtrans import WaitK, load

session = load("en-pt").session(WaitK(3))
for event in session.feed("Hello wor"):
    print(event)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamtrans.client import AsyncClient, Client
    from streamtrans.engine.session import Session
    from streamtrans.engine.translator import Translator, load
    from streamtrans.policies import Boundary, WaitK, WaitKFlush
    from streamtrans.text.instructions import Instructions

__version__ = "0.1.0"

_HOME = {
    "AsyncClient": "streamtrans.client",
    "Boundary": "streamtrans.policies",
    "Client": "streamtrans.client",
    "Instructions": "streamtrans.text.instructions",
    "Session": "streamtrans.engine.session",
    "Translator": "streamtrans.engine.translator",
    "WaitK": "streamtrans.policies",
    "WaitKFlush": "streamtrans.policies",
    "load": "streamtrans.engine.translator",
}

__all__ = [
    "AsyncClient",
    "Boundary",
    "Client",
    "Instructions",
    "Session",
    "Translator",
    "WaitK",
    "WaitKFlush",
    "__version__",
    "load",
]


def __getattr__(name: str) -> Any:
    """The public names, each imported when first asked for: `streamtrans --help` must not wait for mlx."""
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'streamtrans' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, those that nobody has asked for yet too."""
    return __all__
