"""The work that is timed: plain sentences, and the passes of the model that their translation took."""

from collections.abc import Sequence
from dataclasses import dataclass

from streamtrans.engine.passes import Forward, Prediction, Runner
from streamtrans.engine.session import Session
from streamtrans.engine.translator import Translator
from streamtrans.policies import WaitK

K = 3
SENTENCES = (
    "The committee will meet again on Thursday to discuss the new budget for schools in the region .",
    "A man in a blue shirt is standing on a ladder and cleaning the windows of an old house .",
    "I would like to thank the rapporteur for his work and all the colleagues who have helped him .",
    "When the train finally arrived , most of the passengers had already gone home by bus or by taxi .",
    "We need to know how many people live in the city before we can decide where to build the hospital .",
    "Two children are playing with a small dog in the park while their parents are having lunch .",
    "The price of bread has gone up again , and many families say that they can no longer pay for it .",
    "She told us that the weather in the mountains changes quickly and that we should take warm clothes .",
)


LONG_SENTENCE = " ".join(sentence.removesuffix(" .") for sentence in SENTENCES).replace(" ,", ",").split()
"""Words of one endless sentence."""


@dataclass(frozen=True)
class Pass:
    """One forward pass: take back target entries, append source and target tokens, predict after the last one."""

    source: list[int]
    target: list[int]
    take_back: int


@dataclass(frozen=True)
class Recording:
    """The passes of one sentence, the prediction of each, and the number of words written."""

    passes: list[Pass]
    predicted: list[int]
    words: int


class _RecordingRunner:
    """Another runner, with all that it was asked and predicted written down."""

    def __init__(self, runner: Runner):
        self._runner = runner
        self.passes: list[Pass] = []
        self.predicted: list[int] = []

    def answer(self, requests: Sequence[Forward]) -> list[Prediction]:
        self.passes += [Pass(request.source, request.target, request.take_back) for request in requests]
        predictions = self._runner.answer(requests)
        self.predicted += [prediction.tokens[-1] for prediction in predictions]
        return predictions


def record(translator: Translator, sentence: str) -> Recording:
    """The passes that wait-k takes for a sentence; K is the k."""
    policy = WaitK(K)
    runner = _RecordingRunner(translator.executor.runner(policy))
    session = Session(translator.stream(policy, translator.executor.drafts), [runner])
    written = [event for event in session.feed_line(sentence) if event.type == "write"]
    return Recording(runner.passes, runner.predicted, len(written))


@dataclass(frozen=True)
class Depth:
    """A wait-k stream that is `words` source words in: the tokens before, and the passes of the word that comes next.

    source, target: token ids of what has been read and written; word: source tokens to read next; next_target: tokens
    of the target word, each the successor of the one before.
    """

    source: list[int]
    target: list[int]
    word: list[int]
    next_target: list[int]


def at_depth(words: int, vocabulary: int) -> Depth:
    """Words of one and two tokens in turn, as English and Portuguese have them, in any vocabulary."""
    tokens = [10 + (7919 * number) % (vocabulary - 10) for number in range(3 * words + 8)]
    source, target = words * 3 // 2, max(1, (words - K) * 3 // 2)
    return Depth(tokens[:source], tokens[-target:], tokens[:2], tokens[2:4])
