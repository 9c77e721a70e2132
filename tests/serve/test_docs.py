"""What docs/serve.md and docs/asyncapi.yaml say is so."""

import json
import re
from pathlib import Path

import pytest
import yaml
from service import Client

from streamtrans.engine.events import KINDS
from streamtrans.serve import messages

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "serve.md").read_text(encoding="utf-8")
API = yaml.safe_load((DOCS / "asyncapi.yaml").read_text(encoding="utf-8"))
TALKS = re.findall(r"```talk\n(.*?)```", PAGE, re.S)
EXAMPLES = [
    example["payload"] for message in API["components"]["messages"].values() for example in message.get("examples", ())
]


def test_there_are_talks():
    assert len(TALKS) == 2


@pytest.mark.parametrize("talk", TALKS)
def test_a_talk_goes_as_it_is_written(served, talk):
    with served.connect() as socket:
        client = Client(socket)
        for line in talk.splitlines():
            who, message = line.split(" ", 1)
            if who == "→":
                socket.send(message)
                continue
            expected, found = json.loads(message), client.receive()
            assert list(found) == list(expected)
            for key, value in expected.items():
                assert value in ("…", found[key])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["type"])
def test_examples_of_messages_are_understood(example):
    assert messages.read_message(json.dumps(example)).type == example["type"]


def test_every_message_has_an_example_and_its_fields():
    known = {kind.model_fields["type"].annotation.__args__[0]: kind for kind in messages.Incoming.__args__}
    assert {example["type"] for example in EXAMPLES} == set(known)
    for message in API["components"]["messages"].values():
        properties = message["payload"].get("properties", {})
        name = properties.get("type", {}).get("const")
        if name in known and message.get("examples"):
            fields = {field.alias or key for key, field in known[name].model_fields.items()}
            assert set(properties) == fields


def test_events_are_those_of_the_engine(served):
    event = API["components"]["messages"]["event"]["payload"]
    assert event["properties"]["type"]["enum"] == list(KINDS)
    with served.session() as client:
        client.send(type="hear", words=[["Good", 1, 2]])
        assert set(client.receive()) == set(event["properties"])


def test_error_codes_are_all_there():
    codes = set()
    for file in (Path(messages.__file__).parent).rglob("*.py"):
        codes |= set(re.findall(r'ServiceError\(\s*"(\w+)"', file.read_text(encoding="utf-8")))
    section = PAGE.split("### Errors")[1].split("## A text")[0]
    told = set(re.findall(r"`(\w+)`", section)) - {"feed", "open"}
    assert codes - {"gone", "unsupported_version", "processing_failed"} == told
