from streamtrans.engine.events import End, Read, Revise, Write
from streamtrans.engine.transcript import Transcript


def test_written_words_with_delays_and_times():
    events = [Read(0, 0, "a", 1, 0.0), Write(0, 0, "x", 1, 5.0), Read(0, 1, "b", 2, 6.0), Write(0, 1, "y", 2, 8.0)]
    transcript = Transcript.of([*events, Write(0, 2, "z", 2, 11.0), End(0, 3, "x y z", 2, 12.0)], "pt")
    assert transcript.source == ["a", "b"]
    assert transcript.text == "x y z"
    assert transcript.delays == [1, 2, 2]
    assert transcript.computation_ms == [5.0, 2.0, 3.0]
    assert transcript.deleted == 0


def test_revisions_replace_and_are_counted():
    events = [Read(0, 0, "a", 1, 0), *(Write(0, i, word, 1, 1) for i, word in enumerate("xyz"))]
    transcript = Transcript.of([*events, Read(0, 1, "b", 2, 2), Revise(0, 1, "v w", 2, 3)], "pt")
    assert transcript.words == ["x", "v", "w"]
    assert transcript.delays == [1, 2, 2]
    assert transcript.deleted == 2


def test_a_revision_may_shorten():
    transcript = Transcript.of([Write(0, 0, "x", 1, 0), Write(0, 1, "y", 1, 0), Revise(0, 1, "", 2, 0)], "pt")
    assert (transcript.words, transcript.delays, transcript.deleted) == (["x"], [1], 1)
