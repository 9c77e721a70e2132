"""`streamtrans models get`: one of Firefox's models, or the two that lead through English, into the cache."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from streamtrans.cli.shared.options import JsonOption
from streamtrans.cli.shared.stderr import say, warn
from streamtrans.errors import StreamtransError
from streamtrans.models.marian import store
from streamtrans.models.marian.catalogue import Catalogue, Pair, Size
from streamtrans.models.marian.fetching import Advance, fetch
from streamtrans.models.routes import legs_among
from streamtrans.text.languages import pair_of

PairArgument = Annotated[
    list[str], typer.Argument(metavar="PAIR", help="en-de, or two languages: en de, English German.")
]


def get(pair: PairArgument, as_json: JsonOption = False) -> None:
    """Get one of Firefox's models, 17 to 44 MB; where none is direct, the two that lead through English.

    Files are verified, and kept where fxtranslate keeps them; what is there already is not fetched again. They come
    from Firefox's own service, which is best effort and not meant for production.

    \b
    Examples:
      streamtrans models get en-de
      streamtrans models get Spanish Russian
      streamtrans live --from en --to de        once it is here
    """
    source, target = pair_of("-".join(pair))
    try:
        catalogue = Catalogue.fetched()
    except StreamtransError as error:
        if not (legs := legs_among(store.cached_models(), source, target)):
            raise
        warn(str(error))
        got = [(leg, False) for leg in legs]
    else:
        got = [(leg, fetch(leg, catalogue, _shown, waiting)) for leg in catalogue.legs(source, target)]
    models = [_entry(leg, fetched) for leg, fetched in got]
    if as_json:
        print(json.dumps({"models": models}, indent=2, ensure_ascii=False))
        return
    for model in models:
        print(f"{model['model']} {'is in' if model['fetched'] else 'was there already:'} {model['path']}")


def waiting() -> None:
    """Says what is waited for."""
    say("another process is changing the models; waiting for it")


def _entry(leg: Pair, fetched: bool) -> dict[str, str | int | bool]:
    place = store.cache_directory() / "-".join(leg)
    return {"model": place.name, "path": str(place), "bytes": store.size_on_disk(place), "fetched": fetched}


@contextmanager
def _shown(name: str, size: Size) -> Iterator[Advance]:
    """Says how large a model is, and draws a bar of bytes on standard error where that is a terminal."""
    say(f"{name}: {store.megabytes(size.download)} to fetch, {store.megabytes(size.disk)} on the disk")
    if not (sys.stderr and sys.stderr.isatty()):
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task(name, total=size.download)
        yield lambda count: bar.advance(task, count)
