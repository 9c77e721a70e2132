"""`streamtrans compare`: is one run better than another, or was it luck?"""

import json
from pathlib import Path
from typing import Annotated

import typer

from streamtrans.cli.shared.options import JsonOption, LanguageOption
from streamtrans.errors import UsageError
from streamtrans.evaluation import significance
from streamtrans.evaluation.run_folder import RunFolder


def compare(
    a: Annotated[Path, typer.Argument(metavar="DIR_A", help="Folder of a run, as --save-log writes it.")],
    b: Annotated[Path, typer.Argument(metavar="DIR_B", help="Folder of another run over the same sentences.")],
    language: LanguageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two runs over the same sentences: paired bootstrap of quality and latency, in words.

    Example: streamtrans compare runs/wait-3 runs/wait-5
    """
    first, second = RunFolder(a).read(language), RunFolder(b).read(language)
    tokenizer, other = first.about.tokenizer, second.about.tokenizer
    if tokenizer != other:
        raise UsageError(f"{a} was scored with the tokenizer {tokenizer}, {b} with {other}")
    names = (first.about.name, second.about.name) if first.about.name != second.about.name else (str(a), str(b))
    comparisons = significance.compare_runs(first.instances, second.instances, tokenizer=tokenizer)
    sentences = [_sentence(comparison, names, len(first.instances)) for comparison in comparisons]
    if as_json:
        pairs = zip(comparisons, sentences, strict=True)
        rows = [comparison.as_dict() | {"text": sentence} for comparison, sentence in pairs]
        settings = {"samples": significance.SAMPLES, "seed": significance.SEED}
        typer.echo(json.dumps({"a": names[0], "b": names[1], **settings, "comparisons": rows}, ensure_ascii=False))
        return
    typer.echo("\n".join(sentences))


def _sentence(comparison: significance.Comparison, names: tuple[str, str], total: int) -> str:
    """The result in words, with the number of sentences that have no value in one of the runs."""
    left_out = total - comparison.sentences
    return comparison.sentence(*names) + (f" ({left_out} of {total} sentences left out)" if left_out else "")
