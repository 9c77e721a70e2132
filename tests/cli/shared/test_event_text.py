import json

from streamtrans.cli.shared.event_text import Words, between, json_line
from streamtrans.engine.events import Done, End, Read, Revise, Write

EVENTS = [
    Read(0, 0, "Good", 1, 1.0),
    Read(0, 1, "day.", 2, 2.0),
    Write(0, 0, "Bom", 2, 3.0),
    Revise(0, 0, "Boa", 2, 3.5),
    Write(0, 1, "dia.", 2, 4.0),
    End(0, 2, "Boa dia.", 2, 5.0),
    Done(1, 0, "", 0, 6.0),
]


def written(writer) -> str:
    return "".join(map(writer, EVENTS))


def test_words_and_lines():
    assert written(Words("pt")) == "Bom dia.\n"
    assert written(Words("ja")) == "Bomdia.\n"
    assert written(Words("pt", revises=True)) == "Boa dia.\n"


def test_words_between_what_is_typed():
    assert written(between) == "[Bom] [Boa] [dia.] \nBoa dia.\n"


def test_events_as_json_lines():
    lines = written(json_line).splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["read", "read", "write", "revise", "write", "end", "done"]
    assert json_line(Write(0, 0, "à", 1, 0.0)).startswith('{"type": "write", "sentence": 0, "index": 0, "text": "à"')
