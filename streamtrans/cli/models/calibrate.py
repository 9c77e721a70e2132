"""`streamtrans models calibrate`: what policies need that look into a model, which itself stays as it is."""

from pathlib import Path
from typing import Annotated

import typer

from streamtrans.cli.shared.options import PlainOption
from streamtrans.cli.shared.progress import Pace, progress
from streamtrans.cli.shared.stderr import say
from streamtrans.errors import UsageError


def calibrate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="en-pt, a directory, or a Hub id.")],
    data: Annotated[Path, typer.Option(metavar="FILE", help="Sentence pairs: TSV with a header, plain, .gz or .xz.")],
    source_column: Annotated[str, typer.Option(metavar="NAME", help="Column of the source.")] = "source",
    target_column: Annotated[str, typer.Option(metavar="NAME", help="Column of the target.")] = "target",
    exclude_domain: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Leave out rows whose column domain says so.")
    ] = None,
    pairs: Annotated[int, typer.Option(metavar="N", min=10, help="Pairs to take at most, drawn at random.")] = 12_000,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Write a copy, not into the model.")
    ] = None,
    plain: PlainOption = False,
) -> None:
    """Find what `--policy learned` and `alignatt` need in a model.

    For `learned` that is a head by which the model judges its own next word, for `alignatt` the attention heads that
    look at the word to translate.

    The weights of the model stay as they are. Ctrl-C leaves everything as it was. To make `learned` what a model does
    by itself, write "policy": {"name": "learned", "threshold": 0.05} into the section streamtrans of its config.json.

    \b
    Examples:
      streamtrans models calibrate runs/mine/best --data pairs.tsv
      streamtrans models calibrate organisation/name --data pairs.tsv.gz --pairs 20000 -o calibrated
    """
    if output and output.exists():
        raise UsageError(f"{output} exists; choose another --output")
    from streamtrans.models.loading import embedded_models, find_parts, load_checkpoint
    from streamtrans.text.tokenizer import load_tokenizer
    from streamtrans.training.calibration.calibrate import calibrate_checkpoint, for_heads, write_calibrated
    from streamtrans.training.calibration.decisions import collator_for
    from streamtrans.training.data.dataset import Filters
    from streamtrans.training.data.sources import sample_tsv

    if find_parts(model)[1]:
        raise UsageError(
            f"{model} is an adapter; make a model of it first: streamtrans models fuse {model} --output DIR"
        )
    if output is None and (model in embedded_models() or not Path(model).is_dir()):
        raise UsageError(f"{model} is not a directory of yours; write a calibrated copy with --output DIR")
    checkpoint = load_checkpoint(model)
    settings = checkpoint.settings
    tokenizer = load_tokenizer(checkpoint.directory, settings.tokenizer, checkpoint.config)
    collator = collator_for(tokenizer, settings)
    filters = Filters(exclude_domain or [], languages=(collator.source_language, collator.target_language))
    chosen = sample_tsv(data, filters, (source_column, target_column), pairs)
    say(f"{len(chosen):,} pairs; dropped: {filters.summary()}")
    total = len(chosen) + len(for_heads(chosen))
    with progress("calibrating", total, shown=not plain) as advance:
        found = calibrate_checkpoint(checkpoint.model, collator, chosen, Pace(total, 0, advance).more)
    for line in found.lines():
        say(line)
    say(f"wrote {write_calibrated(checkpoint.directory, output, found)}")
