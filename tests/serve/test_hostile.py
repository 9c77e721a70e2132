"""Clients that do all they should not, beside one that does."""

import argparse
import asyncio
import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "load.py"
spec = importlib.util.spec_from_file_location("load", SCRIPT)
load = importlib.util.module_from_spec(spec)
spec.loader.exec_module(load)


def test_a_good_client_gets_all_of_its_words_beside_hostile_ones(served):
    """One word is written for about every word that is read; what it takes is measured by the script, not here."""
    options = argparse.Namespace(url=served.ws, processes=False, hostile=24, seconds=4, policy="wait-k")
    found = asyncio.run(load.measure(1, options))
    assert found["words"] >= 8
    assert served.hall.sessions <= 24 + 1
