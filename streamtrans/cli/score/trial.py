"""A test set under one model: translated with a policy, recorded as it goes, resumed where it stopped."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from streamtrans.cli.shared.line_run import LineRun, Pacing
from streamtrans.cli.shared.model_choice import ModelChoice
from streamtrans.cli.shared.stderr import InputWarnings
from streamtrans.engine.lines import Opener
from streamtrans.errors import DataError, UsageError
from streamtrans.evaluation.instances import Instance
from streamtrans.evaluation.run_folder import RunFolder
from streamtrans.evaluation.runs import Run
from streamtrans.evaluation.scores import Scores
from streamtrans.files import read_parallel
from streamtrans.policies import Policy, short_name
from streamtrans.ranks import Ranks


class Trial:
    """Sources, their references (one or several each), and the model that translates them; each rank has all of it."""

    def __init__(self, paths: list[Path], limit: int | None, model: ModelChoice, pacing: Pacing):
        """paths: of the source and of its references, of which the first `limit` lines are taken.

        Raises UsageError where one is not given, DataError as reading does.
        """
        if len(paths) < 2:
            raise UsageError("score needs SOURCE and REFERENCE, or --from-log FILE")
        self.sources, *references = read_parallel(paths, limit)
        self.references = list(zip(*references, strict=True))
        self._paths, self._model, self._pacing = paths, model, pacing
        self._ranks = Ranks.launched()
        self._ranks.stop_together()
        self._warn = InputWarnings()

    @cached_property
    def translator(self) -> Opener:
        """The model, loaded when it is first asked for."""
        return self._model.load()

    @cached_property
    def _configuration(self) -> dict[str, Any]:
        """Everything but the policy that the results depend on."""
        source, *references = map(str, self._paths)
        files = {"source": source, "reference": references[0] if len(references) == 1 else references}
        clock = {"word_ms": self._pacing.word_ms, "sequential": self._pacing.sequential}
        return {**self._model.record(), **files, "sentences": len(self.sources), **clock}

    def runs(
        self, policies: Sequence[Policy], save_log: Path | None, resume: bool, quality: Sequence[str], shown: bool
    ) -> list[tuple[Run, Scores]]:
        """The run of each policy and its scores, in a folder of its own below `save_log`; none on a rank that does not
        lead.

        Raises DataError when the log to resume is of other sentences, ModelError for a policy that the model lacks
        something for.
        """
        for policy in policies:
            self.translator.session(policy)  # complains now, not after other runs
        results = [self._run(policy, save_log, resume, quality, shown) for policy in policies]
        return [result for result in results if result]

    def _run(
        self, policy: Policy, save_log: Path | None, resume: bool, quality: Sequence[str], shown: bool
    ) -> tuple[Run, Scores] | None:
        name = short_name(policy)
        folder = RunFolder(save_log / name) if save_log else None
        run = LineRun(self.translator, policy, self._ranks, name, self._pacing, folder, shown, self._warn)

        def begin() -> int:
            done = run.begin(self._configuration, resume)
            self._check(run.instances)
            return done

        done = self._ranks.from_leader(begin)
        for _ in run.translate(self.sources[done:], done, len(self.sources), self.references):
            pass
        return run.finish(quality) if self._ranks.leads else None

    def _check(self, done: list[Instance]) -> None:
        """Raises DataError unless these are the first sentences of this test set."""
        source, *references = self._paths
        if len(done) > len(self.sources):
            raise DataError(f"the log has {len(done)} sentences and {source} {len(self.sources)}: another test set?")
        for number, instance in enumerate(done):
            same = instance.source is None or "".join(instance.source) == "".join(self.sources[number].split())
            if instance.index != number or not same:
                raise DataError(f"the log to resume differs from {source} at sentence {number + 1}")
            if instance.references != tuple(map(str.strip, self.references[number])):  # logs are read stripped
                named = ", ".join(map(str, references))
                raise DataError(f"the references of the log to resume differ from {named} at line {number + 1}")
