"""The same input and settings give the same words, however they are computed."""

import json
import os
import subprocess
import sys

import pytest

from streamtrans.engine import batch
from streamtrans.runtime import on_gpu

on_cpu = pytest.mark.skipif(on_gpu(), reason="the threads of a CPU")

LINES = [
    "The government said on Monday that it would not change its policy before the elections next year.",
    "Good morning.",
    "He was born in 1984, in a small town near the border, and moved to the capital when he was twelve years old.",
    "",
    "We went home because it had begun to rain heavily in the afternoon.",
]
SPEECH = " ".join(LINES).lower().replace(".", "").replace(",", "")
CODE = """
import json, sys
from streamtrans.engine.batch import BatchEngine
from streamtrans.engine.translator import load
translator, session = load(), load().session()
lines = json.loads(sys.argv[1])
live = [e.text for e in session.feed(sys.argv[2]) + session.finish() if e.type == "write"]
print(json.dumps([[events[-1].text if events else "" for _, events in BatchEngine(translator).translate(lines)], live]))
"""


def written(**variables):
    """What a process with these environment variables writes for the lines, and for speech in one piece."""
    command = [sys.executable, "-c", CODE, json.dumps(LINES), SPEECH]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@on_cpu
def test_the_threads_of_the_blas_change_no_word():
    one, two = written(OPENBLAS_NUM_THREADS="1"), written(OPENBLAS_NUM_THREADS="2")
    assert one == two
    assert all(one[1])


@on_cpu
def test_the_number_of_groups_changes_no_word(en_pt, monkeypatch):
    def translated():
        return [[e.text for e in events] for _, events in batch.BatchEngine(en_pt).translate(LINES * 4)]

    three = translated()
    monkeypatch.setattr(batch, "GROUPS", 1)
    assert translated() == three


@pytest.mark.parametrize("size", [1, 7, 64])
def test_the_pieces_of_speech_without_end_change_no_word(en_pt, size):
    whole, pieces = en_pt.session(), en_pt.session()
    wanted = [(e.type, e.sentence, e.text, e.delay) for e in whole.feed(SPEECH) + whole.finish()]
    events = [e for start in range(0, len(SPEECH), size) for e in pieces.feed(SPEECH[start : start + size])]
    assert [(e.type, e.sentence, e.text, e.delay) for e in events + pieces.finish()] == wanted


def test_the_same_session_twice(en_pt):
    first, second = (en_pt.session().feed(SPEECH) for _ in range(2))
    assert [(e.type, e.text, e.delay) for e in first] == [(e.type, e.text, e.delay) for e in second]
