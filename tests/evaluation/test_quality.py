import sys
import types

import pytest

from streamtrans.errors import DataError, UsageError
from streamtrans.evaluation import quality

HYPOTHESES = ["o gato dorme na cadeira", "ela lê um livro novo"]
REFERENCES = ["o gato dorme na cadeira", "ela está lendo um livro novo"]


def test_sacrebleus_scores_with_their_signatures():
    import sacrebleu

    bleu, chrf, ter = (quality.corpus_quality(name, HYPOTHESES, [REFERENCES]) for name in quality.QUALITY)
    assert bleu.value == sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES]).score
    assert chrf.value == sacrebleu.corpus_chrf(HYPOTHESES, [REFERENCES]).score
    assert ter.value == sacrebleu.corpus_ter(HYPOTHESES, [REFERENCES]).score
    assert bleu.signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.")
    assert "nc:6" in chrf.signature
    assert "tok:tercom" in ter.signature


def test_empty_predictions_count():
    half = quality.corpus_quality("BLEU", [HYPOTHESES[0], ""], [REFERENCES]).value
    assert 0 < half < quality.corpus_quality("BLEU", [HYPOTHESES[0], REFERENCES[1]], [REFERENCES]).value
    assert quality.corpus_quality("BLEU", ["", ""], [REFERENCES]).value == 0


def test_tokenizer_by_language():
    names = [quality.tokenizer_of(x) for x in ("pt", "de", "zh", "zh-CN", "ja", "ko", "th")]
    assert names == ["13a", "13a", "zh", "zh", "ja-mecab", "ko-mecab", "char"]
    assert quality.corpus_quality("BLEU", ["你好世界吗"], [["你好世界吗"]], "zh").value == pytest.approx(100)


@pytest.mark.parametrize(
    ("language", "prediction", "reference", "value", "signature"),
    [
        ("zh", "你好世界吗", "你好世界呢", 20, "tok:tercom|norm:yes|punct:yes|asian:yes"),
        ("ja", "猫が寝る", "猫が寝た", 25, "tok:tercom|norm:yes|punct:yes|asian:yes"),
        ("th", "กขคง", "กขคจ", 25, "tok:char|norm:no|punct:yes|asian:no"),
        ("ko", "나는 고양이를 좋아한다", "나는 개를 좋아한다", 100 / 3, "tok:tercom|norm:no|punct:yes|asian:no"),
    ],
)
def test_ter_of_languages_without_spaces_counts_characters(language, prediction, reference, value, signature):
    ter = quality.corpus_quality("TER", [prediction], [[reference]], quality.tokenizer_of(language))
    assert ter.value == pytest.approx(value)
    assert signature in ter.signature


def test_errors_are_never_a_zero():
    with pytest.raises(DataError, match="2 translations but 1 references"):
        quality.corpus_quality("BLEU", HYPOTHESES, [REFERENCES[:1]])
    with pytest.raises(DataError, match="no sentences"):
        quality.corpus_quality("BLEU", [], [[]])
    with pytest.raises(UsageError, match="no quality metric named 'METEOR'"):
        quality.corpus_quality("METEOR", HYPOTHESES, [REFERENCES])
    with pytest.raises(UsageError, match="no tokenizer named 'moses'"):
        quality.corpus_quality("BLEU", HYPOTHESES, [REFERENCES], "moses")


def test_a_tokenizer_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "MeCab", None)
    monkeypatch.delitem(sys.modules, "sacrebleu.tokenizers.tokenizer_ja_mecab", raising=False)
    with pytest.raises(UsageError, match=r"pip install 'sacrebleu\[ja\]'"):
        quality.corpus_quality("BLEU", HYPOTHESES, [REFERENCES], "ja-mecab")


def test_comet_is_asked_for_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "comet", None)
    with pytest.raises(UsageError, match="pip install unbabel-comet"):
        quality.comet(["a", "b"], HYPOTHESES, REFERENCES)
    with pytest.raises(DataError, match="1 sources but 2 translations"):
        quality.comet(["a"], HYPOTHESES, REFERENCES)


def test_comet_where_it_is_installed(monkeypatch):
    seen = {}

    class Model:
        def predict(self, data, **options):
            seen.update(options, data=data)
            return types.SimpleNamespace(system_score=0.87)

    package = types.ModuleType("comet")
    package.download_model = lambda name: f"/{name}"
    package.load_from_checkpoint = lambda path: Model()
    package.__version__ = "2.2"
    monkeypatch.setitem(sys.modules, "comet", package)
    torch = types.ModuleType("torch")
    torch.cuda = types.SimpleNamespace(is_available=lambda: False)
    monkeypatch.setitem(sys.modules, "torch", torch)
    result = quality.comet(["a", "b"], HYPOTHESES, REFERENCES)
    assert result == quality.Quality(0.87, "model:Unbabel/wmt22-comet-da|version:2.2")
    assert seen["data"][1] == {"src": "b", "mt": HYPOTHESES[1], "ref": REFERENCES[1]}

    assert seen["gpus"] == 0

    def offline(name):
        raise ConnectionError("no network")

    package.download_model = offline
    with pytest.raises(UsageError, match="COMET cannot load Unbabel/wmt22-comet-da: no network"):
        quality.comet(["a", "b"], HYPOTHESES, REFERENCES)
