"""Reading pairs: tables, two texts, JSON lines, a Hugging Face dataset; and what is said when they cannot be used."""

import gzip
import json
import lzma
import random
import sys
import types

import pytest

from streamtrans.errors import DataError
from streamtrans.training.config import Files
from streamtrans.training.data.dataset import Filters
from streamtrans.training.data.sources import read_pairs, sample_tsv

PAIRS = [("one", "um"), ("two words", "duas palavras")]


def read(**where):
    filters = Filters()
    return read_pairs(Files(**where), filters), filters


def test_tsv_with_other_columns_and_domains(tmp_path):
    file = tmp_path / "a.tsv"
    file.write_text("domain\tpt\ten\nnews\tum\tone\nspeech\tdois\ttwo\n", encoding="utf-8")
    filters = Filters(["speech"])
    assert sample_tsv(file, filters, ("en", "pt"), 9) == [("one", "um")]
    assert filters.dropped == {"domain speech": 1}


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)])
def test_every_kind_of_file(tmp_path, suffix, pack):
    def write(name, text):
        path = tmp_path / (name + suffix)
        path.write_bytes(pack(text.encode()))
        return path

    table = write("a.tsv", "source\ttarget\n" + "".join(f"{s}\t{t}\n" for s, t in PAIRS))
    windows = write("w.tsv", "source\ttarget\r\n" + "".join(f"{s}\t{t}\r\n" for s, t in PAIRS))
    source, target = (write(n, "".join(p[i] + "\n" for p in PAIRS)) for i, n in enumerate(["s.txt", "t.txt"]))
    rows = write("a.jsonl", "".join(json.dumps({"translation": {"en": s, "pt": t}}) + "\n" for s, t in PAIRS))
    assert read(path=table)[0] == read(path=windows)[0] == PAIRS
    assert read(source_path=source, target_path=target)[0] == PAIRS
    assert read(path=rows, source_column="translation.en", target_column="translation.pt")[0] == PAIRS


def test_only_newlines_end_a_line(tmp_path):
    (tmp_path / "s").write_text("a\u2028b\x0c\nc\n", encoding="utf-8")
    (tmp_path / "t").write_text("d\ne\n", encoding="utf-8")
    assert len(read(source_path=tmp_path / "s", target_path=tmp_path / "t")[0]) == 2


def test_dataset(monkeypatch):
    asked = []

    def load_dataset(name, split):
        asked.append((name, split))
        if name == "no/such":
            raise RuntimeError("not\nfound")
        return [{"translation": {"en": s, "pt": t}} for s, t in PAIRS]

    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load_dataset))
    where = {"source_column": "translation.en", "target_column": "translation.pt"}
    assert read(dataset="a/b", split="dev", **where)[0] == PAIRS
    assert asked == [("a/b", "dev")]
    with pytest.raises(DataError, match="no/such: not found"):
        read(dataset="no/such", **where)
    with pytest.raises(DataError, match="row 0: no 'source'; there is translation"):
        read(dataset="a/b")


def test_dataset_library_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match="pip install datasets"):
        read(dataset="a/b")


def failure(tmp_path, content, name="x.tsv", **where):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read(path=path, **where)
    return str(error.value).replace(str(path), name)


def test_what_is_wrong_is_said_with_file_and_line(tmp_path):
    assert failure(tmp_path, b"en\tpt\na\tb\n") == "x.tsv:1: no column 'source'; the header has en, pt"
    assert failure(tmp_path, b"") == "x.tsv:1: no column 'source'; the header has "
    assert failure(tmp_path, b"source\ttarget\na\tb\nc\n") == "x.tsv:3: 1 columns, the header has 2"
    assert failure(tmp_path, b"source\ttarget\na\tb\n\xff\xfe\n").startswith(
        "x.tsv:3: not UTF-8 (byte 0xff at column 1)"
    )
    assert failure(tmp_path, "Füße".encode("utf-16")).startswith("x.tsv is UTF-16")
    assert "no pair left after filters; dropped 2 empty side" in failure(tmp_path, b"source\ttarget\na\t\n\tb\n")
    assert failure(tmp_path, b"not json\n", "x.jsonl").startswith("x.jsonl:1: not JSON")
    assert failure(tmp_path, b'{"source": 3, "target": "b"}\n', "x.jsonl") == "x.jsonl:1: source is not text but 3"
    assert failure(tmp_path, b'["a"]\n', "x.jsonl") == "x.jsonl:1: no 'source'; there is ['a']"
    assert failure(tmp_path, b'{"a\\nb": 1, "c": 2}\n', "x.jsonl") == "x.jsonl:1: no 'source'; there is 'a\\nb', c"
    assert "not a gzipped file" in failure(tmp_path, b"source\ttarget\n", "x.tsv.gz").lower()
    assert "input format not supported" in failure(tmp_path, b"source\ttarget\n", "x.tsv.xz").lower()
    assert "ended before" in failure(tmp_path, lzma.compress(b"source\ttarget\n" * 9)[:-9], "x.tsv.xz").lower()
    packed = bytearray(gzip.compress(b"source\ttarget\n" + random.Random(0).randbytes(999).hex().encode()))
    packed[60:80] = bytes(20)
    assert "invalid" in failure(tmp_path, bytes(packed), "x.tsv.gz").lower()
    assert "dropped 2 empty side" in failure(tmp_path, b"\xef\xbb\xbfsource\ttarget\n\n\t\n")
    with pytest.raises(DataError, match="No such file"):
        read(path=tmp_path / "none.tsv")


@pytest.mark.parametrize(("left", "right"), [(3, 2), (2, 3), (5, 0), (0, 4)])
def test_texts_with_unequal_numbers_of_lines(tmp_path, left, right):
    (tmp_path / "s").write_text("a\n" * left)
    (tmp_path / "t").write_text("b\n" * right)
    with pytest.raises(DataError, match=f"s has {left} lines, .*t has {right}; they must be parallel"):
        read(source_path=tmp_path / "s", target_path=tmp_path / "t")
