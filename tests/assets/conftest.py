import pytest

from streamtrans.engine.translator import load


@pytest.fixture(scope="session")
def en_pt():
    return load("en-pt")
