"""Many lines under one policy, for `translate` and `score`: spread over ranks, shown, recorded, resumed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamtrans.cli.shared.progress import progress
from streamtrans.cli.shared.recording import as_instance
from streamtrans.cli.shared.stderr import InputWarnings
from streamtrans.engine.lines import LineEngine, Opener, SequentialEngine, SpreadEngine
from streamtrans.evaluation.clock import WORD_MS
from streamtrans.evaluation.instances import Instance
from streamtrans.evaluation.quality import QUALITY, tokenizer_of
from streamtrans.evaluation.run_folder import RunFolder
from streamtrans.evaluation.runs import About, Run
from streamtrans.evaluation.scores import Scores
from streamtrans.policies import Policy, description_of

if TYPE_CHECKING:
    from streamtrans.engine.events import Event
    from streamtrans.ranks import Ranks


@dataclass(frozen=True)
class Pacing:
    """The way lines are translated: `batch_size` side by side (None: the fastest), or one at a time and timed.

    word_ms: milliseconds per source word on the simulated clock of timed lines.
    """

    batch_size: int | None = None
    sequential: bool = False
    word_ms: float = WORD_MS


@dataclass
class LineRun:
    """The run of one policy over many lines, in `folder` if it is recorded; rank 0 has the results.

    shown: whether a bar may be drawn, called `name`.
    """

    translator: Opener
    policy: Policy
    ranks: "Ranks"
    name: str
    pacing: Pacing = field(default_factory=Pacing)
    folder: RunFolder | None = None
    shown: bool = True
    warn: InputWarnings = field(default_factory=InputWarnings)
    instances: list[Instance] = field(default_factory=list)

    def begin(self, configuration: dict[str, Any], resume: bool, most: int | None = None) -> int:
        """Starts the folder of a recorded run, or resumes it with at most its first `most` lines; gives their number.

        Raises as `RunFolder.begin`.
        """
        if self.folder:
            self.instances = self.folder.begin(configuration | description_of(self.policy), resume, most)
        return len(self.instances)

    def translate(
        self, lines: Iterable[str], done: int, total: int | None, references: Sequence[Sequence[str]] | None = None
    ) -> "Iterator[tuple[int, list[Event]]]":
        """(number, events) of each line, recorded before it is given; `lines` are the ones after the first `done`.

        references: of each line, all of them; with those, or a folder, each line becomes an instance.
        """
        settings, recorded = self.translator.settings, self.folder is not None or references is not None
        engine = self._engine()
        with progress(self.name, total, done, self.shown and self.ranks.leads) as advance:
            for number, events in engine.translate(lines):
                self.warn(engine)
                if recorded:
                    own = references[done + number] if references else ()
                    self._record(as_instance(done + number, events, settings, own, self.pacing.word_ms))
                yield done + number, events
                advance(1)

    def _record(self, instance: Instance) -> None:
        self.instances.append(instance)
        if self.folder:
            self.folder.add(instance)

    def _engine(self) -> LineEngine:
        engine: LineEngine = SequentialEngine(self.translator, self.policy)
        if not self.pacing.sequential:
            engine = self.translator.lines(self.policy, self.pacing.batch_size)
        return engine if self.ranks.size == 1 else SpreadEngine(self.ranks, engine)

    def finish(self, quality: Sequence[str] = QUALITY) -> tuple[Run, Scores]:
        """The run and its scores, which complete its folder if it is recorded."""
        description = description_of(self.policy)
        tokenizer = tokenizer_of(self.translator.settings.target_language or "")
        run = Run(About(self.name, description.pop("policy"), description, tokenizer), self.instances)
        scores = Scores.of(run, quality)
        if self.folder:
            self.folder.finish(run, scores)
        return run, scores
