"""From the catalogue into the cache: what is missing of a model comes, is verified, and takes its place as a whole."""

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from streamtrans.errors import StreamtransError
from streamtrans.models.marian import store
from streamtrans.models.marian.catalogue import Catalogue, Pair, Size
from streamtrans.models.marian.downloader import call

Advance = Callable[[int], None]
Shown = Callable[[str, Size], AbstractContextManager[Advance]]


def fetch(pair: Pair, catalogue: Catalogue, shown: Shown, wait: Callable[[], None]) -> bool:
    """Fetch what is missing of a direction into the cache; gives False where all of it is there already.

    shown: told name and size before anything comes, and gives the function that is told of further bytes. wait: as
    `store.changing`. Raises StreamtransError where it cannot be had; what was there before then still is.
    """
    name, files = "-".join(pair), catalogue.files(pair)
    with store.changing(wait) as (staging, lock):
        here, coming = store.cache_directory() / name, staging / name
        missing = [file for file in files if not file.is_in(here)]
        if files and not missing:
            return False
        size = Size.of(missing)
        _check_room(staging.parent, name, size)
        coming.mkdir()
        for file in files:
            if file not in missing:
                _link(here / file.name, coming / file.name)
        with shown(name, size) as advance:
            arrival = _Arrival(coming, {file.name: file.download for file in missing}, advance)
            call("add_models", *pair, str(staging), look=arrival, lock=lock)
        if not store.is_whole(coming):
            raise StreamtransError(f"fxtranslate fetched no whole model for {name}; what came was not kept")
        store.put(coming)
    return True


def _check_room(cache: Path, name: str, size: Size) -> None:
    needed, free = size.download + size.disk, shutil.disk_usage(cache).free
    if free < needed:
        room = f"{store.megabytes(needed)}, and {cache} has {store.megabytes(free)} left"
        raise StreamtransError(f"{name} needs {room}; make room there")


def _link(file: Path, other: Path) -> None:
    """Give a file that is here to where the others come: fxtranslate verifies it, and fetches it no second time."""
    try:
        os.link(file.resolve(), other)
    except OSError:  # another file system, or one without links
        shutil.copyfile(file, other)


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
