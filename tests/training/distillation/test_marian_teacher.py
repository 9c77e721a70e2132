"""A Firefox model as a teacher: the tokens of a plain, slow computation of one sentence, whatever the batch."""

import pytest
from firefox_models import SHAPES, vocabulary, write_model
from firefox_reference import Plain

torch = pytest.importorskip("torch", reason="the marian teacher needs torch")
torch.set_num_threads(1)  # products are tiny here, and threads that wait for one another slow

from streamtrans.errors import ModelError, UsageError  # noqa: E402
from streamtrans.training.distillation import marian  # noqa: E402
from streamtrans.training.distillation.marian import MarianTeacher  # noqa: E402
from streamtrans.training.distillation.teachers import find_teacher  # noqa: E402

SENTENCES = ["the cat sat", "a dog ran on the mat", "", "mat", "the the cat dog sat on a mat and ran", "a", "zebra!"]


@pytest.fixture(scope="module")
def vocabularies():
    return vocabulary(["the cat sat on a mat", "a dog ran"] * 20), vocabulary(["die Katze saß auf der Matte"] * 30, 50)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shared", [True, False])
def test_the_tokens_are_those_of_a_plain_computation(tmp_path, vocabularies, shape, shared, monkeypatch):
    write_model(tmp_path, shape, vocabularies[: 1 if shared else 2], seed=6)
    teacher, plain = MarianTeacher(tmp_path, "cpu"), Plain(tmp_path)
    end, unknown = teacher.target.eos_id(), teacher.target.unk_id()
    ids = [[*teacher.source.encode(sentence), end] for sentence in SENTENCES if sentence]
    together = teacher.model.translate(ids)
    limit = 2 * max(map(len, ids)) + 8
    assert together == [plain.translate(row, end, unknown, limit) for row in ids]
    assert len({tuple(row) for row in together}) > 2, "the model does look at its source"
    texts = [teacher.target.decode(row) for row in together]
    monkeypatch.setattr(teacher, "_batch_tokens", 10_000)
    assert [text for text in teacher(SENTENCES) if text] == [text for text in texts if text]
    assert teacher(SENTENCES)[2] == ""


def test_batches_hold_every_sentence_once_and_like_lengths(tmp_path, vocabularies, monkeypatch):
    write_model(tmp_path, "tiny", vocabularies[:1])
    teacher = MarianTeacher(tmp_path, "cpu")
    monkeypatch.setattr(teacher, "_batch_tokens", 20)
    lengths = [3, 9, 1, 30, 4, 4, 2, 9]
    batches = list(teacher._batches(lengths))
    assert sorted(i for batch in batches for i in batch) == list(range(8))
    assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 20 for batch in batches)
    assert max(lengths[i] for i in batches[0]) <= min(lengths[i] for i in batches[-1])


def test_a_batch_without_memory_is_halved(tmp_path, vocabularies, monkeypatch):
    write_model(tmp_path, "tiny", vocabularies[:1])
    teacher = MarianTeacher(tmp_path, "cpu")
    whole, sizes, translate = teacher(SENTENCES), [], teacher.model.translate

    def small(ids):
        sizes.append(len(ids))
        if len(ids) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return translate(ids)

    monkeypatch.setattr(teacher.model, "translate", small)
    most = 2
    assert [bool(text) for text in teacher(SENTENCES)] == [bool(text) for text in whole]
    assert max(sizes) > 2 >= min(sizes)
    most = 0
    with pytest.raises(UsageError, match="cpu has no memory for a single sentence; try --device cpu"):
        teacher(SENTENCES)


def test_by_name_and_what_is_wrong(tmp_path, vocabularies):
    write_model(tmp_path, "tiny", vocabularies[:1])
    found = find_teacher(f"marian:{tmp_path}", "en", "de", "cpu")
    assert found.title == ["marian", str(tmp_path)]
    assert (found.side_by_side, found.chunk) == (False, marian.CHUNK["cpu"])
    assert len(found.translate(["the cat", ""])) == 2
    with pytest.raises(UsageError, match="device is 'gpu'; it must be auto, cpu, cuda, cuda:1 or mps"):
        find_teacher(f"marian:{tmp_path}", "en", "de", "gpu")
    with pytest.raises(ModelError, match="nowhere is not a directory"):
        find_teacher("marian:nowhere", "en", "de", "cpu")
