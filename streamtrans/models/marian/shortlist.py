"""The target pieces that a source may need, by its pieces: an output layer of a thousand rows in place of 32,000.

The file is little-endian: six u64 (magic, checksum, number of pieces that are always allowed, best pieces per source
piece, offsets, entries), then the offsets (u64) of each source piece's entries, then the entries (u32).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamtrans.errors import ModelError

MAGIC = 0xF11A48D5013417F5
_HEADER = 48


@dataclass(frozen=True)
class Shortlist:
    """A lexical shortlist: `always` allowed first pieces, and `entries[offsets[s] : offsets[s + 1]]` for a piece s.

    size: pieces of the target vocabulary. shared: source pieces are target pieces too, and allowed.
    """

    always: int
    offsets: np.ndarray
    entries: np.ndarray
    size: int
    shared: bool

    def pieces(self, source: Sequence[int]) -> np.ndarray:
        """The target pieces allowed for these source pieces, in order: int64 (C,)."""
        allowed = np.zeros(self.size, bool)
        allowed[: max(1, self.always)] = True  # the end mark is the first
        for piece in set(source):
            allowed[self.entries[self.offsets[piece] : self.offsets[piece + 1]]] = True
            if self.shared:
                allowed[piece] = True
        return np.flatnonzero(allowed)


def read_shortlist(file: Path, source_pieces: int, target_pieces: int, shared: bool) -> Shortlist:
    """Reads a `lex.*.bin` for vocabularies of these sizes; ModelError that says what is wrong with it."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(f"{file}: {error.strerror}") from error
    header = np.frombuffer(data[:_HEADER].ljust(_HEADER, b"\0"), "<u8")
    magic, _, always, _, offsets, entries = (int(number) for number in header)
    if magic != MAGIC:
        raise ModelError(f"{file} is no shortlist, or one of another format")
    if len(data) != _HEADER + 8 * offsets + 4 * entries:
        raise ModelError(f"{file}: truncated or damaged: it says {offsets} offsets and {entries} entries")
    if offsets != source_pieces + 1:
        raise ModelError(f"{file} is for {offsets - 1} source pieces, the model has {source_pieces}")
    starts = np.frombuffer(data, "<u8", offsets, _HEADER).astype(np.int64)
    pieces = np.frombuffer(data, "<u4", entries, _HEADER + 8 * offsets)
    in_order = starts[0] >= 0 and starts[-1] <= entries and bool((np.diff(starts) >= 0).all())
    if not in_order or (entries and int(pieces.max()) >= target_pieces):
        raise ModelError(f"{file}: damaged: it points beyond its entries, or beyond the {target_pieces} target pieces")
    return Shortlist(min(always, target_pieces), starts, pieces, target_pieces, shared)
