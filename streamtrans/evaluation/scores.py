"""The scores of a run: quality and latency over all of its sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streamtrans.errors import DataError
from streamtrans.evaluation import latency
from streamtrans.evaluation.instances import Instance
from streamtrans.evaluation.quality import QUALITY, Quality, comet, corpus_quality
from streamtrans.evaluation.runs import About, Run


@dataclass(frozen=True)
class Scores:
    """The scores of one run; `values` by metric, in the order of reports, None where there is none.

    empty: sentences for which nothing was written. skipped: sentences without a YAAL, the empty ones among them.
    degenerate: SWF and EFSW are so far apart that YAAL misleads.
    """

    about: About
    sentences: int
    values: Mapping[str, float | None]
    empty: int
    skipped: int
    degenerate: bool
    signatures: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run, quality: Sequence[str] = QUALITY) -> "Scores":
        """Score a run: the named quality metrics ("BLEU", "chrF", "TER", "COMET") and all of latency.

        Empty predictions count for quality and not for latency. Without references quality is None and latency takes
        the length of the prediction for the reference's. Raises `DataError` where only some have a reference.
        """
        instances = run.instances
        qualities = _qualities(instances, quality, run.about.tokenizer)
        degeneracy = latency.degeneracy(instances)
        written = [len(instance.delays) for instance in instances]
        values: dict[str, float | None] = {name: q.value if q else None for name, q in qualities.items()}
        values |= latency.corpus(instances)
        values["NE"] = latency.normalized_erasure([instance.deleted for instance in instances], written)
        values["SWF"] = degeneracy.swf if degeneracy else None
        values["EFSW"] = degeneracy.efsw if degeneracy else None
        return cls(
            about=run.about,
            sentences=len(instances),
            values=values,
            empty=written.count(0),
            skipped=sum(latency.LATENCY["YAAL"](instance) is None for instance in instances),
            degenerate=degeneracy is not None and degeneracy.suspicious,
            signatures={name: q.signature for name, q in qualities.items() if q},
        )

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON: one entry of "runs"; k = ∞ is "inf", an undefined value is null."""
        return {
            "run": self.about.name,
            "policy": self.about.policy,
            "wait_k": self.about.options.get("k"),
            "options": dict(self.about.options),
            "sentences": self.sentences,
            **self.values,
            "skipped": self.skipped,
            "empty": self.empty,
            "degenerate": self.degenerate,
            "signature": self.signatures.get("BLEU"),
            "signatures": dict(self.signatures),
        }


def references_of(instances: Sequence[Instance]) -> list[list[str]]:
    """The references as sacrebleu takes them, a list per reference; none where no sentence has one.

    Raises DataError where the sentences do not have equally many.
    """
    counts = [len(instance.references) for instance in instances]
    if missing := counts.count(0) if any(counts) else 0:
        raise DataError(
            f"{missing} of {len(counts)} sentences have no reference: give references for all of them, or for none to "
            "score latency alone"
        )
    if len(set(counts)) > 1:
        raise DataError(f"some sentences have {min(counts)} references, some {max(counts)}: all must have as many")
    return [list(references) for references in zip(*(instance.references for instance in instances), strict=True)]


def _qualities(instances: Sequence[Instance], names: Sequence[str], tokenizer: str | None) -> dict[str, Quality | None]:
    references = references_of(instances)
    if not references:
        return dict.fromkeys(names)
    predictions = [i.prediction for i in instances]
    result: dict[str, Quality | None] = {}
    for name in names:
        if name == "COMET":
            sources = [i.source_text for i in instances if i.source_text is not None]
            if len(sources) != len(instances):
                raise DataError("COMET needs the source of every sentence, and the log does not have it")
            result[name] = comet(sources, predictions, references[0])
        else:
            result[name] = corpus_quality(name, predictions, references, tokenizer)
    return result
