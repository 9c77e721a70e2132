"""A whole training run: data, model, updates until the last or until it is interrupted, with log and checkpoints."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamtrans.ranks import Ranks
from streamtrans.training.config import TrainConfig
from streamtrans.training.data.collator import Batch
from streamtrans.training.data.corpus import Corpus, read_corpus
from streamtrans.training.data.dataset import Pair, Position, batches, prefetched
from streamtrans.training.log import RunLog, plot_log
from streamtrans.training.origin import is_new, start_from
from streamtrans.training.trainer import Trainer, TrainingError

Row = dict[str, Any]
Say = Callable[[Row], None]


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its directory, the updates done, whether Ctrl-C ended it, and the best mean validation."""

    run: Path
    step: int
    interrupted: bool
    best: float


@dataclass(frozen=True)
class Work:
    """One batch on its way to the trainer, made on another thread."""

    place: Position
    first: Pair
    parts: list[Batch]
    labels: int
    tokens: int


def train(config: TrainConfig, run: Path, say: Say = lambda row: None, about: Say = lambda row: None) -> Outcome:
    """Trains in the directory `run`, going on from there if it holds a run.

    say: is given each row of the log, in the first process only. about: is given the facts of the start, once.
    Raises DataError, ModelError, UsageError for what cannot be used, TrainingError when the loss is not a number.
    """
    ranks = Ranks.launched()
    corpus = read_corpus(config)
    if ranks.leads:
        origin = start_from(config, corpus, run, make=is_new(run))
        run.mkdir(parents=True, exist_ok=True)
    ranks.meet()
    if not ranks.leads:
        origin = start_from(config, corpus, run, make=False)
    trainer = Trainer(config, origin, run, len(corpus.pairs), ranks)
    if ranks.leads:
        about(_facts(trainer, corpus))
    loop = _Loop(trainer, corpus, say)
    try:
        with _noticing_interrupts() as interrupted:
            stopped = loop.go(interrupted)
    finally:
        if loop.log:
            loop.log.close()
    if ranks.leads:
        plot_log(run / "log.jsonl", run / "log.png")
    return Outcome(run, trainer.progress.step, stopped, trainer.progress.best)


def _facts(trainer: Trainer, corpus: Corpus) -> Row:
    from mlx.utils import tree_flatten

    flat: Any = tree_flatten(trainer.weights)
    return {
        "pairs": len(corpus.pairs),
        "validation": len(corpus.validation),
        "dropped": corpus.dropped,
        "parameters": sum(array.size for _, array in flat),
        "processes": trainer.ranks.size,
        "step": trainer.progress.step,
        "steps": trainer.config.optimiser.steps,
    }


@contextmanager
def _noticing_interrupts() -> Iterator[Callable[[], bool]]:
    """Ctrl-C sets what the yielded function tells, so that an update is never cut in two; a second one cuts."""
    seen: list[int] = []

    def notice(number: int, frame: Any) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)

    try:
        before = signal.signal(signal.SIGINT, notice)
    except ValueError:  # not the main thread: nobody can press Ctrl-C here
        yield lambda: False
        return
    try:
        yield lambda: bool(seen)
    finally:
        signal.signal(signal.SIGINT, before)


class _Loop:
    """Updates, and between them what is logged, validated and saved."""

    def __init__(self, trainer: Trainer, corpus: Corpus, say: Say):
        self.trainer, self.corpus, self.say = trainer, corpus, say
        self.talks = trainer.ranks.leads
        self.log = self._log() if self.talks else None
        self._reset()

    def _log(self) -> RunLog:
        run, asked = self.trainer.run, self.trainer.config.report.tensorboard
        board = run / "tensorboard" if asked is True else asked or None
        return RunLog(run / "log.jsonl", self.trainer.progress.step, board)

    def _reset(self) -> None:
        self.summed, self.labels, self.tokens, self.began = 0.0, 0, 0, time.perf_counter()

    def go(self, interrupted: Callable[[], bool]) -> bool:
        """Trains until the last step, false, or until a process is interrupted, true; saves in both cases."""
        trainer, settings = self.trainer, self.trainer.config.optimiser
        lengths = trainer.origin.collator.lengths
        stream = batches(self.corpus.pairs, lengths, settings.batch_tokens, trainer.config.seed, trainer.progress.place)
        works = prefetched(stream, self._collate)
        stopped = False
        self._reset()
        while trainer.progress.step < settings.steps and not stopped:
            stopped = self._update(next(works), interrupted())
            self._between(finished=trainer.progress.step == settings.steps, stopped=stopped)
        works.close()
        return stopped and trainer.progress.step < settings.steps

    def _collate(self, item: tuple[Position, list[Pair], np.random.Generator]) -> Work:
        place, pairs, rng = item
        batch = self.trainer.origin.collator(pairs, rng)
        return Work(place, pairs[0], self.trainer.parts(batch), batch.label_count, batch.token_count)

    def _update(self, work: Work, stop: bool) -> bool:
        trainer = self.trainer
        try:
            likelihood, stopped = trainer.update(work.parts, work.labels, stop)
        except TrainingError as error:
            place, last = work.place, trainer.run / "last"
            kept = f"{last} holds the last good state that was saved" if last.exists() else "Nothing was saved yet"
            raise TrainingError(
                f"step {trainer.progress.step + 1}: {error}; batch {place.batch} of chunk {place.chunk}, epoch "
                f"{place.epoch}, which begins with {work.first[0][:60]!r}. {kept}; try a lower optimiser.muon_rate and "
                "adamw_rate, or look at that batch"
            ) from error
        trainer.progress.place = work.place
        self.summed, self.labels = self.summed + likelihood, self.labels + work.labels
        self.tokens += work.tokens
        return stopped

    def _between(self, finished: bool, stopped: bool) -> None:
        if not self.talks:
            return
        trainer, report = self.trainer, self.trainer.config.report
        step, row = trainer.progress.step, {}
        if step % report.log_every == 0 or finished:
            row = self._row()
            self._reset()
        if step % report.validate_every == 0 or finished:
            row |= self._validated()
        if row:
            assert self.log is not None
            row = {"step": step, "epoch": trainer.progress.place.epoch, "time": round(time.time(), 1)} | row
            self.log.write(row)
            self.say(row)
        if step % report.save_every == 0 or finished or stopped:
            trainer.save_last()

    def _row(self) -> Row:
        seconds = time.perf_counter() - self.began
        rate = self.trainer.config.optimiser.rate(self.trainer.progress.step - 1)
        return {
            "loss": self.summed / max(1, self.labels),
            "tokens_per_s": round(self.tokens / seconds),
            "rate": round(rate, 4),
        }

    def _validated(self) -> Row:
        began = time.perf_counter()
        found = self.trainer.validate(self.corpus.validation)
        mean = sum(found.values()) / len(found)
        if mean < self.trainer.progress.best:
            self.trainer.progress.best = mean
            self.trainer.save_best()
        self.began += time.perf_counter() - began  # tokens/s is that of training
        return found
