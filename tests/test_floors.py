"""The house stands: imports point down, and the picture in CONTRIBUTING.md is of today's house."""

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "scripts" / "draw_floors.py"
spec = importlib.util.spec_from_file_location("draw_floors", SCRIPT)
floors = importlib.util.module_from_spec(spec)
spec.loader.exec_module(floors)


def test_imports_point_down():
    assert floors.wrong(floors.imports()) == []


def test_an_import_that_points_up_is_seen():
    assert floors.wrong(
        {("text", "cli"): ["a.py:1"], ("cli", "text"): ["b.py:2"], ("policies", "models"): ["c.py:3"]}
    ) == [
        "a.py:1: text must not import cli",
        "c.py:3: policies must not import models",
    ]


def test_the_picture_is_of_today():
    page = (SCRIPT.parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert floors.picture(floors.imports()) in page
