"""The log: what goes in comes out, others' logs are read, and every fault is named with its line."""

import json
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrans.errors import DataError, StreamtransError
from streamtrans.evaluation.instances import (
    Instance,
    append,
    read_log,
    resume,
    split,
    unit_of,
    with_references,
    write_log,
)

GOOD = {
    "index": 0,
    "prediction": "o gato dorme",
    "delays": [2, 3, 3],
    "elapsed": [2.5, 3.1, 3.2],
    "prediction_length": 3,
    "reference": "o gato dorme",
    "source": "the cat sleeps",
    "source_length": 3,
}


def log(tmp_path, *lines, **changes):
    """A log of these lines; or of one good line with changes, None taking a field away."""
    if not lines:
        lines = ({k: v for k, v in (GOOD | changes).items() if v is not None},)
    path = tmp_path / "instances.log"
    path.write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines), encoding="utf-8")
    return path


def test_reads_simuleval(tmp_path):
    (one,) = read_log(log(tmp_path))
    assert one.source == ("the", "cat", "sleeps")
    assert one.delays == (2, 3, 3)
    assert one.elapsed == (2.5, 3.1, 3.2)
    assert one.reference_length == 3
    assert (one.unit, one.source_unit, one.deleted, one.elapsed_ms) == ("word", "word", 0, None)


def test_zeros_that_simuleval_writes_for_text_are_no_times(tmp_path):
    assert read_log(log(tmp_path, elapsed=[0, 0, 0]))[0].elapsed is None


def test_delays_again_are_no_times(tmp_path):
    assert read_log(log(tmp_path, elapsed=[2, 3, 3.0]))[0].elapsed is None
    assert read_log(log(tmp_path, elapsed=[2, 3, 3.1]))[0].elapsed == (2, 3, 3.1)


def test_the_newline_that_simuleval_leaves_on_a_reference_goes(tmp_path):
    assert read_log(log(tmp_path, reference="o gato\n"))[0].reference == "o gato"
    assert read_log(log(tmp_path, reference=""))[0].reference == ""


def test_white_space_around_a_reference_goes_wherever_it_comes_from(tmp_path):
    path = tmp_path / "new.log"
    write_log(path, [one := Instance(0, ("a",), 1, "b", (1,), " o gato \n")])
    assert (one.reference, read_log(path)) == ("o gato", [one])
    assert with_references([one], [[" o gato\t"]], "new") == [one]


def test_reads_source_as_a_list_and_a_log_without_source_reference_and_index(tmp_path):
    assert read_log(log(tmp_path, source=["the", "cat", "sleeps"]))[0].source == ("the", "cat", "sleeps")
    (one,) = read_log(log(tmp_path, source=None, reference=None, index=None, elapsed=None))
    assert (one.index, one.source, one.source_length, one.reference, one.elapsed) == (0, None, 3, None, None)
    assert one.reference_length == 3
    assert read_log(log(tmp_path, source_length=None))[0].source_length == 3


def test_characters(tmp_path):
    (one,) = read_log(
        log(tmp_path, source="猫在 睡觉", source_length=4, prediction="ねこ が", reference="ねこが寝る"), unit="char"
    )
    assert one.source == ("猫", "在", "睡", "觉")
    assert one.source_text == "猫在睡觉"
    assert one.units == ["ね", "こ", "が"]
    assert one.reference_length == 5


def test_units_by_language():
    assert [unit_of(x) for x in ("pt", "pt-BR", "zh", "zh-CN", "ja", "th", "ko")] == ["word"] * 2 + ["char"] * 4 + [
        "word"
    ]
    assert split(" a  b\u00a0c ", "word") == ["a", "b", "c"]
    assert split("你 好\u3000!", "char") == ["你", "好", "!"]


def test_sorts_by_index_and_takes_references_in_that_order(tmp_path):
    path = log(tmp_path, GOOD | {"index": 7}, "", GOOD | {"index": 5})
    assert [(i.index, i.reference) for i in with_references(read_log(path), [["um", "dois"]], "a")] == [
        (5, "um"),
        (7, "dois"),
    ]


words = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=5)


@st.composite
def instances(draw, index=0):
    unit, source_unit = draw(st.sampled_from(["word", "char"])), draw(st.sampled_from(["word", "char"]))
    text = " ".join(draw(st.lists(words, max_size=6)))
    source = tuple(split(" ".join(draw(st.lists(words, min_size=1, max_size=6))), source_unit))
    n = len(split(text, unit))
    delays = tuple(sorted(draw(st.lists(st.integers(0, len(source)), min_size=n, max_size=n))))
    elapsed = draw(st.sampled_from([None, tuple(d + 0.1 for d in delays)]))
    return Instance(
        index=index,
        source=draw(st.sampled_from([source, None])),
        source_length=len(source),
        prediction=text,
        delays=delays,
        reference=draw(st.none() | words),
        elapsed=elapsed,
        elapsed_ms=None if elapsed is None else tuple(400 * e for e in elapsed),
        deleted=draw(st.integers(0, 3)),
        unit=unit,
        source_unit=source_unit,
    )


@given(instances(0), instances(1))
def test_a_written_log_reads_back(tmp_path_factory, first, second):
    path = tmp_path_factory.mktemp("log") / "instances.log"
    write_log(path, [first])
    append(path, [second])
    assert read_log(path) == [first, second]
    assert resume(path) == [first, second]


def test_our_log_has_all_fields_of_simuleval(tmp_path):
    write_log(tmp_path / "instances.log", read_log(log(tmp_path)))
    assert json.loads((tmp_path / "instances.log").read_text()).items() >= GOOD.items()


def test_resume_cuts_half_a_line(tmp_path):
    path = log(tmp_path, GOOD, GOOD | {"index": 1})
    whole = path.read_bytes()
    path.write_bytes(whole + '{"index": 2, "prediction": "não'.encode()[:-1])
    assert len(resume(path)) == 2
    assert path.read_bytes() == whole
    append(path, [read_log(path)[0]])
    assert resume(tmp_path / "none.log") == []
    path.write_bytes(b'{"ind')
    assert resume(path) == []


FAULTS = [
    pytest.param({"delays": [3, 2, 3]}, "delays fall from 3 to 2 at position 1", id="delays fall"),
    pytest.param(
        {"delays": [2, 3, 4], "elapsed": None}, "delays reach 4 but the source has a length of 3", id="exceed"
    ),
    pytest.param({"delays": [2, 3]}, "2 delays for a prediction of 3 words", id="unequal"),
    pytest.param({"delays": [-1, 2, 3]}, "delays holds -1: numbers must be finite and not negative", id="negative"),
    pytest.param({"delays": [2, "3", 3]}, "delays holds '3', which is not a number", id="string"),
    pytest.param({"delays": [True, 3, 3]}, "not a number", id="bool"),
    pytest.param({"delays": 3}, "expected a list of numbers", id="no list"),
    pytest.param({"elapsed": [2, 3]}, "elapsed has 2 values but delays has 3", id="unequal elapsed"),
    pytest.param({"elapsed": [2.5, 3.5, 3.2]}, "elapsed fall from 3.5 to 3.2", id="elapsed fall"),
    pytest.param({"elapsed": [1.5, 3.5, 4]}, "elapsed[0] is 1.5, before its delay 2", id="elapsed before delay"),
    pytest.param({"elapsed_ms": [5, 3, 9]}, "elapsed_ms fall", id="elapsed_ms fall"),
    pytest.param({"source_length": 4}, "source_length is 4 but source has 3 words", id="source length"),
    pytest.param({"source_length": -4, "source": None}, "not negative", id="negative length"),
    pytest.param({"prediction": None}, "missing prediction", id="no prediction"),
    pytest.param({"delays": None}, "missing delays", id="no delays"),
    pytest.param({"source": None, "source_length": None}, "missing source or source_length", id="no source"),
    pytest.param({"source": [1, 2, 3]}, "source must be a string or a list of words", id="source of numbers"),
    pytest.param({"prediction": 5}, "must be strings", id="prediction is a number"),
    pytest.param({"index": -1}, "index is -1", id="negative index"),
    pytest.param({"index": "a"}, "index is 'a'", id="index is a string"),
    pytest.param({"unit": "byte"}, "unit is 'byte'", id="unknown unit"),
    pytest.param({"unit": ["word"]}, "unit is ['word']", id="unit is a list"),
    pytest.param({"source_unit": ["w"]}, "source_unit ['w']", id="source_unit is a list"),
    pytest.param({"delays": None, "emission_cu": [900, 950, 1100]}, "resegmented log of OmniSTEval", id="resegmented"),
    pytest.param({"deleted": -1}, "deleted holds -1", id="negative deleted"),
    pytest.param({"prediction_length": 4}, "prediction_length is 4 but the prediction has 3", id="other length"),
    pytest.param({"delays": [1, 2, 10**400]}, "numbers must be finite", id="beyond floats"),
]


@pytest.mark.parametrize(("changes", "message"), FAULTS)
def test_faults_are_named_with_file_and_line(tmp_path, changes, message):
    bad = {k: v for k, v in (GOOD | changes).items() if v is not None}
    path = log(tmp_path, GOOD | {"index": 9}, "", bad)
    with pytest.raises(DataError) as caught:
        read_log(path)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "not JSON"),
        (json.dumps(GOOD)[:-5], "not JSON"),
        ("[1, 2]", "a JSON list"),
        (json.dumps(GOOD).replace("2.5", "NaN"), "NaN"),
        (json.dumps(GOOD).replace("2.5", "-Infinity"), "-Infinity"),
        (json.dumps(GOOD).replace("2.5", "1e999"), "finite"),
        (json.dumps(GOOD).replace("2.5", "9" * 5001), "JSON that cannot be read"),
        ("[" * 100_000, "JSON that cannot be read"),
        (json.dumps(GOOD | {"index": 9}), "index 9 again, first in line 1"),
    ],
)
def test_faulty_lines(tmp_path, line, message):
    with pytest.raises(DataError, match=r"instances\.log:2: .*") as caught:
        read_log(log(tmp_path, GOOD | {"index": 9}, line))
    assert message in str(caught.value)


def test_faulty_files(tmp_path):
    with pytest.raises(DataError, match="2 instances but 1 references"):
        with_references(read_log(log(tmp_path, GOOD, GOOD | {"index": 1})), [["um"]], "a run")
    with pytest.raises(DataError, match="no instances in it"):
        read_log(log(tmp_path, "", ""))
    with pytest.raises(DataError, match=r"none\.log: No such file"):
        read_log(tmp_path / "none.log")
    with pytest.raises(DataError, match="Is a directory"):
        resume(tmp_path)
    (tmp_path / "latin.log").write_bytes(b'{"prediction": "n\xe3o"}\n')
    with pytest.raises(DataError, match=r"latin\.log:1: not UTF-8 \(byte 0xe3 at column 18\)"):
        read_log(tmp_path / "latin.log")


def test_a_log_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = log(tmp_path)
    before, (one,) = path.read_text(), read_log(path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StreamtransError, match="No space left on device"):
        write_log(path, [one, one])
    assert path.read_text() == before
    assert os.listdir(tmp_path) == ["instances.log"]
    with pytest.raises(StreamtransError, match="cannot write"):
        write_log(path / "below" / "instances.log", [one])
    with pytest.raises(StreamtransError, match="cannot write"):
        append(tmp_path, [one])


def test_a_written_log_is_readable_by_others(tmp_path):
    path = tmp_path / "new" / "instances.log"
    umask = os.umask(0o022)
    try:
        write_log(path, read_log(log(tmp_path)))
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
