"""From the catalogue into the cache: what is missing of a model comes, is verified, and takes its place as a whole."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streamtrans.errors import StreamtransError
from streamtrans.models.marian import store
from streamtrans.models.marian.catalogue import Catalogue, Pair
from streamtrans.models.marian.downloader import call


def get(pair: Pair, catalogue: Catalogue, advance: Callable[[int], None], wait: Callable[[], None]) -> bool:
    """Fetch what is missing of a direction into the cache; gives False where all of it is there already.

    advance: called with further bytes that have come. wait: as `store.changing`. Raises StreamtransError where it
    cannot be had, and leaves what was there before.
    """
    name, size, files = "-".join(pair), catalogue.size(pair), catalogue.files(pair)
    with store.changing(wait) as (staging, lock):
        here, coming = store.cache_directory() / name, staging / name
        if files and all(file.is_in(here) for file in files):
            return False
        free = shutil.disk_usage(staging).free
        if free < size.download + size.disk:
            raise StreamtransError(
                f"{name} needs {megabytes(size.download + size.disk)} and {staging.parent} has {megabytes(free)} free"
            )
        _take_over(here, coming)
        sizes = {file.name: file.download for file in files if not (coming / file.name).exists()}
        call("add_models", *pair, str(staging), look=_Arrival(coming, sizes, advance), lock=lock)
        if not store.is_whole(coming):
            raise StreamtransError(f"fxtranslate fetched no whole model for {name}; what came was not kept")
        store.put(coming)
    return True


def _take_over(here: Path, coming: Path) -> None:
    """Link the files that are here to where the others come; fxtranslate verifies them and fetches none twice."""
    coming.mkdir()
    for file in here.glob("[!.]*"):
        try:
            os.link(file.resolve(), coming / file.name)
        except OSError:  # another file system, or one without links
            shutil.copyfile(file, coming / file.name)


@dataclass
class _Arrival:
    """Tells how many more bytes have come into a directory; sizes: bytes to come by the name of the file."""

    directory: Path
    sizes: dict[str, int]
    advance: Callable[[int], None]
    seen: int = 0

    def __call__(self) -> None:
        now = sum(self._bytes(name) for name in self.sizes)
        self.advance(max(0, now - self.seen))
        self.seen = max(now, self.seen)

    def _bytes(self, name: str) -> int:
        if (self.directory / name).exists():
            return self.sizes[name]
        try:
            return (self.directory / f".{name}.download").stat().st_size
        except OSError:
            return 0


def megabytes(count: int) -> str:
    """Return a number of bytes as people read it: 17.1 MB."""
    return f"{count / 1e6:.1f} MB"
