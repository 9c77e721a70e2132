"""Sentence pairs from where they are: a table, two texts, JSON lines, or a Hugging Face dataset."""

import gzip
import json
import lzma
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from streamtrans.errors import DataError
from streamtrans.files import decoded
from streamtrans.training.data.dataset import Filters, Pair

if TYPE_CHECKING:
    from streamtrans.training.config import Files

Record = tuple[str, str, str]
"""Source, target, and the domain or ""."""


def read_pairs(files: "Files", filters: Filters) -> list[Pair]:
    """The pairs that the filters keep, in order.

    Raises DataError with file and line for what cannot be read, and when no pair is left.
    """
    if files.source_path and files.target_path:
        where, rows = f"{files.source_path}", _texts(files.source_path, files.target_path)
    elif files.dataset:
        where, rows = files.dataset, _dataset(files)
    else:
        assert files.path is not None
        where = f"{files.path}"
        table = _jsonl if ".jsonl" in files.path.suffixes else _tsv
        rows = table(files.path, files.source_column, files.target_column)
    return _kept(rows, filters, where)


def sample_tsv(path: str | Path, filters: Filters, columns: tuple[str, str], most: int, seed: int = 0) -> list[Pair]:
    """Pairs of at most `most` rows of a tab-separated file, drawn at random before the filters.

    columns: the names, in its header, of source and target; a column `domain` is used by the filters. Raises DataError
    with file and line as `columns_of`.
    """
    rng = np.random.default_rng(seed)
    drawn: list[Record] = []
    for number, row in enumerate(_tsv(path, *columns)):  # reservoir sampling: a table need not fit into memory
        if len(drawn) < most:
            drawn.append(row)
        elif (place := int(rng.random() * (number + 1))) < most:
            drawn[place] = row
    return _kept(iter(drawn), filters, str(path))


def _kept(rows: Iterator[Record], filters: Filters, where: str) -> list[Pair]:
    pairs = []
    for source, target, domain in rows:
        pair = source.strip(), target.strip()
        if filters.keep(*pair, domain):
            pairs.append(pair)
    if not pairs:
        raise DataError(f"{where}: no pair left after filters; dropped {filters.summary()}")
    return pairs


def lines_of(path: str | Path) -> Iterator[str]:
    """The lines of a text, plain, .gz or .xz, as `decoded`; DataError too where it cannot be read or unpacked."""
    try:
        with open_packed(path, "rb") as lines:
            yield from decoded(lines, str(path))
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def open_packed(path: str | Path, mode: str) -> IO[Any]:
    """A file by its name: .gz and .xz are unpacked or packed; mode: "rb", or "wt" for UTF-8."""
    kinds: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}
    return cast(IO[Any], kinds.get(Path(path).suffix, open)(path, mode, encoding=None if "b" in mode else "utf-8"))


def columns_of(path: str | Path, names: Sequence[str], optional: Sequence[str] = ()) -> Iterator[list[str]]:
    """The cells of each row of a tab-separated file with a header that stand in the named columns.

    optional: further columns, "" where there is none. A blank line is a row of empty cells. Raises DataError as
    `lines_of`, for a column that is missing and for a row of another width.
    """
    lines = lines_of(path)
    header = next(lines, "").split("\t")
    if missing := [name for name in names if name not in header]:
        raise DataError(f"{path}:1: no column {missing[0]!r}; the header has {', '.join(header)}")
    places = [header.index(name) if name in header else None for name in (*names, *optional)]
    for number, line in enumerate(lines, 2):
        cells = line.split("\t") if line else [""] * len(header)
        if len(cells) != len(header):
            raise DataError(f"{path}:{number}: {len(cells)} columns, the header has {len(header)}")
        yield ["" if place is None else cells[place] for place in places]


def _tsv(path: str | Path, source: str, target: str) -> Iterator[Record]:
    return ((row[0], row[1], row[2]) for row in columns_of(path, [source, target], ["domain"]))


def _texts(source: Path, target: Path) -> Iterator[Record]:
    sources, targets = lines_of(source), lines_of(target)
    count = 0
    for count, line in enumerate(sources, 1):
        other = next(targets, None)
        if other is None:
            rest = 1 + sum(1 for _ in sources)
            raise DataError(f"{source} has {count - 1 + rest} lines, {target} has {count - 1}; they must be parallel")
        yield line, other, ""
    if rest := sum(1 for _ in targets):
        raise DataError(f"{source} has {count} lines, {target} has {count + rest}; they must be parallel")


def _jsonl(path: str | Path, source: str, target: str) -> Iterator[Record]:
    for number, line in enumerate(lines_of(path), 1):
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{where}: not JSON ({error})") from error
        yield _text(row, source, where), _text(row, target, where), str(row.get("domain", ""))


def _dataset(files: "Files") -> Iterator[Record]:
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise DataError(f"{files.dataset}: reading it needs: pip install datasets") from error
    try:
        rows = load_dataset(files.dataset, split=files.split)
    except Exception as error:  # the library raises dozens of kinds, and the user can do the same about all of them
        raise DataError(f"{files.dataset}: {' '.join(str(error).split())[:300]}") from error
    for number, row in enumerate(rows):
        where = f"{files.dataset}, row {number}"
        yield _text(row, files.source_column, where), _text(row, files.target_column, where), ""


def _text(row: Any, column: str, where: str) -> str:
    """The string at a dotted name inside a row."""
    value = row
    for name in column.split("."):
        if not isinstance(value, dict) or name not in value:
            names = (
                [key if key.isprintable() else repr(key) for key in value] if isinstance(value, dict) else [repr(value)]
            )
            known = ", ".join(names)
            raise DataError(f"{where}: no {column!r}; there is {known}")
        value = value[name]
    if not isinstance(value, str):
        raise DataError(f"{where}: {column} is not text but {value!r}")
    return value
