"""A Firefox model as an executor: whenever the source grows it is encoded anew, and the written target read again.

These models translate whole sentences; forcing the written target makes a stream of them, which takes nothing back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from streamtrans.engine.executors.instruments import ChoiceInstrument, Instrument, Readings
from streamtrans.engine.executors.single import predict
from streamtrans.engine.passes import Evidence as PassEvidence
from streamtrans.engine.passes import Forward, Prediction, Runner, StartGroup
from streamtrans.errors import UsageError
from streamtrans.models.marian.files import read_marian
from streamtrans.models.marian.model import LONGEST, NO_SCORE, MarianModel, Memory, at_places, by_owner, gathered
from streamtrans.models.marian.shortlist import Shortlist, read_shortlist
from streamtrans.models.qwen2_streaming.attention_recorder import Heads, Recorded
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies import Policy
from streamtrans.policies.base import Attention, Continuation, Evidence, NextToken, Regret, Revision, glance_of
from streamtrans.runtime import blas_threads, mx
from streamtrans.text.paired_tokenizer import PairedTokenizer
from streamtrans.text.words import is_unspaced

POLICY = {"name": "agree", "agree": 2, "hold": 2, "horizon": 6, "certain": 0.97}
"""The policy that loses least at a lag of four words."""

CHARACTERS_POLICY = {"name": "agree", "agree": 2, "hold": 2, "horizon": 16}
"""The same in about twice as many target words where these are characters; not measured."""

THREADS = 1
"""For the products of a single stream: an encoder's are large enough to share."""


@dataclass(frozen=True)
class MarianExecutor:
    """Computes with a Firefox model; shortlist: the pieces that a source may need, None for all."""

    model: MarianModel
    tokenizer: PairedTokenizer
    shortlist: Shortlist | None = None
    drafts = float("inf")

    @property
    def parameters(self) -> int:
        """The numbers that the model has learned."""
        shared = self.model.source is self.model.target
        arrays = [*self.model.w.values(), self.model.target] + [self.model.source] * (not shared)
        return sum(array.size for array in arrays)

    def runner(self, policy: Policy) -> Runner:
        """The runner of one stream; UsageError for a policy that needs a calibrated checkpoint."""
        _check(policy)
        return MarianRunner(self, policy.evidence, [None], THREADS)

    def pool(self, policy: Policy) -> "MarianPool":
        """The maker of passes that several live streams share; UsageError as `runner`."""
        _check(policy)
        return MarianPool(self, policy.evidence)

    def start_group(self, policy: Policy) -> StartGroup:
        """The maker of runners for many streams; UsageError as `runner`."""
        _check(policy)
        return partial(MarianRunner, self, policy.evidence)

    @cached_property
    def biases(self) -> np.ndarray:
        """The output layer's biases, float32 (pieces,); the unknown piece is never written."""
        found = np.array(self.model.w["decoder_ff_logit_out_b"].astype(mx.float32))
        if (unknown := self.tokenizer.unknown_id) is not None:
            found[unknown] = NO_SCORE
        return found

    def allowed(self, source: Sequence[int]) -> np.ndarray:
        """The target pieces that may follow with these source tokens, in order: int64 (C,)."""
        return self.shortlist.pieces(source) if self.shortlist else np.arange(self.tokenizer.vocab_size)


def load_marian(directory: Path, source: str = "", target: str = "") -> tuple[MarianExecutor, TranslationSettings]:
    """The executor of a directory with a Firefox model between these languages, and the settings for it.

    Raises ModelError for files that are missing, damaged, or do not belong together.
    """
    files = read_marian(directory)
    shortlist = read_shortlist(files.shortlist, *files.pieces, files.shared) if files.shortlist else None
    tokenizer = PairedTokenizer(*files.vocabularies(), source, target)
    policy = dict(CHARACTERS_POLICY if is_unspaced(target) else POLICY)
    settings = replace(TranslationSettings.between(source, target), policy=policy)
    return MarianExecutor(MarianModel(files), tokenizer, shortlist), settings


def _check(policy: Policy) -> None:
    if isinstance(glance_of(policy.evidence), Regret):
        raise UsageError(f"policy {policy.name} needs a calibrated checkpoint; take agree or wait-k")


class _Output:
    """The output layer, of the pieces that a source may need.

    pieces: int64 (C,). bias: float32 (C,), `NO_SCORE` for pieces that the source so far does not need.
    """

    def __init__(self, executor: MarianExecutor, pieces: np.ndarray):
        self.pieces = pieces
        self.weights = executor.model.target[mx.array(pieces)].T
        self.bias = self._biases = executor.biases[pieces]

    def narrow(self, pieces: np.ndarray) -> bool:
        """Bans all other pieces; false if some of these are not here."""
        places = np.searchsorted(self.pieces, pieces)
        if places[-1] >= len(self.pieces) or (self.pieces[places] != pieces).any():
            return False
        self.bias = np.full_like(self._biases, NO_SCORE)
        self.bias[places] = self._biases[places]
        return True

    def place(self, piece: int | None) -> int | None:
        """The column of a piece."""
        return None if piece is None else int(np.searchsorted(self.pieces, piece))


@dataclass
class _Row:
    """One stream: its tokens, its source as encoded, and the cells of each layer after each target token.

    origins: for each encoded token the first source token that it stands for. memory, cells: a result of a whole
    batch, and the places in it.
    """

    output: _Output | None = None
    source: list[int] = field(default_factory=list)
    target: list[int] = field(default_factory=list)
    encoded: list[int] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    memory: tuple[Memory, int] | None = None
    cells: list[tuple[list[mx.array], int]] = field(default_factory=list)

    def restart(self) -> None:
        """Begins another segment."""
        self.source, self.target, self.encoded, self.cells = [], [], [], []

    def forget(self, target_tokens: int) -> None:
        """Takes back the last tokens of the target."""
        if target_tokens:
            del self.target[-target_tokens:], self.cells[-target_tokens:]


class MarianRunner:
    """Makes the passes of streams that go in step, or of one."""

    def __init__(
        self, executor: MarianExecutor, evidence: Evidence, sources: Sequence[Sequence[int] | None], threads: int = 1
    ):
        """sources: all tokens of each stream's segment, None where it is not known. threads: of a matrix product."""
        self._executor, self._model, self._evidence = executor, executor.model, evidence
        self._threads = threads
        self._shows_end = isinstance(evidence, Continuation | Revision | Attention)
        self._rows = [_Row(self._output(source) if source else None) for source in sources]

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, in this order."""
        self._rows = [self._rows[row] for row in rows]

    def answer(self, requests: Sequence[Forward]) -> list[Prediction]:
        """The predictions for one request of each row."""
        return self.answer_rows(self._rows, requests)

    def answer_rows(self, streams: Sequence[_Row], requests: Sequence[Forward]) -> list[Prediction]:
        """The predictions for one request of each; those whose source has grown have a pass of their own."""
        answers: dict[int, Prediction] = {}
        for row, request in zip(streams, requests, strict=True):
            if request.fresh:
                row.restart()
            row.forget(request.take_back)
            row.source += request.source
        grown = [number for number, request in enumerate(requests) if request.source]
        others = [number for number, request in enumerate(requests) if not request.source]
        with blas_threads(self._threads):
            for numbers in filter(None, (grown, others)):
                rows, asked = [streams[n] for n in numbers], [requests[n] for n in numbers]
                if numbers is grown:
                    self._encode(rows)
                answers |= zip(numbers, self._decode(rows, asked), strict=True)
        return [answers[number] for number in range(len(requests))]

    def _encode(self, rows: Sequence[_Row]) -> None:
        """Encodes sources anew if they have changed, after which the cells have all of the target to read.

        At the end of a source that is not finished stands the end mark, as if it were, for policies that compare
        translations of what there is; nothing, for policies that write on.
        """
        tokenizer, changed = self._executor.tokenizer, []
        for row in rows:
            finished = row.source[-1] == tokenizer.end_id
            encoded, row.origins = tokenizer.joined(row.source[:-1] if finished else row.source)
            if finished or self._shows_end or not encoded:
                encoded.append(tokenizer.end_id)
                row.origins.append(len(row.source) - finished)
            if encoded != row.encoded:  # else the source has ended where it was taken to end
                row.encoded = encoded
                changed.append(row)
        if not changed:
            return
        for row in changed:
            allowed = self._executor.allowed(row.encoded)
            if row.output is None or not row.output.narrow(allowed):
                row.output = _Output(self._executor, allowed)
        lengths = np.array([len(row.encoded) for row in changed])
        ids = np.array([row.encoded + [0] * (max(lengths) - len(row.encoded)) for row in changed])
        memory = self._model.encode(ids[:, :LONGEST], np.minimum(lengths, LONGEST))
        for number, row in enumerate(changed):
            row.memory, row.cells = (memory, number), []

    def _output(self, source: Sequence[int]) -> _Output:
        joined, _ = self._executor.tokenizer.joined(list(source))
        return _Output(self._executor, self._executor.allowed([*joined, self._executor.tokenizer.end_id]))

    def _decode(self, rows: Sequence[_Row], requests: Sequence[Forward]) -> list[Prediction]:
        """Feeds each row the target tokens that its cells lack, and predicts after the last ones."""
        for row, request in zip(rows, requests, strict=True):
            row.target += request.target
        begins = np.array([len(row.cells) for row in rows])
        fed = [row.target[begin:] for row, begin in zip(rows, begins, strict=True)]
        lengths = np.array(list(map(len, fed)))
        width = int(lengths.max())
        ids = np.array([[0] * (width - len(tokens)) + tokens for tokens in fed])
        columns = np.arange(width) - (width - lengths)[:, None]
        positions = np.clip(columns + begins[:, None], 0, LONGEST - 1)
        memory = gathered([row.memory for row in rows if row.memory])
        states, after, query = self._model.decode(ids, columns >= 0, positions, self._cells(rows), memory)
        after = [layer.reshape(-1, layer.shape[-1]) for layer in after]
        for number, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            end = (number + 1) * width
            row.cells += [(after, place) for place in range(end - int(length), end)]
        most = max(request.rows for request in requests)
        instrument = self._instrument(query[:, :, -most:], memory)
        return self._choose(rows, requests, states[:, -most:], instrument)

    def _cells(self, rows: Sequence[_Row]) -> list[mx.array]:
        """The cells of each layer after the last token of each row, (B, width)."""
        config = self._model.config
        if not all(row.cells for row in rows):
            return [mx.zeros((len(rows), config.width), self._model.dtype)] * config.decoder_layers
        owners, order = by_owner([row.cells[-1] for row in rows])
        layers = range(config.decoder_layers)
        return [at_places([cells[layer][places] for cells, places in owners], order) for layer in layers]

    def _choose(
        self, rows: Sequence[_Row], requests: Sequence[Forward], states: mx.array, instrument: Instrument | None
    ) -> list[Prediction]:
        """The best pieces after states (B, R, width)."""
        outputs = [row.output for row in rows if row.output]
        widest = max(len(output.pieces) for output in outputs)
        biases = np.full((len(rows), 1, widest), NO_SCORE, np.float32)
        scores = []
        for number, output in enumerate(outputs):
            size = len(output.pieces)
            biases[number, 0, :size] = output.bias
            found = states[number] @ output.weights
            scores.append(mx.pad(found, [(0, 0), (0, widest - size)]) if size < widest else found)
        logits = mx.stack(scores) + mx.array(biases, states.dtype)
        asked = [replace(r, banned=output.place(r.banned)) for r, output in zip(requests, outputs, strict=True)]
        predictions = predict(asked, states, logits, instrument)
        return [
            Prediction([int(output.pieces[token]) for token in prediction.tokens], self._told(row, prediction))
            for row, output, prediction in zip(rows, outputs, predictions, strict=True)
        ]

    def _instrument(self, query: mx.array, memory: Memory) -> Instrument | None:
        match glance_of(self._evidence):
            case NextToken():
                return ChoiceInstrument()
            case Attention():
                return _Alignment(self._model.attention(query, memory))
        return None

    def _told(self, row: _Row, prediction: Prediction) -> list[PassEvidence]:
        """The evidence, in which the attended token is one of the stream's."""
        if not isinstance(glance_of(self._evidence), Attention):
            return prediction.evidence
        return [{"attended": row.origins[int(evidence["attended"])]} for evidence in prediction.evidence]


class MarianPool:
    """Makes the passes of live streams that come and go."""

    def __init__(self, executor: MarianExecutor, evidence: Evidence):
        self._runner = MarianRunner(executor, evidence, [])

    def memory(self) -> _Row:
        """The memory of a new stream."""
        return _Row()

    def answer(self, memories: Sequence[_Row], requests: Sequence[Forward]) -> list[Prediction]:
        """The predictions for one request of each stream."""
        return self._runner.answer_rows(memories, requests)


@dataclass(frozen=True)
class _Alignment:
    """Finds the source token that the decoder's last layer looks at most; it was trained to align.

    weights: (B, heads, R, S).
    """

    weights: mx.array
    heads: Heads = ()

    def read(self, hidden: mx.array, logits: mx.array, recorder: Recorded | None) -> Readings:
        """`attended`."""
        return {"attended": self.weights[:, 0].argmax(axis=-1).reshape(-1)}
