"""`/v1/stream`: sessions as the engine has them, and every way of getting it wrong."""

import json

import pytest
from service import Client, process, service, untimed

from streamtrans.engine.session import Session
from streamtrans.policies import WaitK

TEXT = "Thank you very much for your help. I would like to book a table for two people tomorrow evening."


def alone(en_pt, text, policy=None):
    """The events of the engine by itself, for a stream without drafts."""
    policy = policy or en_pt.default_policy
    session = Session(en_pt.stream(policy), [en_pt.executor.runner(policy)])
    return [json.loads(json.dumps(event.as_dict())) for event in session.feed(text) + session.finish()]


def test_a_session_gives_the_events_of_the_engine(served, en_pt):
    with served.session() as client:
        assert client.opened["type"] == "opened"
        assert (client.opened["from"], client.opened["to"]) == ("en", "pt")
        client.send(type="feed", text=TEXT)
        client.send(type="finish")
        assert untimed(client.rest()) == untimed(alone(en_pt, TEXT))


def test_any_cut_gives_the_same_events(served, en_pt):
    with served.session(policy={"name": "wait-k", "k": 2}) as client:
        for start in range(0, len(TEXT), 7):
            client.send(type="feed", text=TEXT[start : start + 7])
        client.send(type="finish")
        assert untimed(client.rest()) == untimed(alone(en_pt, TEXT, WaitK(2)))


def test_sessions_beside_each_other_do_not_mix(served, en_pt):
    sentences = ["How are you today?", "The train has left.", "It rains.", "She reads a book about birds."]
    with served.session() as one, served.session() as two, served.session() as three, served.session() as four:
        clients = [one, two, three, four]
        for client, sentence in zip(clients, sentences, strict=True):
            client.send(type="feed", text=sentence)
        for client, sentence in zip(clients, sentences, strict=True):
            client.send(type="finish")
            assert untimed(client.rest()) == untimed(alone(en_pt, sentence))


def test_heard_words_have_their_times(served):
    with served.session() as client:
        client.send(type="hear", words=[["Good", 100, 400], ["morning.", 450, 900]])
        client.send(type="finish")
        read = [m for m in client.rest() if m["type"] == "read"]
        assert [(m["start_ms"], m["end_ms"]) for m in read] == [(100, 400), (450, 900)]


def test_a_policy_for_the_same_evidence_counts_at_once(served):
    with served.session(policy={"name": "wait-k", "k": 9}) as client:
        client.send(type="feed", text="one two three four ")
        client.send(type="policy", policy={"name": "wait-k", "k": 1})
        assert client.until("policy")[-1]["policy"]["k"] == 1
        client.send(type="feed", text="five ")
        assert client.until("write")[-1]["delay"] == 5
        client.send(type="finish")
        client.rest()


def test_another_evidence_begins_with_the_next_sentence(served, en_pt):
    with served.session() as client:
        client.send(type="feed", text="Thank you very much ")
        client.send(type="policy", policy={"name": "wait-k", "k": "inf"})
        assert client.until("policy")[-1]["policy"] == {
            "policy": "wait-k",
            "k": "inf",
            "catch_up": 0.0,
            "max_lag": None,
        }
        client.send(type="feed", text="for your help. Good morning to all of you. ")
        client.send(type="finish")
        found = client.rest()
        first = [m for m in found if m["sentence"] == 0 and m["type"] == "end"]
        assert first[0]["text"] == "Muito obrigado pela sua ajuda."
        second = [m for m in found if m["sentence"] == 1 and m["type"] == "write"]
        assert {m["delay"] for m in second} == {6}, "wait-inf writes at the end"


def test_reset_forgets_the_open_sentence(served):
    with served.session(policy="wait-k") as client:
        client.send(type="feed", text="Thank you very much for ")
        client.send(type="reset")
        shown = client.until("end")[-1]
        client.send(type="feed", text="Good morning. ")
        client.send(type="finish")
        found = client.rest()
        assert shown["delay"] == 5
        assert [m["sentence"] for m in found if m["type"] == "read"] == [1, 1]
        assert [m["text"] for m in found if m["type"] == "end"] == ["Bom dia."]
        assert found[-1] | {"time_ms": 0} == {
            "type": "done", "sentence": 2, "index": 0, "text": "", "delay": 0, "time_ms": 0
        }  # fmt: skip


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{nonsense", "bad_json"),
        ("[1]", "bad_message"),
        ('{"type": "feed"}', "bad_message"),
        ('{"type": "sing"}', "bad_message"),
        ('{"type": "feed", "text": "x", "more": 1}', "bad_message"),
        ('{"type": "hear", "words": [["x", NaN, 1]]}', "bad_message"),
        ('{"type": "open"}', "wrong_order"),
        ('{"type": "policy", "policy": {"name": "wait-k", "k": 0}}', "bad_policy"),
        ('{"type": "policy", "policy": {"name": "wait-k", "k": "three"}}', "bad_policy"),
        ('{"type": "policy", "policy": "sing"}', "bad_policy"),
        ('{"type": "policy", "policy": {"name": "wait-k", "max_lag": 1.5}}', "bad_policy"),
        ('{"type": "policy", "policy": {}}', "bad_policy"),
        ('{"type": "feed", "text": "' + "a " * 5001 + '"}', "too_large"),
        ('{"type": "feed", "text": "' + "a" * 70000 + '"}', "too_large"),
        ('{"type": "feed", "text": "' + "日" * 22000 + '"}', "too_large"),
    ],
)
def test_a_faulty_message_is_told_and_nothing_else_suffers(served, message, code):
    with served.session() as client:
        client.send(type="feed", text="Good ")
        client.socket.send(message)
        error = client.until("error")[-1]
        assert error["code"] == code
        assert "\n" not in error["message"]
        client.send(type="feed", text="morning. ")
        client.send(type="finish")
        assert [m["text"] for m in client.rest() if m["type"] == "end"] == ["Bom dia."]


@pytest.mark.parametrize(
    ("wishes", "code"),
    [
        ({"model": "/etc/passwd"}, "unknown_model"),
        ({"model": "../models/x"}, "unknown_model"),
        ({"from": "en", "to": "xx"}, "unsupported_direction"),
        ({"from": "en", "to": "en"}, "unsupported_direction"),
        ({"policy": {"name": "wait-k", "threshold": 1}}, "bad_policy"),
        ({"policy": {"name": "wait-k", "k": float("nan")}}, "bad_policy"),
        ({"session": "../x"}, "bad_message"),
    ],
)
def test_what_cannot_be_opened_is_told_and_may_be_mended(served, wishes, code):
    with served.session(**wishes) as client:
        assert (client.opened["type"], client.opened["code"]) == ("error", code)
        client.send(type="open")
        assert client.receive()["type"] == "opened"


def test_words_before_the_session_are_in_the_wrong_order(served):
    with served.connect() as socket:
        socket.send('{"type": "feed", "text": "Hello"}')
        assert json.loads(socket.recv())["code"] == "wrong_order"


def test_a_name_has_one_speaker(served):
    with served.session(session="taken") as first, served.session(session="taken") as second:
        assert first.opened["type"] == "opened"
        assert second.opened["code"] == "session_taken"


def test_who_comes_back_goes_on(served):
    with served.session(session="again") as client:
        client.send(type="feed", text="Good morning. How are")  # and vanishes in mid-word
        client.until("end")
    while served.hall.stage.show("again").live:
        pass
    with served.session(session="again") as client:
        assert client.opened["sentence"] == 2
        client.send(type="feed", text="It rains.")
        client.send(type="finish")
        assert [m["sentence"] for m in client.rest() if m["type"] == "end"] == [2]
    assert [line.source for line in served.hall.stage.show("again").lines][1] == ["How", "are"]


def test_a_full_server_says_so(en_pt):
    with service(en_pt, sessions=1) as small:
        with small.session(), small.connect() as other:
            assert [m["code"] for m in Client(other).rest()] == ["full"]
        while small.hall.sessions:
            pass
        with small.session() as client:
            assert client.opened["type"] == "opened"


def test_a_silent_session_ends_and_what_was_read_is_translated(en_pt):
    with service(en_pt, idle_seconds=0.3) as small, small.session() as client:
        client.send(type="feed", text="Good morning")
        found = client.rest()
        assert [m["code"] for m in found if m["type"] == "error"] == ["idle"]
        assert [m["delay"] for m in found if m["type"] == "end"] == [2]


def test_a_connection_must_open_its_session(en_pt):
    with service(en_pt, open_seconds=0.1) as small, small.connect() as socket:
        assert [m["code"] for m in Client(socket).rest()] == ["idle"]


def test_many_mistakes_end_a_session(en_pt):
    with service(en_pt, mistakes=2) as small, small.session() as client:
        for _ in range(2):
            client.socket.send("{")
        codes = [m["code"] for m in client.rest() if m["type"] == "error"]
        assert codes == ["bad_json", "bad_json", "mistakes"]


def test_a_session_has_a_longest_time(en_pt):
    with service(en_pt, session_seconds=0.2) as small, small.session() as client:
        client.send(type="feed", text="Good morning")
        assert [m["code"] for m in client.rest() if m["type"] == "error"] == ["session_length"]


def test_a_model_that_fails_ends_its_session_only(en_pt, monkeypatch):
    with service(en_pt) as running, running.session(policy="wait-k") as good, running.session(policy="agree") as bad:
        pools = [pool for lane in running.hall._scheduler._lanes for pool in lane._pools.items()]
        for (_, evidence), pool in pools:
            if evidence is not None:
                monkeypatch.setattr(pool, "answer", lambda *_: 1 / 0)
        bad.send(type="feed", text="Good morning. ")
        assert [m["code"] for m in bad.rest() if m["type"] == "error"] == ["failed"]
        good.send(type="feed", text="Good morning. ")
        assert good.until("end")[-1]["text"] == "Bom dia."


def test_the_server_drains_at_the_end():
    with process() as (running, address):
        from websockets.sync.client import connect

        with connect(f"ws://{address}/v1/stream") as socket:
            socket.send('{"type": "open"}')
            assert json.loads(socket.recv(timeout=60))["type"] == "opened"
            socket.send('{"type": "feed", "text": "Thank you very much for your help"}')
            assert json.loads(socket.recv(timeout=60))["type"] == "read"
            running.terminate()
            found = Client(socket).rest()
        assert running.wait(60) == 0
        ends = [m["text"] for m in found if m["type"] == "end"]
        assert len(ends) == 1
        assert ends[0].startswith("Muito obrigado pela sua ajuda")
        assert [m["code"] for m in found if m["type"] == "error"] == ["draining"]
