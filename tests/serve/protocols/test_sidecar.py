"""WhisperLiveKit's own client gets translations."""

import importlib.util
import json
import sys
import types
from itertools import pairwise
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def whisperlivekit():
    """Its client alone: the package itself wants a recogniser, torch and more."""
    spec = importlib.util.find_spec("whisperlivekit")
    if spec is None:
        pytest.skip("needs the client: pip install --no-deps whisperlivekit")
    package = types.ModuleType("whisperlivekit")
    package.__path__ = [str(Path(spec.origin).parent)]
    before = sys.modules.get("whisperlivekit")
    sys.modules["whisperlivekit"] = package
    from whisperlivekit import timed_objects, translation_alignatt

    yield types.SimpleNamespace(
        engine=translation_alignatt.AlignAttRemoteEngine,
        word=timed_objects.ASRToken,
        tail=timed_objects.HypothesisTail,
    )
    if before is not None:
        sys.modules["whisperlivekit"] = before


def engine(whisperlivekit, served, latency="low"):
    url = f"{served.ws}/alignatt"
    return whisperlivekit.engine(url=url, source_language="en", preset=None, latency=latency)


def spoken(whisperlivekit, words, start=0.0):
    return [
        whisperlivekit.word(start=start + 0.4 * number, end=start + 0.4 * number + 0.3, text=word)
        for number, word in enumerate(words)
    ]


def test_words_stream_in_and_the_translation_grows(whisperlivekit, served):
    session = engine(whisperlivekit, served).new_session("pt")
    shown, final = [], None
    for word in spoken(whisperlivekit, "Thank you very much for your help .".split()):
        tail = whisperlivekit.tail(start=word.end, end=word.end + 0.5, text="maybe more")
        session.insert_tokens([word] if word.text == "." else [word, tail])
        validated, buffer = session.process()
        final = validated or final
        shown.append(buffer.text)
    assert "Muito obrigado" in shown, "before the sentence has ended"
    written = [text for text in shown if text]
    assert all(later.startswith(earlier) for earlier, later in pairwise(written))
    assert final.text == "Muito obrigado pela sua ajuda."
    assert final.start == 0


def test_a_connection_that_drops_goes_on_where_it_was(whisperlivekit, served):
    session = engine(whisperlivekit, served).new_session("pt")
    words = spoken(whisperlivekit, "I would like to book a table for two people tomorrow evening .".split())
    for word in words[:9]:
        session.insert_tokens([word])
        _, buffer = session.process()
    before = buffer.text
    assert before
    session._ws.close()
    for word in words[9:]:
        session.insert_tokens([word])
        session._retry_at = 0  # it would wait a second before it tries again
        validated, buffer = session.process()
        assert not buffer.text or buffer.text.startswith(before)
    while validated is None:
        session._retry_at = 0
        validated, _ = session.process()
    assert validated.text.startswith(before)
    assert validated.text == "Gostaria de reservar uma mesa para duas pessoas amanhã à noite."


def test_a_silence_ends_the_utterance(whisperlivekit, served):
    session = engine(whisperlivekit, served, "balanced").new_session("pt")
    session.insert_tokens(spoken(whisperlivekit, "Thank you very much for your help".split()))
    session.process()
    validated, _ = session.validate_buffer_and_reset()
    assert validated.text.startswith("Muito obrigado")
    session.insert_tokens(spoken(whisperlivekit, "How are you?".split(), start=5))
    found = [session.process()[0] for _ in range(2)]
    assert found[-1].text == "Como você está?"


def talk(served, *messages):
    with served.connect("/alignatt") as socket:
        answers = []
        for message in messages:
            socket.send(json.dumps(message))
            answers.append(json.loads(socket.recv(timeout=60)))
        return answers


INIT = {"type": "init", "protocol_version": 1, "source_lang": "en", "target_lang": "pt", "overrides": {"x": 1}}


def test_a_direction_that_is_not_here_is_told_with_those_that_are(served):
    (answer,) = talk(served, INIT | {"target_lang": "tlh"})
    assert answer["code"] == "unsupported_direction"
    assert "en-pt" in answer["supported"]


def test_what_was_accepted_stands(served):
    update = {"type": "update", "seq": 1, "utterance_id": 0, "words": [["Good", None, None], ["morning", None, None]]}
    init, answer = talk(served, INIT | {"accepted_target_prefix": "Olá"}, update | {"is_final": True})
    assert (init["type"], init["direction"]) == ("init_ok", "en-pt")
    assert answer["committed_text"].startswith("Olá ")
    assert answer["final"]


def test_a_faulty_update_is_dropped_and_the_next_one_answered(served):
    update = {"type": "update", "seq": 2, "utterance_id": 0, "words": [["Rain.", 0, 300]], "is_final": True}
    found = talk(served, INIT, {"type": "update", "seq": 1, "words": "no"}, update)
    assert found[1]["code"] == "processing_failed"
    assert found[2]["seq"] == 2
    assert found[2]["committed_text"]


def test_nothing_that_was_read_is_read_twice_if_the_recogniser_changes_its_mind(served):
    def update(seq, words, final=False):
        return {"type": "update", "seq": seq, "utterance_id": 7, "words": [[w, None, None] for w in words.split()],
                "is_final": final}  # fmt: skip

    found = talk(served, INIT, update(1, "Thank you very"), update(2, "Thanks you very much for your help.", True))
    assert found[2]["committed_text"].startswith(found[1]["committed_text"])
    shown = [line.source for show in served.hall.stage._shows.values() for line in show.lines]
    assert "Thank you very much for your help.".split() in shown
