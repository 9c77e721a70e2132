"""Made-up sentences and runs for tests of scores and folders."""

from streamtrans.evaluation.instances import Instance
from streamtrans.evaluation.run_folder import RunFolder
from streamtrans.evaluation.runs import About, Run
from streamtrans.evaluation.scores import Scores

CHINESE = {"prediction": "你好世界吗", "delays": (1, 2, 3, 4, 4), "reference": "你好世界吗", "unit": "char"}


def instance(index, delays=(2, 3, 3, 4), reference="o gato dorme aqui", **changes):
    """Four words that are as their reference has them, or the first of them."""
    prediction = " ".join("o gato dorme aqui".split()[: len(delays)])
    fields = {"index": index, "source": tuple("abcd"), "source_length": 4, "prediction": prediction}
    return Instance(**(fields | {"delays": tuple(delays), "reference": reference} | changes))


def scored(*instances, name="run", quality=("BLEU", "chrF", "TER"), **about):
    """The scores of a run of these instances, or of one of them."""
    return Scores.of(Run(About(name, **about), list(instances or [instance(0)])), quality)


def save(path, run, configuration=None):
    """A finished folder of a run; gives its scores."""
    folder, scores = RunFolder(path), Scores.of(run)
    folder.begin(configuration or {})
    folder.add(*run.instances)
    folder.finish(run, scores)
    return scores
