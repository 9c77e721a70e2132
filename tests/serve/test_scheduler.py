"""Lanes: who shares a pass, who goes first, and what happens when one fails."""

import threading

import pytest

from streamtrans.engine.events import Read
from streamtrans.engine.passes import Forward, Prediction
from streamtrans.serve import scheduler
from streamtrans.serve.scheduler import Errand, Lane, Share, Wish

REQUEST = Forward([1], [2])


class Pool:
    """Notes who is in each pass; waits for its gate before it makes one."""

    def __init__(self, gate=None):
        self.passes, self.gate = [], gate

    def answer(self, memories, requests):
        self.passes.append(sorted(memories))
        if self.gate:
            self.gate.acquire()
        return [Prediction([0]) for _ in requests]


def work(pool, name, passes):
    for number in range(passes):
        answer = yield Wish(pool, name, REQUEST)
        assert answer.tokens == [0]
        yield Read(0, number, name, number + 1)


class Told:
    """Collects what an errand tells, until its end."""

    def __init__(self):
        self.events, self.end, self._done = [], "missing", threading.Event()

    def __call__(self, told):
        if isinstance(told, list):
            self.events += told
        else:
            self.end = told
            self._done.set()

    def wait(self):
        assert self._done.wait(60)
        return self.events


@pytest.fixture
def lane():
    made = Lane(lambda streams: None)
    yield made
    made.close()


def test_those_that_wait_share_a_pass(lane):
    gate = threading.Semaphore(0)
    pool, told = Pool(gate), [Told() for _ in range(4)]
    lane.take(Errand(work(pool, "a", 1), told[0]))
    while not pool.passes:
        pass
    for name, listener in zip("bcd", told[1:], strict=True):
        lane.take(Errand(work(pool, name, 2), listener))
    gate.release(5)
    assert [len(listener.wait()) for listener in told] == [1, 2, 2, 2]
    assert pool.passes == [["a"], ["b", "c", "d"], ["b", "c", "d"]]


def test_who_had_least_of_late_goes_first(lane, monkeypatch):
    monkeypatch.setattr(scheduler, "MOST", 1)
    gate = threading.Semaphore(0)
    pool, greedy, modest = Pool(gate), Told(), Told()
    lane.take(Errand(work(pool, "greedy", 9), greedy))
    gate.release(3)
    while len(pool.passes) < 4:
        pass
    lane.take(Errand(work(pool, "modest", 2), modest))
    gate.release(20)
    modest.wait()
    greedy.wait()
    assert [name for (name,) in pool.passes][4:6] == ["modest", "modest"]


def test_passes_of_another_model_are_made_in_turn(lane):
    pools, told = [Pool(), Pool()], [Told(), Told()]
    for pool, listener in zip(pools, told, strict=True):
        lane.take(Errand(work(pool, "x", 5), listener))
    for listener in told:
        assert len(listener.wait()) == 5
    assert [len(pool.passes) for pool in pools] == [5, 5]


def test_a_pass_that_fails_ends_those_in_it_and_no_others(lane):
    class Failing(Pool):
        def answer(self, memories, requests):
            raise ValueError("no")

    bad, good = Told(), Told()
    lane.take(Errand(work(Failing(), "x", 1), bad))
    lane.take(Errand(work(Pool(), "y", 3), good))
    assert bad.wait() == []
    assert isinstance(bad.end, ValueError)
    assert len(good.wait()) == 3
    assert good.end is None


def test_work_that_fails_tells_what_had_happened(lane):
    def failing():
        yield Read(0, 0, "a", 1)
        raise ValueError("no")

    told = Told()
    lane.take(Errand(failing(), told))
    assert len(told.wait()) == 1
    assert isinstance(told.end, ValueError)


def test_a_cancelled_task_stops_after_its_next_event(lane):
    gate = threading.Semaphore(0)
    pool, told = Pool(gate), Told()
    errand = Errand(work(pool, "a", 100), told)
    lane.take(errand)
    while not pool.passes:
        pass
    errand.cancel()
    gate.release(100)
    assert len(told.wait()) == 1
    assert len(pool.passes) == 1


def test_a_lane_that_closes_tells_those_that_wait():
    gate = threading.Semaphore(0)
    lane, pool, told = Lane(lambda streams: None), Pool(gate), Told()
    lane.take(Errand(work(pool, "a", 100), told))
    while not pool.passes:
        pass
    closing = threading.Thread(target=lane.close)
    closing.start()
    gate.release(100)
    closing.join(60)
    told.wait()
    assert told.end is not None


def test_a_share_fades():
    share = Share()
    share.add(0.0)
    share.add(0.0)
    assert share.at(0.0) == 2
    assert share.at(scheduler.HALF_LIFE) == 1
