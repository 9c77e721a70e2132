"""Many lines in lockstep: the events that `Session.feed_line` gives, many times as fast.

Each line has a `Stream` that decides, as in a session; `Lockstep` answers all of them together. Lines are taken in
windows and sorted by length there, so that those of a group finish together; the results come in the order of the
lines. On CPU two groups run in two threads with one BLAS thread each: most of what a pass does is not matrix products,
which alone would profit from the second core.
"""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import cache
from itertools import islice
from math import inf
from typing import TYPE_CHECKING

from streamtrans.engine.events import Event
from streamtrans.engine.instruments import Instrument
from streamtrans.engine.lockstep import Lockstep
from streamtrans.engine.requests import Forward, Prediction, SourceWord
from streamtrans.engine.session import as_event
from streamtrans.engine.stream import Stream
from streamtrans.policies import Policy, WaitK
from streamtrans.runtime import blas_threads, mx, on_gpu
from streamtrans.text.words import units

if TYPE_CHECKING:
    from streamtrans.engine.translator import Translator

BATCH_SIZE = 128
"""Lines in flight where nothing else is asked for: measured as the fastest on CPU, 100 MB of memory for en-pt."""

GROUPS = 1 if on_gpu() else 2
WINDOW = 1
"""Lines are sorted by length within this many batches; nothing of a window can be written before all of it is done."""

Result = tuple[int, list[Event]]


def translate_lines(
    translator: "Translator", lines: Iterable[str], policy: Policy | None = None, batch_size: int | None = None
) -> Iterator[Result]:
    """(number from 0, events) of each line in order, as `Session.feed_line` gives them but without times.

    A line is one sentence; an empty one has no events. batch_size: lines in flight, None for the fastest; at most
    `WINDOW` times as many are held. The policy is the checkpoint's own unless given.
    """
    return BatchEngine(translator, policy, batch_size).translate(lines)


class BatchEngine:
    """Translates lines in lockstep; `segmented` counts the lines that were too long for the model in one piece."""

    def __init__(self, translator: "Translator", policy: Policy | None = None, batch_size: int | None = None):
        self.translator = translator
        self.policy = policy or translator.default_policy
        self.batch_size = batch_size or BATCH_SIZE
        self.segmented = 0
        self._instrument = translator.instrument(self.policy)

    def translate(self, lines: Iterable[str]) -> Iterator[Result]:
        """As `translate_lines`."""
        numbered = enumerate(lines)
        mx.eval(self.translator.model.parameters())  # what is not computed yet could only be so in this thread
        with blas_threads(1):
            while window := list(islice(numbered, WINDOW * self.batch_size)):
                yield from self._in_order(window)

    def _in_order(self, window: list[tuple[int, str]]) -> Iterator[Result]:
        finished: dict[int, list[Event]] = {}
        rows = []
        for number, line in window:
            row = _Row(number, line, self.translator, self.policy)
            if row.waiting:
                rows.append(row)
            else:
                finished[number] = row.events
        waiting_for = window[0][0]
        for row in self._finished(rows):
            self.segmented += row.segmented
            finished[row.number] = row.events
            while waiting_for in finished:
                yield waiting_for, finished.pop(waiting_for)
                waiting_for += 1
        for number in sorted(finished):
            yield number, finished[number]

    def _finished(self, rows: "list[_Row]") -> "Iterator[_Row]":
        """The rows as they finish, groups of similar length one after the other, `GROUPS` at a time."""
        waiting = sorted(rows, key=lambda row: row.width)
        size = max(1, self.batch_size // GROUPS)
        running: set[Future[list[_Row]]] = set()
        stop = threading.Event()
        try:
            while waiting or running:
                while waiting and len(running) < GROUPS:
                    running.add(_workers().submit(_run_group, self.translator, self._instrument, waiting[:size], stop))
                    waiting = waiting[size:]
                done, running = wait(running, return_when=FIRST_COMPLETED)
                left = [row for future in done for row in future.result()]
                yield from (row for row in left if not row.waiting)
                # rows whose next segment is due start again in another group
                waiting = sorted([*waiting, *(row for row in left if row.waiting)], key=lambda row: row.width)
        finally:
            stop.set()


@cache
def _workers() -> ThreadPoolExecutor:
    """Threads that are kept: each has a stream of mlx, and a thread of that stream, for its own."""
    return ThreadPoolExecutor(GROUPS, "lockstep")


def _run_group(
    translator: "Translator", instrument: Instrument | None, rows: "list[_Row]", stop: threading.Event
) -> "list[_Row]":
    """Steps these rows together until each has finished or has another segment due; gives them back."""
    group = Lockstep(translator.model, [row.plan.pop(0) for row in rows], instrument)
    active = rows
    while active and not stop.is_set():
        for row, answer in zip(active, group.answer([row.request for row in active]), strict=True):
            row.advance(answer)
        stay = [number for number, row in enumerate(active) if row.waiting and not row.request.fresh]
        if stay and len(stay) < len(active):
            group.keep(stay)
        active = [active[number] for number in stay]
    return rows


class _Row:
    """One line and its stream, driven to its next request; `waiting` for an answer, else all is in `events`."""

    request: Forward

    def __init__(self, number: int, line: str, translator: "Translator", policy: Policy):
        self.number = number
        self.events: list[Event] = []
        self.waiting = False
        words = units(line, translator.settings.source_language or "")
        self.plan = _plan(translator, words)
        self.segmented = len(self.plan) > 1
        self._stream = Stream(translator.tokenizer, translator.settings, policy)
        self._run = self._stream.run()
        self._words = _as_source(words)
        next(self._run)
        self._go_on()

    @property
    def width(self) -> int:
        """Source tokens of the segment that comes next."""
        return len(self.plan[0])

    def advance(self, answer: Prediction) -> None:
        """Hands the stream its answer and goes on to its next request."""
        self._go_on(answer)

    def _go_on(self, answer: Prediction | None = None) -> None:
        item: Prediction | SourceWord | None = answer or next(self._words, None)
        while item is not None:
            request = self._run.send(item)
            if isinstance(request, Forward):
                self.request, self.waiting = request, True
                return
            item = next(self._words, None)
        self.waiting = False
        self.events = [as_event(step, None) for step in self._stream.steps]
        self._run.close()


def _as_source(words: list[str]) -> Iterator[SourceWord]:
    """The words of a line; its end comes with the last."""
    return (SourceWord(word, last=number == len(words)) for number, word in enumerate(words, 1))


def _plan(translator: "Translator", words: list[str]) -> list[list[int]]:
    """The source tokens of each segment of a line: what a stream asks for that reads everything and writes nothing.

    Where a line is cut depends on its words alone, so this is what the stream of any policy will read.
    """
    run = Stream(translator.tokenizer, translator.settings, WaitK(inf)).run()
    next(run)
    segments: list[list[int]] = []
    for item in _as_source(words):
        request = run.send(item)
        while isinstance(request, Forward):
            segments.append(request.source)
            request = run.send(Prediction([translator.tokenizer.end_id]))
    return segments
