"""Firefox's models on this machine: the cache that fxtranslate keeps, read and changed without it.

The cache has a directory per direction, named `en-de`. Changes are made under a lock, in a hidden directory beside the
models, which then takes its place: a reader finds a whole model or none, and a kill leaves nothing that passes for one.
"""

import fcntl
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from streamtrans.errors import ModelError, StreamtransError
from streamtrans.text.languages import HUB, tags_of

_WORK = ".streamtrans"
"""Begins the names of our own files in the cache; fxtranslate passes over hidden ones."""


def cache_directory() -> Path:
    """Return the directory that holds the models, where fxtranslate puts it; it need not exist."""
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        named = os.environ.get("XDG_CACHE_HOME", "")
        base = Path(named) if os.path.isabs(named) else Path.home() / ".cache"
    return base / "fxtranslate" / "models"


def cached_models() -> dict[tuple[str, str], Path]:
    """Find the models that are here in whole: (source, target) -> directory, sorted."""
    try:
        directories = sorted(path for path in cache_directory().iterdir() if tags_of(path.name))
    except OSError:  # no cache, or none that we may read
        return {}
    return {pair: path for path in directories if is_whole(path) and (pair := tags_of(path.name))}


def is_firefox_model(directory: Path) -> bool:
    """Tell whether a directory has the weights of a Firefox model, and is no checkpoint."""
    return os.path.isdir(directory) and any(directory.glob("model.*.bin")) and not (directory / "config.json").exists()


def is_whole(directory: Path) -> bool:
    """Tell whether a directory has weights and vocabulary; one that is still being written lacks either."""
    kinds = {file.name.split(".")[0] for file in directory.glob("*vocab.*.spm")}
    return is_firefox_model(directory) and ("vocab" in kinds or {"srcvocab", "trgvocab"} <= kinds)


def languages_of(directory: Path) -> tuple[str, str] | None:
    """Tell source and target of a Firefox model by the names of its directory and files; None where they do not.

    The directory's name is more exact where it says the same: `model.enzh.intgemm.alphas.bin` is in `en-zh-Hans`.
    """
    named = tags_of(directory.resolve().name)
    inside = next((pair for file in sorted(directory.glob("model.*.bin")) if (pair := _pair_in(file.name))), None)
    if named and inside and [code.split("-")[0] for code in named] != list(inside):
        return inside
    return named or inside


def _pair_in(file: str) -> tuple[str, str] | None:
    """The languages in a file's name: model.ende.intgemm.alphas.bin; English is one of them where one has 3 letters."""
    joined = file.split(".")[1]
    halves = re.fullmatch(rf"([a-z]{{2}})([a-z]{{2}})|({HUB})([a-z]{{3}})|([a-z]{{3}})({HUB})", joined)
    return tags_of("-".join(filter(None, halves.groups()))) if halves else None


def size_on_disk(directory: Path) -> int:
    """Sum the bytes of a directory's files; hidden ones, which are still being written, are left out."""
    try:
        return sum(file.stat().st_size for file in directory.iterdir() if not file.name.startswith("."))
    except OSError as error:
        raise ModelError(f"{directory}: {error.strerror}") from error


def megabytes(count: int) -> str:
    """Return a number of bytes as people read it: 17.1 MB."""
    return f"{count / 1e6:.1f} MB"


def remove_model(name: str, wait: Callable[[], None]) -> int:
    """Remove the model of a direction from the cache, whole or in part; gives the bytes that are free again.

    wait: as `changing`. Raises ModelError where there is none.
    """
    directory = cache_directory() / name
    if not directory.is_dir():
        here = ", ".join(path.name for path in cached_models().values())
        raise ModelError(f"{name} is not in {directory.parent}; " + (f"there are {here}" if here else "nothing is"))
    with changing(wait) as (staging, _):
        size = size_on_disk(directory)
        directory.rename(staging / name)
    return size


@contextmanager
def changing(wait: Callable[[], None]) -> Iterator[tuple[Path, int]]:
    """An empty directory inside the cache for files to come or to go, and the descriptor of the lock that is held.

    wait: called once if another process is changing the cache, which is then waited for. The directory is removed in
    the end, whatever happens; what a killed process left there is removed at the start. Raises StreamtransError where
    the cache cannot be written.
    """
    cache = cache_directory()
    staging = cache / f"{_WORK}.new"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f"{_WORK}.lock").open("w") as lock:
            _acquire(lock, wait)
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
            try:
                yield staging, lock.fileno()
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise StreamtransError(f"{error.filename or cache}: {error.strerror}; models are kept in {cache}") from error


def _acquire(lock: TextIO, wait: Callable[[], None]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        wait()
        fcntl.flock(lock, fcntl.LOCK_EX)


def put(staged: Path) -> Path:
    """Move a whole model from the directory of `changing` to its place; an older one goes the other way."""
    place = cache_directory() / staged.name
    old = staged.with_name(f"old.{staged.name}")
    if place.exists():
        place.rename(old)
    try:
        staged.rename(place)
    except OSError:
        if old.exists():
            old.rename(place)
        raise
    return place
