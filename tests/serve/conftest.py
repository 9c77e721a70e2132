import pytest

pytest.importorskip("uvicorn", reason="needs the extra serve")

from service import service

from streamtrans.engine.translator import load


@pytest.fixture(scope="session")
def en_pt():
    return load("en-pt")


@pytest.fixture(scope="session")
def served(en_pt):
    """A service with the limits that it has by default."""
    with service(en_pt) as running:
        yield running
