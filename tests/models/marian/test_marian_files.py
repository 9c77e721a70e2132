"""The files of Firefox's models: read right, or refused in one line that names what differs."""

import struct

import numpy as np
import pytest
from firefox_models import CONFIG, SHAPES, vocabulary, write_items, write_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamtrans.errors import ModelError
from streamtrans.models.marian.files import load_vocabulary, read_marian

MODEL = "model.ende.intgemm.alphas.bin"


@pytest.fixture(scope="module")
def vocabularies():
    return vocabulary(["the cat sat on a mat", "a dog ran"] * 20), vocabulary(["die Katze saß auf der Matte"] * 30, 50)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shared", [True, False])
def test_sizes_weights_and_vocabularies(tmp_path, vocabularies, shape, shared):
    meant = write_model(tmp_path, shape, vocabularies[: 1 if shared else 2])
    found = read_marian(tmp_path)
    config = found.config
    sizes = config.width, config.heads, config.feed_forward, config.encoder_layers, config.decoder_layers
    assert sizes == SHAPES[shape]
    assert found.weights.keys() == meant.keys()
    for name, values in meant.items():
        np.testing.assert_allclose(found.weights[name], values, rtol=1e-6, err_msg=name)
        assert found.weights[name].flags.c_contiguous
    names = [file.name for file in (found.source_vocabulary, found.target_vocabulary)]
    assert names == (["vocab.ende.spm"] * 2 if shared else ["srcvocab.ende.spm", "trgvocab.ende.spm"])
    for name, file in (
        (found.source_embedding, found.source_vocabulary),
        (found.target_embedding, found.target_vocabulary),
    ):
        load_vocabulary(file, len(found.weights[name]))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("type: transformer\n", "type: s2s\n", "its type is s2s; only transformer is read"),
        ("dec-cell: ssru", "dec-cell: gru", "its dec-cell is gru; only ssru is read"),
        ('preprocess: ""', "preprocess: n", "its transformer-preprocess is n; only none is read"),
        ("postprocess: dan", "postprocess: da", "its transformer-postprocess is da; only dan is read"),
        ("autoreg: rnn", "autoreg: self-attention", "autoreg is self-attention; only rnn is read"),
        ("activation: relu", "activation: swish", "its transformer-ffn-activation is swish; only relu is read"),
        ("heads: {1}", "heads: 5", "its width 16 cannot be shared by 5 heads"),
        ("heads: {1}", "heads: many", "its transformer-heads is 'many', not a number"),
        ("enc-depth: {3}", "enc-depth: 2", "has encoder_l3_ffn_W1, which this architecture has not"),
        ("enc-depth: {3}", "enc-depth: 4", "lacks encoder_l4_ffn_W1, which this architecture has"),
        ("enc-depth: {3}", "enc-depth: 99999", "layers are more than any model has"),
        ("dim-emb: {0}", "", "its dim-emb is None, not a number"),
        ("dim-ffn: {2}", "dim-ffn: 50", "is (16, 48), its configuration says (16, 50)"),
    ],
)
def test_another_architecture_is_named(tmp_path, vocabularies, before, after, told):
    assert before in CONFIG
    write_model(tmp_path, "tiny", vocabularies[:1], config=CONFIG.replace(before, after))
    refused(tmp_path, told)


def refused(directory, told):
    with pytest.raises(ModelError) as error:
        read_marian(directory)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_missing_is_named(tmp_path, vocabularies):
    refused(tmp_path / "none", "none is not a directory; a Firefox model is one, with model.*.bin")
    refused(tmp_path, "has no model.*.bin; the files of a Firefox model go there, unpacked")
    write_model(tmp_path, "tiny", vocabularies)
    (tmp_path / "trgvocab.ende.spm").unlink()
    refused(tmp_path, "lacks its vocabulary: vocab.*.spm, or srcvocab.*.spm with trgvocab.*.spm")
    (tmp_path / "trgvocab.ende.spm").write_bytes(b"none")
    with pytest.raises(ModelError, match="not a SentencePiece model"):
        load_vocabulary(read_marian(tmp_path).target_vocabulary, 50)
    with pytest.raises(ModelError, match=r"srcvocab.ende.spm has \d+ pieces, the model 7; they do not belong together"):
        load_vocabulary(tmp_path / "srcvocab.ende.spm", 7)
    (tmp_path / "model.deen.bin").write_bytes(b"")
    refused(tmp_path, "holds model.deen.bin and model.ende.intgemm.alphas.bin; each model needs a directory of its own")


def item(name="Wemb", kind=0x4101, shape=(2, 3), data=bytes(6) + struct.pack("<f", 2.0)):
    return name, kind, shape, data


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "truncated or damaged: 16 bytes wanted at 0 of 0"),
        (struct.pack("<QQ", 2, 0), "version 2 of the format, or none; only version 1 is read"),
        (struct.pack("<QQ", 1, 1 << 63), "truncated or damaged"),
        (struct.pack("<QQ", 1, 0) + bytes(8), "no special:model.yml in it"),
        (struct.pack("<QQQQQQ", 1, 1, 0, 0, 1 << 62, 0) + bytes(8), "truncated or damaged"),
        (write_items([item("special:model.yml", 0x404, (1, 1), bytes(4))]), "no special:model.yml in it"),
    ],
)
def test_damage_is_named_before_anything_is_allocated(tmp_path, vocabularies, data, told):
    (tmp_path / "vocab.ende.spm").write_bytes(vocabularies[0])
    (tmp_path / MODEL).write_bytes(data)
    refused(tmp_path, told)


@pytest.mark.parametrize(
    ("damaged", "told"),
    [
        (item(kind=0x808), "Wemb is of type 0x808; only float32 and int8 for intgemm are read"),
        (item(shape=(1 << 30, 1 << 30)), "Wemb has 10 bytes, too few for the shape"),
        (item(shape=(-2, 3)), "Wemb has the shape (-2, 3), not rows and columns"),
        (item(shape=(6,)), "Wemb has the shape (6,), not rows and columns"),
        (item(data=bytes(6) + struct.pack("<f", 0.0)), "Wemb is to be divided by 0"),
        (item(data=bytes(6) + struct.pack("<f", float("nan"))), "Wemb is to be divided by nan"),
        (item(kind=0x404, data=b"\xff" * 24), "Wemb holds values that are no numbers"),
    ],
)
def test_a_damaged_item_is_named(tmp_path, vocabularies, damaged, told):
    (tmp_path / "vocab.ende.spm").write_bytes(vocabularies[0])
    about = CONFIG.format(*SHAPES["tiny"], 2, 2, "true").encode() + b"\0"
    (tmp_path / MODEL).write_bytes(write_items([damaged, item("special:model.yml", 0x101, (len(about),), about)]))
    refused(tmp_path, told)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, vocabularies):
    directory = tmp_path_factory.mktemp("whole")
    write_model(directory, "tiny", vocabularies[:1])
    return directory, (directory / MODEL).read_bytes()


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_files_are_read_or_refused(whole, data):
    directory, sound = whole
    header = int.from_bytes(sound[8:16], "little") * 32 + 2600
    places = st.one_of(st.integers(0, header), st.integers(0, len(sound) - 1))
    damaged = bytearray(sound[: data.draw(st.one_of(st.just(len(sound)), places))])
    for place, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=4)):
        if place < len(damaged):
            damaged[place] = byte
    (directory / MODEL).write_bytes(damaged)
    told, weights = "", {}
    try:
        weights = read_marian(directory).weights
    except ModelError as error:
        told = str(error)
    assert "\n" not in told
    assert all(np.isfinite(values).all() for values in weights.values())
