"""All that sessions share: models, the scheduler, threads to wait in, and the count of who is there."""

import asyncio
import logging
import secrets
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from streamtrans.engine.chain import load_route
from streamtrans.engine.events import Event
from streamtrans.engine.lines import Opener
from streamtrans.errors import StreamtransError, UsageError
from streamtrans.models.named import find_named
from streamtrans.models.routes import Route, find_route
from streamtrans.policies import Policy
from streamtrans.serve.captions import Stage
from streamtrans.serve.hosted import Hosted
from streamtrans.serve.limits import Limits
from streamtrans.serve.messages import ServiceError, Wanted, policy_of
from streamtrans.serve.metrics import Metrics
from streamtrans.serve.scheduler import Errand, Scheduler, Told, Work
from streamtrans.text.languages import closest, code_of, described

log = logging.getLogger(__name__)

T = TypeVar("T")

OPENING = 4
"""Threads that open sessions, which may take as long as loading a model."""


class Hall:
    """Opens sessions while there is room."""

    def __init__(
        self,
        route: Route,
        limits: Limits | None = None,
        choose: Callable[[Policy], Policy] = lambda own: own,
        load: Callable[[Route], Opener] = load_route,
    ):
        """route: of the model to take where a client names none. choose: the policy to follow there, from its own."""
        self.limits = limits or Limits()
        self.metrics = Metrics()
        self.stage = Stage()
        self.draining = asyncio.Event()
        self._route, self._choose, self._load = route, choose, load
        self._translators: dict[Route, Opener] = {}
        self._loading = threading.Lock()
        self._errands: SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = SimpleQueue()
        for _ in range(OPENING):
            threading.Thread(target=self._open_on, name="opening", daemon=True).start()
        self._scheduler = Scheduler(observe=self.metrics.passes.observe)
        self._sessions = 0
        self.viewers = 0

    @property
    def sessions(self) -> int:
        """The number of sessions that are open."""
        return self._sessions

    @asynccontextmanager
    async def room(self) -> AsyncIterator[None]:
        """Counts a session while it is there; ServiceError `full` or `draining` if none may begin."""
        if self.draining.is_set():
            raise ServiceError("draining", "the server is about to stop; try again in a moment", fatal=True)
        if self._sessions >= self.limits.sessions:
            raise ServiceError("full", f"all {self.limits.sessions} sessions are taken; try again later", fatal=True)
        self._sessions += 1
        self.metrics.sessions.set(self._sessions)
        try:
            yield
        finally:
            self._sessions -= 1
            self.metrics.sessions.set(self._sessions)

    async def open(self, wanted: Wanted, first_sentence: int = 0) -> tuple[Hosted, Route]:
        """A new session; ServiceError says which of its wishes cannot be."""
        return await self.run(partial(self._open, wanted, first_sentence))

    def _open(self, wanted: Wanted, first_sentence: int) -> tuple[Hosted, Route]:
        route = self._chosen(wanted)
        translator = self._translator(route)
        default = self.own[2] if route == self._route else translator.default_policy
        policy = policy_of(wanted.policy, default) if wanted.policy else default
        try:
            return Hosted(translator, policy, self._scheduler, first_sentence), route
        except StreamtransError as error:
            raise ServiceError("bad_policy", str(error)) from error

    def _chosen(self, wanted: Wanted) -> Route:
        """The route of a client's wishes. A model goes by its name or its languages: no client may name a file."""
        if wanted.model in (None, self._route.name, self._route.title) and not (wanted.source or wanted.target):
            return self._route
        if wanted.model and (Path(wanted.model).name != wanted.model or wanted.model.startswith(".")):
            raise ServiceError("unknown_model", f"{wanted.model!r} is no model of this server")
        try:
            if wanted.model is None:
                own = self._translator(self._route).settings
                if _fits(wanted, own.source_language, own.target_language):
                    return self._route
            elif (named := find_named(wanted.model)) and named.languages:
                if not _fits(wanted, *named.languages):  # or each client could have the model loaded once more
                    raise UsageError(f"{wanted.model} translates from {' to '.join(map(described, named.languages))}")
                return find_route(wanted.model, None, None, None)
            return find_route(wanted.model, None, wanted.source, wanted.target)
        except StreamtransError as error:
            raise ServiceError("unsupported_direction", str(error)) from error

    def _translator(self, route: Route) -> Opener:
        with self._loading:
            if route not in self._translators:
                if len(self._translators) >= self.limits.models:
                    raise ServiceError("models", f"this server holds {self.limits.models} models at most")
                try:
                    self._translators[route] = self._load(route)
                except StreamtransError as error:
                    raise ServiceError("unknown_model", str(error)) from error
            return self._translators[route]

    def check_words(self, words: int) -> None:
        """Raises ServiceError `too_large` for more words than a message may have."""
        if words > self.limits.message_words:
            raise ServiceError("too_large", f"a message has {self.limits.message_words} words at most")

    @property
    def own(self) -> tuple[Route, Opener, Policy]:
        """The default model, and the policy that it follows where a client names none."""
        translator = self._translator(self._route)
        return self._route, translator, self._choose(translator.default_policy)

    def warm(self) -> Opener:
        """Loads the default model now; raises as `load_route`."""
        return self._translator(self._route)

    async def run(self, work: Callable[[], T]) -> T:
        """Does work that takes a while, in a thread."""
        done: Future[T] = Future()
        self._errands.put((work, done))
        return await asyncio.wrap_future(done)

    def _open_on(self) -> None:
        """Does such work for ever: a thread that used mlx must not end at exit, see `Lane.close`."""
        while True:
            work, done = self._errands.get()
            if not done.set_running_or_notify_cancel():
                continue
            try:
                done.set_result(work())
            except BaseException as error:  # whoever waits has to hear of it
                done.set_exception(error)

    async def events(self, hosted: Hosted, work: Work) -> AsyncGenerator[list[Event]]:
        """The events of a session's work as they happen, and counted; ServiceError `failed` if it cannot be done."""
        told: asyncio.Queue[Told] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def tell(events: Told) -> None:
            loop.call_soon_threadsafe(told.put_nowait, events)

        errand = Errand(work, tell, hosted.share)
        hosted.lane.take(errand)
        try:
            while (events := await told.get()) is not None:
                if isinstance(events, StreamtransError):
                    raise ServiceError("failed", str(events), fatal=True) from events
                if isinstance(events, BaseException):
                    log.error("a session failed", exc_info=events)
                    raise ServiceError("failed", "the session failed; start a new one", fatal=True) from events
                self.metrics.count(events)
                yield events
        finally:
            errand.cancel()

    def close(self) -> None:
        """Has the threads rest."""
        self._scheduler.close()


def _fits(wanted: Wanted, source: str | None, target: str | None) -> bool:
    """Whether a client's languages are these, None where either will do; UsageError for what is no language."""
    pairs = [(wanted.source, source), (wanted.target, target)]
    return all(not asked or (has and closest(code_of(asked), [has])) for asked, has in pairs)


def new_name() -> str:
    """A name of a session that nobody can guess."""
    return secrets.token_urlsafe(12)
