import json

import pytest
from sentences import CHINESE, instance, scored

from streamtrans.errors import DataError
from streamtrans.evaluation.instances import with_references
from streamtrans.evaluation.quality import corpus_quality

KEYS = (
    "run policy wait_k options sentences BLEU chrF TER AL LAAL AP DAL YAAL ATD CW CWX StartOffset EndOffset AL_CA "
    "LAAL_CA AP_CA DAL_CA YAAL_CA ATD_CA StartOffset_CA EndOffset_CA NE SWF EFSW skipped empty degenerate signature "
    "signatures"
).split()


def test_the_keys_of_a_run():
    scores = scored(name="wait-3", policy="wait-k", options={"k": 3}).as_dict()
    assert list(scores) == KEYS
    assert (scores["run"], scores["policy"], scores["wait_k"]) == ("wait-3", "wait-k", 3)
    assert scores["BLEU"] == pytest.approx(100)
    assert scores["AL_CA"] is None
    assert scores["NE"] == 0
    assert scores["signature"].startswith("nrefs:1|")
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_infinity():
    infinite = scored(instance(0, (4, 4)), policy="wait-k", options={"k": "inf"}).as_dict()
    assert infinite["wait_k"] == "inf"
    assert infinite["YAAL"] is infinite["SWF"] is None


def test_empty_and_skipped_are_counted():
    scores = scored(instance(0), instance(1, ()), instance(2, (4, 4)))
    assert (scores.sentences, scores.empty, scores.skipped) == (3, 1, 2)
    assert scores.values["StartOffset"] == 3
    assert scores.values["BLEU"] < 100
    nothing = scored(instance(0, ()))
    assert (nothing.empty, nothing.skipped, nothing.values["AL"], nothing.values["NE"]) == (1, 1, None, None)


def test_without_references_there_is_latency_alone():
    scores = scored(instance(0, reference=None))
    assert scores.values["BLEU"] is scores.as_dict()["signature"] is None
    assert scores.values["AL"] == scored(instance(0)).values["AL"]
    with pytest.raises(DataError, match="1 of 2 sentences have no reference"):
        scored(instance(0), instance(1, reference=None))
    with pytest.raises(DataError, match="COMET needs the source"):
        scored(instance(0, source=None), quality=["COMET"])


def test_several_references_are_scored_as_sacrebleu_scores_them():
    predictions = [instance(0, reference=None), instance(1, (1, 2), reference=None)]
    references = [["o gato dorme ali", "um gato"], ["um gato dorme aqui", "o gato"]]
    scores = scored(*with_references(predictions, references, "run"))
    for name in ("BLEU", "chrF", "TER"):
        assert scores.values[name] == corpus_quality(name, [i.prediction for i in predictions], references).value
    assert scores.signatures["BLEU"].startswith("nrefs:2|")
    assert scores.values["BLEU"] > scored(*with_references(predictions, references[:1], "run")).values["BLEU"]
    with pytest.raises(DataError, match="some sentences have 1 references, some 2"):
        scored(instance(0), instance(1, other_references=("o gato",)))


def test_computation_aware_and_revising():
    scores = scored(instance(0, elapsed=(2.5, 3.5, 4, 5), deleted=2))
    assert scores.values["StartOffset_CA"] == 2.5
    assert scores.values["EndOffset_CA"] == 1
    assert scores.values["NE"] == 0.5


def test_characters_are_not_scored_without_their_language():
    with pytest.raises(DataError, match="give --language zh, ja or th"):
        scored(instance(0, **CHINESE), tokenizer=None)
    assert scored(instance(0, **(CHINESE | {"reference": None})), tokenizer=None).values["AL"] > 0
    assert scored(instance(0, **CHINESE), tokenizer="zh").values["BLEU"] == pytest.approx(100)
