"""Many lines in lockstep: the events that `Session.feed_line` gives, many times as fast.

Each line has a `Stream` that decides, as in a session; a group's runner answers all of them together. Lines are
taken in windows and sorted by length there, so that lines of a group finish together; the results come in the order of
the lines. On CPU three groups run in three threads with one BLAS thread each: most of what a pass does is not matrix
products, which alone would profit from another core, and while one thread decides in Python, two compute.
"""

import atexit
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import cache, partial
from itertools import chain, islice, repeat
from math import inf
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from streamtrans.engine.events import Event
from streamtrans.engine.passes import Forward, Prediction, StartGroup
from streamtrans.errors import StreamtransError
from streamtrans.policies import Policy, WaitK
from streamtrans.runtime import blas_threads, on_gpu, start_computing_thread
from streamtrans.text.words import Word, source_words

if TYPE_CHECKING:
    from streamtrans.engine.translator import Translator

BATCH_SIZE = 192
"""Lines in flight where nothing else is asked for: measured as the fastest on CPU."""

GROUPS = 1 if on_gpu() else 3
_FEW = 8  # rows of a group that are not worth dividing
WINDOW = 2
"""Lines are sorted by length within this many batches; the first ones in smaller windows, to write something soon."""

Result = tuple[int, list[Event]]
T = TypeVar("T")


class BatchEngine:
    """Translates lines in lockstep; `cuts` and `foreign` as in `LineEngine`."""

    def __init__(self, translator: "Translator", policy: Policy | None = None, batch_size: int | None = None):
        """policy: the checkpoint's own unless given. batch_size: lines in flight, None for the fastest."""
        self.translator = translator
        self.policy = policy or translator.default_policy
        self.batch_size = batch_size or BATCH_SIZE
        self.window = WINDOW * self.batch_size
        self.cuts = self.foreign = 0
        self._start_group = translator.executor.start_group(self.policy)

    def translate(self, lines: Iterable[str]) -> Iterator[Result]:
        """(number from 0, events) of each line in order, as `Session.feed_line` gives them but without times.

        A line is one sentence; an empty one has no events. Up to `WINDOW` batches of lines are held in memory, twice
        that if `lines` is a list. An error that a line ends with, such as its policy's, is raised when its turn comes.
        """
        finished: dict[int, _Row] = {}
        next_line = 0
        with blas_threads(1):
            for row in self._finished(self._windows(lines), ahead=isinstance(lines, Sequence)):
                finished[row.number] = row
                self.foreign += row.foreign
                while next_line in finished:
                    yield next_line, finished.pop(next_line).outcome()
                    next_line += 1

    def _windows(self, lines: Iterable[str]) -> "Iterator[list[_Row]]":
        """The lines in windows of an eighth of a batch, of one, then of `WINDOW`."""
        size, numbered = self.batch_size, enumerate(lines)
        sizes = chain([-(-size // 8), size], repeat(WINDOW * size))
        while window := list(islice(numbered, next(sizes))):
            rows = [_Row(number, line, self.translator, self.policy) for number, line in window]
            self.cuts += sum(row.cut for row in rows)  # now, so that a user is told before it takes long
            yield rows

    def _finished(self, windows: "Iterator[list[_Row]]", ahead: bool) -> "Iterator[_Row]":
        """The rows as they finish.

        ahead: the next window is made ready while the last groups of this one run, not when they are finished.
        """
        running: set[Future[list[_Row]]] = set()
        stop = threading.Event()
        try:
            while True:
                if len(running) > (GROUPS if ahead else 0) or (rows := next(windows, None)) is None:
                    if not running:
                        return
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    rows = [row for future in done for row in future.result()]
                yield from (row for row in rows if not row.waiting)
                for group in self._groups(rows):  # a row whose next segment is due starts again in another group
                    running.add(_workers().submit(partial(_run_group, self._start_group, group, stop)))
        finally:
            stop.set()
            wait([future for future in running if not future.cancel()])  # for the passes that they make now

    def _groups(self, rows: "list[_Row]") -> "list[list[_Row]]":
        """The rows that wait, those of similar length together; threads that begin with the long ones end together."""
        rows = sorted((row for row in rows if row.waiting), key=lambda row: row.width, reverse=True)
        share = max(_FEW, -(-len(rows) // GROUPS))  # of a small window, so that all threads have work
        size = max(1, min(self.batch_size // GROUPS, share))
        return [rows[start : start + size] for start in range(0, len(rows), size)]


class _Workers:
    """Threads that are kept: each has a stream of mlx, and a thread of that stream, for its own.

    They rest, and never end: with mlx-lm imported too, one that ends while the process does would abort it.
    """

    def __init__(self, threads: int):
        self._tasks: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._unfinished: set[Future[Any]] = set()
        atexit.register(self._rest)
        for _ in range(threads):
            threading.Thread(target=self._run, name="lockstep", daemon=True).start()

    def submit(self, task: Callable[[], T]) -> "Future[T]":
        """Has the next free thread do a task."""
        future: Future[T] = Future()
        self._unfinished.add(future)
        future.add_done_callback(self._unfinished.discard)
        self._tasks.put((future, task))
        return future

    def _rest(self) -> None:
        """Waits for what is being computed: a process that ends meanwhile aborts too."""
        wait(list(self._unfinished))

    def _run(self) -> None:
        start_computing_thread()
        while True:
            future, task = self._tasks.get()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(task())
                except BaseException as error:  # whoever waits for it decides
                    future.set_exception(error)
            del future, task  # which hold arrays


_workers = cache(partial(_Workers, GROUPS))


def _run_group(start: StartGroup, rows: "list[_Row]", stop: threading.Event) -> "list[_Row]":
    """Steps these rows together until each has finished or has another segment due; gives them back."""
    group = start([row.plan.pop(0) for row in rows])
    active = rows
    while active and not stop.is_set():
        for row, prediction in zip(active, group.answer([row.request for row in active]), strict=True):
            row.advance(prediction)
        stay = [number for number, row in enumerate(active) if row.waiting and not row.request.fresh]
        if stay and len(stay) < len(active):
            group.keep(stay)
        active = [active[number] for number in stay]
    return rows


class _Row:
    """One line and its stream, driven to its next request; `waiting` for an answer, else all is in `events`."""

    request: Forward
    _error: StreamtransError | None = None

    def __init__(self, number: int, line: str, translator: "Translator", policy: Policy):
        self.number = number
        self.events: list[Event] = []
        words = source_words(line, translator.settings.source_language or "")
        self.plan, self.cut = _plan(translator, words)
        self._stream = translator.stream(policy)
        self._words = _as_units(words)
        self.advance()

    @property
    def width(self) -> int:
        """Source tokens of the segment that comes next."""
        return len(self.plan[0])

    @property
    def foreign(self) -> int:
        """Words that were copied for their script."""
        return self._stream.foreign

    def advance(self, prediction: Prediction | None = None) -> None:
        """Hands the stream its answer, if there is one, and goes on to its next request."""
        request = None
        try:
            request = self._stream.answer(prediction) if prediction else None
            while request is None and (word := next(self._words, None)):
                request = self._stream.read(word)
        except StreamtransError as error:
            self._error = error
        self.waiting = request is not None
        if request:
            self.request = request
        else:
            self.events = self._stream.events

    def outcome(self) -> list[Event]:
        """Its events; raises the error that ended it, if one did."""
        if self._error:
            raise self._error
        return self.events


def _as_units(words: list[str]) -> Iterator[Word]:
    """The words of a line; its end comes with the last."""
    return (Word(word, ends_sentence=number == len(words)) for number, word in enumerate(words, 1))


def _plan(translator: "Translator", words: list[str]) -> tuple[list[list[int]], bool]:
    """The source tokens of each segment of a line, and whether it was too long for the model in one piece.

    A stream that reads everything and writes nothing asks for them. Where a line is cut depends on its words alone, so
    this is what the stream of any policy will read.
    """
    stream = translator.stream(WaitK(inf))
    segments: list[list[int]] = []
    for word in _as_units(words):
        request = stream.read(word)
        while request:
            segments.append(request.source)
            request = stream.answer(Prediction([translator.tokenizer.end_id]))
    return segments, stream.cuts > 0
