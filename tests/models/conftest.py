import sys

import pytest


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The place of fxtranslate's cache, which is not there yet."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "fxtranslate" / "models"
