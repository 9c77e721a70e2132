"""Files and directories that are written aside and then renamed, so that a kill never spoils one; no array library."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamtrans.errors import StreamtransError

_TOKENIZER_FILES = ["tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "generation_config.json"]
_CHAT_TEMPLATES = ["chat_template*"]


@contextmanager
def written_aside(directory: Path) -> Iterator[Path]:
    """A fresh directory beside the wanted one, which takes its place when the block ends well.

    Raises StreamtransError when it cannot be written (disk full, not allowed); what was there before stays.
    """
    fresh, old = directory.with_name(directory.name + ".new"), directory.with_name(directory.name + ".old")
    try:
        recover(directory)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        yield fresh
        if directory.exists():
            directory.rename(old)
        fresh.rename(directory)
        shutil.rmtree(old, ignore_errors=True)
    except (OSError, RuntimeError) as error:  # mlx raises RuntimeError where a write fails
        shutil.rmtree(fresh, ignore_errors=True)
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        there = next(parent for parent in directory.absolute().parents if parent.is_dir())
        full = full or shutil.disk_usage(there).free < 1 << 20
        reason = "the disk is full" if full else str(error)
        kept = "; the checkpoint saved before is kept" if directory.exists() else ""
        raise StreamtransError(f"{directory} could not be saved: {reason}{kept}") from error


def recover(directory: Path) -> None:
    """Puts back what a kill between the two renames of `written_aside` left beside its place, or removes what one
    after them left."""
    old = directory.with_name(directory.name + ".old")
    if directory.exists():
        shutil.rmtree(old, ignore_errors=True)
    elif old.exists():
        old.rename(directory)


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """The name of a new, empty file beside the wanted one, whose place it takes when the block ends well.

    It is made anew, so that nobody can have put a link to another file there.
    """
    fresh = file.with_name("new." + file.name)
    fresh.unlink(missing_ok=True)
    fresh.touch(exist_ok=False)
    try:
        yield fresh
        os.replace(fresh, file)
    finally:
        fresh.unlink(missing_ok=True)


def copy_tokenizer(origin: Path, to: Path) -> None:
    """Copies the tokenizer's files, and the chat template if there is one."""
    for pattern in _TOKENIZER_FILES + _CHAT_TEMPLATES:
        for file in origin.glob(pattern):
            if file.is_file() and origin != to:
                shutil.copyfile(file, to / file.name)
