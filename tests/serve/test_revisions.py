"""Policies that revise: one event may take back several words and put several in their place."""

import pytest
from service import events_of

from streamtrans.engine.events import Read, Revise, Write
from streamtrans.engine.translator import load
from streamtrans.policies import make_policy
from streamtrans.serve.captions import Show
from streamtrans.serve.hosted import Hosted
from streamtrans.serve.scheduler import Scheduler


@pytest.fixture(scope="module")
def translator():
    return load("en-pt")


def test_lines_follow_revisions_of_many_words():
    show = Show("a")
    show.begin(("en", "pt"))
    show.note([Read(0, 0, "The", 1), Write(0, 0, "O", 1), Write(0, 1, "primeiro", 1)])
    show.note([Revise(0, 0, "A mulher foi", 2)])
    assert show.snapshot()["lines"][0]["text"] == "A mulher foi"
    show.note([Revise(0, 2, "que vive", 3)])
    assert show.snapshot()["lines"][0]["text"] == "A mulher que vive"
    show.note([Revise(0, 3, "", 4)])
    assert show.snapshot()["lines"][0]["text"] == "A mulher que"


def test_lines_of_characters_follow_revisions():
    show = Show("a")
    show.begin(("en", "zh"))
    show.note([Read(0, 0, "The", 1), Revise(0, 0, "我们去 3 店", 1), Revise(0, 2, "来 5 店", 2)])
    assert show.snapshot()["lines"][0]["text"] == "我们来 5 店"


def test_what_is_shown_is_what_the_events_say(translator):
    scheduler = Scheduler(1)
    hosted, show, words = Hosted(translator, make_policy("retranslate"), scheduler), Show("a"), []
    scheduler.close()  # the passes are made here
    show.begin(("en", "pt"))
    for event in events_of(hosted.feed("The woman who lives in the big house ")):
        show.note([event])
        if isinstance(event, Write | Revise):
            words[event.index :] = event.text.split()
    assert len(words) > 3
    assert show.snapshot()["lines"][0]["text"] == " ".join(words)
    (end,) = events_of(hosted.reset())
    assert end.text == " ".join(words), "a reset keeps what was written"
