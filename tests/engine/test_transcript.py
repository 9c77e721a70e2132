import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrans.engine.events import End, Read, Revise, Write
from streamtrans.engine.transcript import Transcript
from streamtrans.evaluation.clock import simulate


def test_written_words_with_delays_and_times():
    events = [Read(0, 0, "a", 1, 0.0), Write(0, 0, "x", 1, 5.0), Read(0, 1, "b", 2, 6.0), Write(0, 1, "y", 2, 8.0)]
    transcript = Transcript.of([*events, Write(0, 2, "z", 2, 11.0), End(0, 3, "x y z", 2, 12.0)], "pt")
    assert transcript.source == ["a", "b"]
    assert transcript.text == "x y z"
    assert transcript.delays == [1, 2, 2]
    assert transcript.computation_ms == [((1, 5.0),), ((1, 1.0), (2, 2.0)), ((2, 3.0),)]
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


def test_the_work_of_reads_that_write_nothing_counts():
    reads = [Read(0, i, "a", i + 1, time) for i, time in enumerate([0.0, 300.0, 800.0])]
    transcript = Transcript.of([*reads, Write(0, 0, "x", 3, 850.0), Write(0, 1, "y", 3, 860.0)], "pt")
    assert transcript.computation_ms == [((1, 300.0), (2, 500.0), (3, 50.0)), ((3, 10.0),)]
    assert simulate(transcript.delays, transcript.computation_ms, 400)[1] == (1350.0, 1360.0)


def test_wait_k_is_ready_as_before():
    """Its reads cost next to nothing, and the words come from the arrival of what they waited for."""
    events = [Read(0, 0, "a", 1, 0.0), Read(0, 1, "b", 2, 1.0), Write(0, 0, "x", 2, 51.0), Read(0, 2, "c", 3, 52.0)]
    transcript = Transcript.of([*events, Write(0, 1, "y", 3, 92.0), Write(0, 2, "z", 3, 132.0)], "pt")
    assert simulate(transcript.delays, transcript.computation_ms, 400)[1] == (850.0, 1240.0, 1280.0)


@given(
    st.lists(st.tuples(st.sampled_from(["read", "write", "revise"]), st.integers(0, 3), st.integers(0, 900))),
    st.integers(1, 1000),
)
def test_words_are_ready_as_in_a_queue_of_all_events(steps, word_ms):
    events, written, ready, read, time, now = [Read(0, 0, "a", 1, 0)], 0, [], 1, 0, word_ms
    for kind, number, cost in steps:
        time, now = time + cost, now + cost  # the work between two events is done before the next word is waited for
        if kind == "read":
            events.append(Read(0, read, "a", read + 1, time))
            read, now = read + 1, max(now, (read + 1) * word_ms)
            continue
        kept, new = (written, 1) if kind == "write" else (max(0, written - number), number)
        events.append((Write if kind == "write" else Revise)(0, kept, " ".join("x" * new), read, time))
        written, ready = kept + new, [*ready[:kept], *[now] * new]
    transcript = Transcript.of(events, "pt")
    assert len(transcript.words) == written
    assert simulate(transcript.delays, transcript.computation_ms, word_ms)[1] == pytest.approx(ready)
