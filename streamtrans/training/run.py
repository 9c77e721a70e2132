"""A whole training run: data, model, updates until the last or until it is interrupted, with log and checkpoints."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamtrans.errors import UsageError
from streamtrans.ranks import Ranks
from streamtrans.training.config import TrainConfig
from streamtrans.training.data.corpus import Corpus, read_corpus
from streamtrans.training.data.dataset import prefetched
from streamtrans.training.log import RunLog, plot_log
from streamtrans.training.origin import Origin, is_new, start_from
from streamtrans.training.progress import Trainer, TrainingError, Work

LogRow = dict[str, Any]
Say = Callable[[LogRow], None]


@dataclass(frozen=True)
class Outcome:
    """The end of a run: its directory, the updates done, whether Ctrl-C ended it, and the best mean validation."""

    run: Path
    step: int
    interrupted: bool
    best: float


def run_training(config: TrainConfig, run: Path, say: Say = lambda row: None, about: Say = lambda row: None) -> Outcome:
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
    trainer = _trainer(config, origin, run, len(corpus.pairs), ranks)
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


def _trainer(config: TrainConfig, origin: Origin, run: Path, pairs: int, ranks: Ranks) -> Trainer:
    """The trainer that the configuration names; only its library is imported."""
    if config.trainer == "mlx":
        from streamtrans.training.trainer import MlxTrainer

        return MlxTrainer(config, origin, run, pairs, ranks)
    if ranks.size > 1:
        raise UsageError(f"trainer=torch trains in one process, and mlx.launch started {ranks.size}")
    from streamtrans.training.pytorch.trainer import TorchTrainer

    return TorchTrainer(config, origin, run, pairs, ranks)


def _facts(trainer: Trainer, corpus: Corpus) -> LogRow:
    return {
        "pairs": len(corpus.pairs),
        "validation": len(corpus.validation),
        "dropped": corpus.dropped,
        "parameters": trainer.parameters,
        "processes": trainer.ranks.size,
        "step": trainer.progress.step,
        "steps": trainer.config.optimiser.steps,
    }


@contextmanager
def _noticing_interrupts() -> Iterator[Callable[[], bool]]:
    """Yields a function that says whether Ctrl-C was pressed, so that updates always complete; a second one raises."""
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
        self.summed: Any = 0.0
        self.labels, self.tokens, self.began = 0, 0, time.perf_counter()

    def go(self, interrupted: Callable[[], bool]) -> bool:
        """Trains until the end, false, or until a process is interrupted, true; saves in both cases."""
        trainer, stopped = self.trainer, False
        finished = self._finished()
        works = prefetched(trainer.batches(self.corpus), lambda work: work)
        self._reset()
        self.clock = time.perf_counter() - trainer.progress.seconds
        while not (finished or stopped):
            stopped = self._update(next(works), interrupted())
            finished = self._finished()
            self._between(finished, stopped)
        works.close()
        return stopped and not finished

    def _finished(self) -> bool:
        progress = self.trainer.progress
        return self.trainer.config.optimiser.done(progress.step, progress.seconds) >= 1

    def _update(self, work: Work, stop: bool) -> bool:
        seconds = time.perf_counter() - self.clock
        with self._naming_the_last_good_state():
            likelihood, stopped = self.trainer.update(work, seconds, stop)
        self.summed, self.labels = self.summed + likelihood, self.labels + work.labels
        self.tokens += work.tokens
        return stopped

    @contextmanager
    def _naming_the_last_good_state(self) -> Iterator[None]:
        try:
            yield
        except TrainingError as error:
            last = self.trainer.run / "last"
            kept = f"{last} holds the last good state that was saved" if last.exists() else "Nothing was saved yet"
            raise TrainingError(
                f"{error}. {kept}; try a lower optimiser.muon_rate and adamw_rate, or look at that batch"
            ) from error

    def _between(self, finished: bool, stopped: bool) -> None:
        if not self.talks:
            return
        trainer, report = self.trainer, self.trainer.config.report
        step, row = trainer.progress.step, {}
        due = [finished or step % often == 0 for often in (report.log_every, report.validate_every, report.save_every)]
        if any(due) or stopped:
            with self._naming_the_last_good_state():
                trainer.settle()
        if due[0]:
            row = self._row()
            self._reset()
        if due[1]:
            row |= self._validated()
        if row:
            assert self.log is not None
            row = {"step": step, "epoch": trainer.progress.place.epoch, "time": round(time.time(), 1)} | row
            self.log.write(row)
            self.say(row)
        if due[2] or stopped:
            trainer.save_last()

    def _row(self) -> LogRow:
        loss = float(self.summed) / max(1, self.labels)  # waits for the device, so it comes before the clock
        seconds = time.perf_counter() - self.began
        progress = self.trainer.progress
        rate = self.trainer.config.optimiser.rate(progress.step - 1, progress.seconds)
        return {"loss": loss, "tokens_per_s": round(self.tokens / seconds), "rate": round(rate, 4)}

    def _validated(self) -> LogRow:
        began = time.perf_counter()
        found = self.trainer.validate(self.corpus.validation)
        mean = sum(found.values()) / len(found)
        if mean < self.trainer.progress.best:
            self.trainer.progress.best = mean
            self.trainer.save_best()
        self.began += time.perf_counter() - began  # tokens/s is that of training
        return found
