"""Reads the directory of a Firefox (Bergamot) translation model; numpy only, so that any library can compute with it.

The weights' file is little-endian: u64 version, u64 number of items; per item four u64 (length of name, type, number of
dimensions, bytes of data); then all names (NUL-terminated), all shapes (i32), one u64 with the length of the padding
that follows, then the data. Items of 8 bits end with one f32 by which the values are divided, and are stored
transposed, but for embeddings. Sizes are compared with the file's before anything is allocated.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from streamtrans.errors import ModelError

FLOAT32, INTGEMM8, TEXT = 0x404, 0x4101, 0x101
CONFIG = "special:model.yml"

_READ = {
    "type": "transformer",
    "transformer-decoder-autoreg": "rnn",
    "dec-cell": "ssru",
    "dec-cell-base-depth": "2",
    "transformer-preprocess": "",
    "transformer-postprocess": "dan",
    "transformer-ffn-activation": "relu",
    "transformer-ffn-depth": "2",
    "transformer-train-position-embeddings": "false",
    "transformer-no-projection": "false",
    "layer-normalization": "false",
    "right-left": "false",
}
"""The one kind of architecture that is read: keys of the configuration and the value that each must have, if given."""


@dataclass(frozen=True)
class MarianConfig:
    """Sizes of a model: width of its states, attention heads, width of the feed-forward, layers of either side."""

    width: int
    heads: int
    feed_forward: int
    encoder_layers: int
    decoder_layers: int


@dataclass(frozen=True)
class MarianFiles:
    """A model as read: its sizes, its weights by Marian's names, float32 (inputs, outputs), and its vocabularies.

    Biases and norms are (1, outputs). source_embedding, target_embedding: names among the weights; (pieces, width).
    source_vocabulary, target_vocabulary: SentencePiece files; one and the same where the vocabulary is shared.
    shortlist: a file for `read_shortlist`, where there is one.
    """

    config: MarianConfig
    weights: dict[str, np.ndarray]
    source_embedding: str
    target_embedding: str
    source_vocabulary: Path
    target_vocabulary: Path
    shortlist: Path | None = None

    @property
    def pieces(self) -> tuple[int, int]:
        """The sizes of the vocabularies, source's and target's, as the weights have them."""
        return len(self.weights[self.source_embedding]), len(self.weights[self.target_embedding])

    @property
    def shared(self) -> bool:
        """Whether both sides have one vocabulary."""
        return self.source_vocabulary == self.target_vocabulary

    def vocabularies(self) -> tuple[Any, Any]:
        """The SentencePiece processors of source and target, one and the same if shared.

        Raises ModelError as `load_vocabulary`.
        """
        source = load_vocabulary(self.source_vocabulary, self.pieces[0])
        return source, source if self.shared else load_vocabulary(self.target_vocabulary, self.pieces[1])


def read_marian(directory: Path) -> MarianFiles:
    """Reads a directory with `model.*.bin` and `vocab.*.spm`, or `srcvocab.*.spm` with `trgvocab.*.spm`.

    Raises ModelError that names the file and what is missing, damaged, or of another architecture.
    """
    if not directory.is_dir():
        raise ModelError(f"{directory} is not a directory; a Firefox model is one, with model.*.bin and vocab.*.spm")
    file = _only(directory, "model.*.bin")
    if file is None:
        raise ModelError(f"{directory} has no model.*.bin; the files of a Firefox model go there, unpacked (zstd -d)")
    vocabularies = [_only(directory, f"{kind}.*.spm") for kind in ("vocab", "srcvocab", "trgvocab")]
    source, target = vocabularies[1] or vocabularies[0], vocabularies[2] or vocabularies[0]
    if source is None or target is None:
        raise ModelError(f"{directory} lacks its vocabulary: vocab.*.spm, or srcvocab.*.spm with trgvocab.*.spm")
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(f"{file}: {error.strerror}") from error
    try:
        config, weights = _read_weights(data)
    except ValueError as error:
        raise ModelError(f"{file}: {error}") from error
    shared = "Wemb" in weights
    names = ("Wemb", "Wemb") if shared else ("encoder_Wemb", "decoder_Wemb")
    return MarianFiles(config, weights, *names, source, target, _only(directory, "lex.*.bin"))


def _only(directory: Path, pattern: str) -> Path | None:
    found = sorted(directory.glob(pattern))
    if len(found) > 1:
        raise ModelError(
            f"{directory} holds {found[0].name} and {found[1].name}; each model needs a directory of its own"
        )
    return found[0] if found else None


def load_vocabulary(file: Path, pieces: int) -> Any:
    """The SentencePiece processor of a vocabulary; ModelError if it is damaged, or has not the model's `pieces`."""
    import sentencepiece

    try:
        found = sentencepiece.SentencePieceProcessor(model_file=str(file))
    except (OSError, RuntimeError) as error:
        raise ModelError(f"{file}: not a SentencePiece model ({' '.join(str(error).split())})") from error
    if found.vocab_size() != pieces:
        raise ModelError(f"{file} has {found.vocab_size()} pieces, the model {pieces}; they do not belong together")
    if found.eos_id() < 0:
        raise ModelError(f"{file} has no end mark")
    return found


def _read_weights(data: bytes) -> tuple[MarianConfig, dict[str, np.ndarray]]:
    """Sizes and weights of a file; ValueError that says what is wrong."""
    items = dict(_items(data))
    if CONFIG not in items or items[CONFIG][0] != TEXT:
        raise ValueError(f"no {CONFIG} in it, which would tell the architecture")
    config = _config(bytes(items[CONFIG][2]).decode("utf-8", "replace"))
    arrays = {
        name: _array(name, *item)
        for name, item in items.items()
        if not name.startswith("special:") and not name.endswith("QuantMultA")
    }
    expected = _shapes(config, arrays)
    if missing := sorted(expected.keys() - arrays.keys()):
        raise ValueError(f"lacks {missing[0]}, which this architecture has")
    if unknown := sorted(arrays.keys() - expected.keys()):
        raise ValueError(f"has {unknown[0]}, which this architecture has not")
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} is {arrays[name].shape}, its configuration says {shape}")
    return config, arrays


def _items(data: bytes) -> Iterator[tuple[str, tuple[int, tuple[int, ...], memoryview]]]:
    """Yields each item's name, and its type, shape and bytes."""
    cursor = _Cursor(data)
    version, count = cursor.numbers("<2Q")
    if version != 1:
        raise ValueError(f"version {version} of the format, or none; only version 1 is read")
    headers = [cursor.numbers("<4Q") for _ in range(cursor.checked(count, 32))]
    names = [bytes(cursor.take(length)).rstrip(b"\0").decode("utf-8", "replace") for length, *_ in headers]
    shapes = [cursor.numbers(f"<{cursor.checked(dimensions, 4)}i") for _, _, dimensions, _ in headers]
    cursor.take(cursor.numbers("<Q")[0])
    for name, shape, (_, kind, _, length) in zip(names, shapes, headers, strict=True):
        yield name, (kind, shape, cursor.take(length))


class _Cursor:
    """A place in the bytes of a file; ValueError where more is asked for than is left."""

    def __init__(self, data: bytes):
        self.data, self.place = memoryview(data), 0

    def take(self, length: int) -> memoryview:
        self.checked(length, 1)
        self.place += length
        return self.data[self.place - length : self.place]

    def numbers(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def checked(self, count: int, size: int) -> int:
        if count * size > len(self.data) - self.place:
            raise ValueError(f"truncated or damaged: {count * size} bytes wanted at {self.place} of {len(self.data)}")
        return count


def _array(name: str, kind: int, shape: tuple[int, ...], data: memoryview) -> np.ndarray:
    """The float32 values of an item."""
    size = prod(shape)
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"{name} has the shape {shape}, not rows and columns")
    if kind not in (FLOAT32, INTGEMM8):
        raise ValueError(f"{name} is of type {kind:#x}; only float32 and int8 for intgemm are read")
    if len(data) < (4 * size if kind == FLOAT32 else size + 4):
        raise ValueError(f"{name} has {len(data)} bytes, too few for the shape {shape}")
    if kind == FLOAT32:
        values = np.frombuffer(data, "<f4", size).reshape(shape).astype(np.float32)
    else:
        (multiplier,) = struct.unpack_from("<f", data, size)
        if not 1e-30 < multiplier < float("inf"):
            raise ValueError(f"{name} is to be divided by {multiplier:g}")
        whole = np.frombuffer(data, np.int8, size)
        whole = whole.reshape(shape) if "Wemb" in name else whole.reshape(shape[::-1]).T
        values = np.divide(whole, multiplier, dtype=np.float32, order="C")
    if kind == FLOAT32 and not np.isfinite(values).all():
        raise ValueError(f"{name} holds values that are no numbers")
    return values


def _config(text: str) -> MarianConfig:
    """The sizes in a model.yml; ValueError where the architecture is another."""
    values = dict(re.findall(r"^([\w-]+): *(.*?)\s*$", text, re.MULTILINE))
    for key, wanted in _READ.items():
        if values.get(key, wanted).strip("\"'") != wanted:
            raise ValueError(f"its {key} is {values[key]}; only {wanted or 'none'} is read")

    def number(key: str) -> int:
        if not re.fullmatch(r"[1-9]\d{0,5}", values.get(key, "")):
            raise ValueError(f"its {key} is {values.get(key)!r}, not a number")
        return int(values[key])

    keys = "dim-emb", "transformer-heads", "transformer-dim-ffn", "enc-depth", "dec-depth"
    config = MarianConfig(*map(number, keys))
    if max(config.encoder_layers, config.decoder_layers) > 99:
        raise ValueError(f"its {config.encoder_layers} and {config.decoder_layers} layers are more than any model has")
    if config.width % config.heads or config.width % 2:
        raise ValueError(f"its width {config.width} cannot be shared by {config.heads} heads")
    return config


def _shapes(config: MarianConfig, arrays: dict[str, np.ndarray]) -> dict[str, tuple[int, int]]:
    """The shape of each weight that a model of this configuration has; the vocabularies' sizes are those found."""
    width, wide = config.width, config.feed_forward
    embeddings = ["Wemb"] if "Wemb" in arrays else ["encoder_Wemb", "decoder_Wemb"]
    shapes = {name: (len(arrays[name]) if name in arrays else 1, width) for name in embeddings}
    shapes["decoder_ff_logit_out_b"] = 1, shapes[embeddings[-1]][0]

    def norm(name: str) -> None:
        shapes.update({f"{name}_ln_scale": (1, width), f"{name}_ln_bias": (1, width)})

    def attention(name: str) -> None:
        for part in "qkvo":
            shapes.update({f"{name}_W{part}": (width, width), f"{name}_b{part}": (1, width)})
        norm(f"{name}_Wo")

    def feed_forward(name: str) -> None:
        shapes.update({f"{name}_W1": (width, wide), f"{name}_b1": (1, wide)})
        shapes.update({f"{name}_W2": (wide, width), f"{name}_b2": (1, width)})
        norm(f"{name}_ffn")

    for layer in range(1, config.encoder_layers + 1):
        attention(f"encoder_l{layer}_self")
        feed_forward(f"encoder_l{layer}_ffn")
    for layer in range(1, config.decoder_layers + 1):
        at = f"decoder_l{layer}"
        shapes.update({f"{at}_rnn_W": (width, width), f"{at}_rnn_Wf": (width, width), f"{at}_rnn_bf": (1, width)})
        norm(f"{at}_rnn_ffn")
        attention(f"{at}_context")
        feed_forward(f"{at}_ffn")
    return shapes
