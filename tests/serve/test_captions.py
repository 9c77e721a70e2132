"""What those see who watch a session."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from service import Client

from streamtrans.engine.events import End, Read, Write
from streamtrans.serve.captions import KEPT_LINES, KEPT_SHOWS, WAITING, Show, Stage, Viewer


def speak(client, text):
    client.send(type="feed", text=text)
    client.until("end")


def test_late_comers_get_the_last_lines_and_then_what_changes(served):
    with served.session(session="late") as client:
        speak(client, "Good morning. ")
        with served.connect("/v1/captions?session=late") as socket:
            viewer = Client(socket)
            show = viewer.receive()
            assert (show["type"], show["live"]) == ("show", True)
            assert [(line["source"], line["text"], line["done"]) for line in show["lines"]] == [
                ("Good morning.", "Bom dia.", True)
            ]
            speak(client, "How are you? ")
            while True:
                (line,) = viewer.until("lines")[-1]["lines"]
                assert line["sentence"] == 1
                if line["done"]:
                    break
            assert line["text"] == "Como você está?"


def test_a_viewer_that_comes_back_has_each_line_once(served):
    lines = {}

    def watch(socket):
        for line in Client(socket).receive()["lines"]:
            lines[line["sentence"]] = line["text"]

    with served.session(session="again-viewer") as client:
        speak(client, "Good morning. ")
        with served.connect("/v1/captions?session=again-viewer") as socket:
            watch(socket)
        speak(client, "How are you? ")
        with served.connect("/v1/captions?session=again-viewer") as socket:
            watch(socket)
    assert list(lines.values()) == ["Bom dia.", "Como você está?"]


def test_without_a_name_it_is_the_latest_session(served):
    with served.session(session="the-latest"), served.connect("/v1/captions") as socket:
        assert Client(socket).receive()["session"] == "the-latest"


def test_without_a_name_a_viewer_follows_to_the_next_session(served):
    with served.session(session="first-of-two") as client, served.connect("/v1/captions") as socket:
        viewer = Client(socket)
        assert viewer.receive()["session"] == "first-of-two"
        client.send(type="finish")
        client.rest()
        with served.session(session="second-of-two"):
            while viewer.until("show")[-1]["session"] != "second-of-two":
                pass


def test_a_viewer_cannot_talk_and_a_silly_number_is_none(served):
    with served.session(session="quiet") as client, served.connect("/v1/captions?session=quiet&last=-1") as socket:
        socket.send("{")
        assert Client(socket).receive()["type"] == "show"
        speak(client, "How are you? ")


def test_source_words_read_ahead_belong_to_the_next_line():
    show = Show("x")
    show.note([Read(0, 0, "It", 1), Read(0, 1, "rains", 2), Write(0, 0, "Chove", 2), Read(0, 2, "Good", 3)])
    show.note([End(0, 1, "Chove", 2), Read(1, 1, "morning", 2)])
    assert [line.source for line in show.lines] == [["It", "rains"], ["Good", "morning"]]


@given(st.lists(st.booleans(), max_size=3 * WAITING))
def test_a_slow_viewer_ends_with_the_same_lines(takes):
    """Whatever it misses, the lines that it has at the end are those of the show."""

    async def watch():
        show, lines = Show("x"), {}

        def keep(change):
            if change["type"] == "show":
                lines.clear()
            lines.update((line["sentence"], line["text"]) for line in change["lines"])

        with show.watched() as viewer:
            for number, take in enumerate(takes):
                show.note([Write(number // 3, number % 3, str(number), 1)])
                if take and not viewer._changes.empty():
                    keep(await viewer.next(show))
            while not viewer._changes.empty():
                keep(await viewer.next(show))
        assert lines == {line["sentence"]: line["text"] for line in show.snapshot()["lines"]}

    asyncio.run(watch())


def test_lines_and_shows_are_kept_within_bounds():
    show = Show("x")
    show.note([Write(number, 0, "a", 1) for number in range(2 * KEPT_LINES)])
    assert len(show.lines) == KEPT_LINES
    stage = Stage()
    for number in range(2 * KEPT_SHOWS):
        stage.show(str(number))
    assert len(stage._shows) <= KEPT_SHOWS + 1


def test_a_viewer_that_never_looks_costs_a_bounded_queue():
    viewer = Viewer()
    for _ in range(3 * WAITING):
        viewer.tell({})
    assert viewer._changes.qsize() == WAITING
