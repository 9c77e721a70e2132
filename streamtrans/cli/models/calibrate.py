"""`streamtrans models calibrate`: what policies need that look into a model, which itself stays as it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamtrans.cli.shared.model_choice import FromOption, ToOption
from streamtrans.cli.shared.options import PlainOption
from streamtrans.cli.shared.progress import Pace, progress
from streamtrans.cli.shared.stderr import say
from streamtrans.errors import UsageError

if TYPE_CHECKING:
    from streamtrans.training.data.mixing import Pair


def calibrate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="en-pt, a directory, or a Hub id.")],
    data: Annotated[Path, typer.Option(metavar="FILE", help="Sentence pairs: TSV with a header, plain, .gz or .xz.")],
    source_column: Annotated[str, typer.Option(metavar="NAME", help="Column of the source.")] = "source",
    target_column: Annotated[str, typer.Option(metavar="NAME", help="Column of the target.")] = "target",
    exclude_domain: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Leave out rows whose column domain says so.")
    ] = None,
    pairs: Annotated[
        int | None, typer.Option(metavar="N", min=10, help="Pairs to draw at most: 12,000, of a chat model 200.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Write a copy, not into the model.")
    ] = None,
    source_language: FromOption = None,
    target_language: ToOption = None,
    plain: PlainOption = False,
) -> None:
    """Find what `--policy learned` and `alignatt` need in a model.

    For `learned` that is a head by which the model judges its own next word, for `alignatt` the attention heads that
    look at the word to translate. A chat model gets the heads alone, from 200 pairs.

    The weights of the model stay as they are. Ctrl-C leaves everything as it was. To make `learned` what a model does
    by itself, write "policy": {"name": "learned", "threshold": 0.05} into the section streamtrans of its config.json.

    \b
    Examples:
      streamtrans models calibrate runs/mine/best --data pairs.tsv
      streamtrans models calibrate organisation/name --data pairs.tsv.gz --pairs 20000 -o calibrated
      streamtrans models calibrate chat-model --data pairs.tsv --from en --to de
    """
    if output and output.exists():
        raise UsageError(f"{output} exists; choose another --output")
    from streamtrans.models.embedded import embedded_models
    from streamtrans.models.kinds import Kind, kind_of
    from streamtrans.models.loading import find_parts

    directory, adapter = find_parts(model)
    if adapter:
        raise UsageError(
            f"{model} is an adapter; make a model of it first: streamtrans models fuse {model} --output DIR"
        )
    if output is None and (model in embedded_models() or not Path(model).is_dir()):
        raise UsageError(f"{model} is not a directory of yours; write a calibrated copy with --output DIR")
    order = _Order(directory, data, (source_column, target_column), exclude_domain or [], output, plain)
    kind = kind_of(directory)
    if kind is Kind.FIREFOX:
        raise UsageError(f"{model} is one of Firefox's models, whose alignment is known already")
    if kind is Kind.CHAT:
        _calibrate_chat(order, source_language, target_language, pairs or CHAT_PAIRS)
    elif source_language or target_language:
        raise UsageError(f"{model} tells its languages; --from and --to are for chat models")
    else:
        _calibrate_streaming(order, pairs or PAIRS)


PAIRS, CHAT_PAIRS = 12_000, 200


@dataclass(frozen=True)
class _Order:
    """A model to calibrate, and how; output: None to write into the model."""

    directory: Path
    data: Path
    columns: tuple[str, str]
    exclude_domains: list[str]
    output: Path | None
    plain: bool

    def sample(self, languages: tuple[str, str], most: int) -> list["Pair"]:
        """Pairs of these languages, `most` at most, drawn at random; says how many there are."""
        from streamtrans.training.data.dataset import Filters
        from streamtrans.training.data.sources import sample_tsv

        filters = Filters(self.exclude_domains, languages=languages)
        chosen = sample_tsv(self.data, filters, self.columns, most)
        say(f"{len(chosen):,} pairs; dropped: {filters.summary()}")
        return chosen


def _calibrate_streaming(order: _Order, pairs: int) -> None:
    from streamtrans.models.loading import load_checkpoint
    from streamtrans.text.tokenizer import load_tokenizer
    from streamtrans.training.calibration.calibrate import calibrate_checkpoint, for_heads, write_calibrated
    from streamtrans.training.calibration.decisions import collator_for

    checkpoint = load_checkpoint(order.directory)
    settings = checkpoint.settings
    tokenizer = load_tokenizer(order.directory, settings.tokenizer, checkpoint.config)
    collator = collator_for(tokenizer, settings)
    chosen = order.sample((collator.source_language, collator.target_language), pairs)
    total = len(chosen) + len(for_heads(chosen))
    with progress("calibrating", total, shown=not order.plain) as advance:
        found = calibrate_checkpoint(checkpoint.model, collator, chosen, Pace(total, 0, advance).more)
    for line in found.lines():
        say(line)
    say(f"wrote {write_calibrated(order.directory, order.output, found)}")


def _calibrate_chat(order: _Order, source: str | None, target: str | None, pairs: int) -> None:
    from streamtrans.engine.executors.chat import ChatExecutor
    from streamtrans.engine.translator import load
    from streamtrans.text.languages import code_of
    from streamtrans.training.calibration.calibrate import write_chat_heads
    from streamtrans.training.calibration.chat_heads import find_chat_heads

    if not (source and target):
        raise UsageError(f"{order.directory} is a chat model; say the languages of the pairs with --from and --to")
    languages = code_of(source), code_of(target)
    chosen = order.sample(languages, pairs)
    executor = load(order.directory, languages=languages).executor
    assert isinstance(executor, ChatExecutor)
    with progress("calibrating", len(chosen), shown=not order.plain) as advance:
        heads, quality = find_chat_heads(executor, languages, chosen, Pace(len(chosen), 0, advance).more)
    names = ", ".join(f"{layer}.{head}" for layer, head in heads)
    say(f"AUC of where the alignment heads {names} look {quality:.3f}")
    say(f"wrote {write_chat_heads(order.directory, order.output, heads)}")
