"""`live --connect`: the session is elsewhere, everything else is as here."""

import json

import pytest
from processes import run

pytest.importorskip("uvicorn", reason="needs the extra serve")

from service import service, untimed

from streamtrans.engine.translator import load

TEXT = "Thank you very much for your help. Good morning.\n"


@pytest.fixture(scope="module")
def served():
    with service(load("en-pt")) as running:
        yield running


def events(output):
    return untimed(json.loads(line) for line in output.splitlines())


def test_a_pipe_says_the_same_there(served):
    here, there = (run("live", *more, text=TEXT) for more in ((), ("--connect", served.http)))
    assert (there.returncode, there.stderr, there.stdout) == (0, "", here.stdout)
    here, there = (run("live", "--json", *more, text=TEXT) for more in ((), ("--connect", served.http)))
    assert events(there.stdout) == events(here.stdout)


def test_the_policy_is_asked_for_there(served):
    done = run("live", "--wait-k", "inf", "--json", "--connect", served.http, text=TEXT)
    assert {e["delay"] for e in events(done.stdout) if e["type"] == "write" and e["sentence"] == 0} == {7}
    lagging = run("live", "--max-lag", "1", "--json", "--connect", served.http, text=TEXT)
    assert events(lagging.stdout) != events(done.stdout)


def test_those_who_watch_find_the_session_by_its_name(served):
    run("live", "--connect", served.http, "--session", "hall-7", text=TEXT)
    assert [line.target for line in served.hall.stage.show("hall-7").lines][-1] == ["Bom dia."]


def test_a_recogniser_can_be_elsewhere_too(served):
    line = json.dumps({"text": "Good morning.", "start": 0.5, "end": 1.25, "is_final": True}) + "\n"
    done = run("live", "--input", "jsonl", "--json", "--connect", served.http, text=line)
    read = [e for e in events(done.stdout) if e["type"] == "read"]
    assert read[-1]["end_ms"] == 1250


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--connect", "127.0.0.1:8484"), "http://"),
        (("--connect", "http://127.0.0.1:9"), "no server answers"),
        (("--connect", "http://127.0.0.1:9", "--no-carry"), "--no-carry"),
        (("--connect", "http://127.0.0.1:9", "--adapter", "x"), "--adapter"),
    ],
)
def test_what_cannot_be_is_a_line(options, said):
    done = run("live", *options, text=TEXT)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_direction_that_is_not_there_is_a_line(served):
    done = run("live", "--connect", served.http, "--to", "tlh", text=TEXT)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
