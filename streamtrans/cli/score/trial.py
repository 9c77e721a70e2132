"""A test set under one model: translated with a policy, recorded as it goes, resumed where it stopped."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamtrans.cli.shared.event_text import SegmentedWarning
from streamtrans.cli.shared.launch import Engine, Ranks
from streamtrans.cli.shared.lines import read_parallel
from streamtrans.cli.shared.progress import progress
from streamtrans.cli.shared.recording import RunFolder, as_instance, model_record, run_name
from streamtrans.errors import DataError, UsageError
from streamtrans.evaluation.instances import Instance
from streamtrans.policies import Policy

if TYPE_CHECKING:
    from streamtrans.engine.translator import Translator

_SEQUENTIAL_CHUNK = 32


class TestSet:
    """Sources, references, and the model (maybe with an adapter) that translates them; each rank has all of it."""

    __test__ = False  # pytest, this is not a test

    def __init__(self, source: Path, reference: Path, limit: int | None, model: str, adapter: Path | None = None):
        self._paths, self.model, self.adapter = (source, reference), model, adapter
        self.sources, self.references = read_parallel(source, reference, limit)
        self._ranks = Ranks()
        self._warn = SegmentedWarning(self._ranks.leads)

    @classmethod
    def of(
        cls, source: Path | None, references: Path | None, limit: int | None, model: str, adapter: Path | None
    ) -> "TestSet":
        """The first `limit` sentences of two files. Raises UsageError where one is not given, DataError as reading."""
        if source is None or references is None:
            raise UsageError("score needs SOURCE and REFERENCE, or --from-log FILE")
        return cls(source, references, limit, model, adapter)

    @cached_property
    def translator(self) -> "Translator":
        """The model, loaded when it is first asked for."""
        from streamtrans.engine.translator import load

        return load(self.model, self.adapter)

    def configuration(self) -> dict[str, Any]:
        """What a run's folder says about it."""
        source, reference = map(str, self._paths)
        files = {"source": source, "reference": reference, "sentences": len(self.sources)}
        return {**self._model_record, **files}

    @cached_property
    def _model_record(self) -> dict[str, Any]:
        return model_record(self.model, self.adapter)

    def translate(
        self,
        policy: Policy,
        folder: RunFolder | None,
        resume: bool,
        *,
        batch_size: int | None,
        sequential: bool,
        word_ms: float,
        shown: bool,
    ) -> list[Instance] | None:
        """The instances of a run, each in the folder's log as soon as it is there; None on a rank that does not lead.

        Raises DataError when the log to resume is of other sentences.
        """
        ranks, settings = self._ranks, self.translator.settings
        instances: list[Instance] = []
        done = ranks.from_leader(lambda: self._begin(folder, resume, instances))
        engine = self._engine(policy, batch_size, sequential)
        with progress(run_name(policy), len(self.sources), done, shown and ranks.leads) as advance:
            for number, events in engine.translate(self.sources[done:]):
                self._warn(engine.cuts)
                index = done + number
                instance = as_instance(index, events, settings, self.references[index], word_ms)
                instances.append(instance)
                if folder:
                    folder.add(instance)
                advance()
        return instances if ranks.leads else None

    def _engine(self, policy: Policy, batch_size: int | None, sequential: bool) -> Engine:
        if sequential:
            from streamtrans.engine.sequential import SequentialEngine

            return self._ranks.share(SequentialEngine(self.translator, policy), _SEQUENTIAL_CHUNK)
        from streamtrans.engine.batch import WINDOW, BatchEngine

        engine = BatchEngine(self.translator, policy, batch_size)
        return self._ranks.share(engine, WINDOW * engine.batch_size)

    def _begin(self, folder: RunFolder | None, resume: bool, instances: list[Instance]) -> int:
        """How many sentences the folder has; they go into `instances`."""
        instances += folder.begin(resume) if folder else []
        self._check(instances)
        return len(instances)

    def _check(self, done: list[Instance]) -> None:
        """Whether these are the first sentences of this test set."""
        source, reference = self._paths
        if len(done) > len(self.sources):
            raise DataError(f"the log has {len(done)} sentences and {source} {len(self.sources)}: another test set?")
        for number, instance in enumerate(done):
            same = instance.source is None or "".join(instance.source) == "".join(self.sources[number].split())
            if instance.index != number or not same:
                raise DataError(f"the log to resume differs from {source} at sentence {number + 1}")
            if (instance.reference or "").strip() != self.references[number].strip():  # logs are read stripped
                raise DataError(f"the references of the log to resume differ from {reference} at line {number + 1}")
