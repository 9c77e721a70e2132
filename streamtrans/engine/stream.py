"""The state machine of one stream: words and decisions, no tensors.

`Stream.run()` is a generator that reads like the algorithm. It yields `WAIT` when it needs more source and a `Forward`
when it needs the model, and is resumed with the answer. Whoever drives it, one stream at a time (`session`) or many in
lockstep (`batch`), gets the same events, because every decision is made here.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from math import inf

from streamtrans.engine.guards import loop_continuation
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies import Action, Policy, PolicyState
from streamtrans.text.tokenizer import Tokenizer
from streamtrans.text.words import TargetWords, ends_clause, ends_sentence, join

MAX_WORD_TOKENS = 48
"""A target word of more tokens than this is a loop."""

SOFT_LIMIT = 0.8
"""From this share of `max_source_words` on, a clause mark closes the segment; at the whole of it anything does."""


@dataclass(frozen=True)
class SourceWord:
    """The next source word; `last` when its sentence ends with it."""

    text: str
    last: bool = False


@dataclass(frozen=True)
class SourceEnd:
    """The sentence ended after its last word had been read."""


@dataclass(frozen=True)
class Forward:
    """One forward pass: forget everything if `fresh`, take back the last target tokens, append source, then target.

    The answer is the best next token after the last one; `banned` must not be it.
    """

    source: list[int]
    target: list[int]
    take_back: int = 0
    fresh: bool = False
    banned: int | None = None


class Wait:
    """Nothing more can be done before the next source word or its end."""


WAIT = Wait()
Request = Forward | Wait
Answer = int | SourceWord | SourceEnd | None


@dataclass(frozen=True)
class Step:
    """A word read or written, or a sentence ended; the driver adds the time."""

    type: str
    sentence: int
    index: int
    text: str
    delay: int


@dataclass
class _Segment:
    """What one cache holds: a sentence, or a part of one that is too long for the model.

    unfed_source, unfed_target: tokens chosen or read, but not yet in the cache. prediction: the best next token after
    all that is in the cache, not yet used; a READ makes it stale. last_fed: the target token it was predicted from.
    take_back: target tokens that leave the cache first.
    """

    unfed_target: list[int]
    unfed_source: list[int] = field(default_factory=list)
    fresh: bool = True
    prediction: int | None = None
    last_fed: int = -1
    take_back: int = 0
    word_tokens: int = 0


class Stream:
    """Translates one stream of sentences with one policy; `steps` collects what happened until the driver takes it."""

    def __init__(self, tokenizer: Tokenizer, settings: TranslationSettings, policy: Policy):
        self.tokenizer, self.settings, self.policy = tokenizer, settings, policy
        self._source_language = settings.source_language or ""
        self._target_language = settings.target_language or ""
        self.steps: list[Step] = []
        self.sentence = 0
        self.segmented = 0
        self._begin_sentence()

    def _begin_sentence(self) -> None:
        self.source: list[str] = []
        self.target: list[str] = []
        self._base = (0, 0)
        self._begin_segment()

    def _begin_segment(self) -> None:
        self._base = (len(self.source), len(self.target))
        self.state = PolicyState()
        self._segment = _Segment(list(self.tokenizer.start_ids))
        self._detokenizer = self.tokenizer.detokenizer()
        self._words = TargetWords(self._target_language)

    def run(self) -> Generator[Request, Answer, None]:
        """Sentence after sentence, for ever; closed by its driver."""
        while True:
            while not (yield from self._segment_done()):
                self._begin_segment()
            translation = join(self.target, self._target_language)
            self._note("end", len(self.target), translation)
            self.sentence += 1
            self._begin_sentence()

    def _segment_done(self) -> Generator[Request, Answer, bool]:
        """Translates to the end of a segment; true if the sentence ended there too."""
        sentence_ended = False
        while True:
            if not self.state.source_finished and self._must_read():
                sentence_ended = yield from self._read()
                if sentence_ended and self.state.source_read == 0:
                    return True
            elif not (yield from self._write_word()) and self.state.source_finished:
                return sentence_ended

    def _must_read(self) -> bool:
        nothing_to_say = self._segment.prediction == self.tokenizer.end_id or self._target_too_long()
        return self.state.source_read == 0 or nothing_to_say or self.policy.decide(self.state) is Action.READ

    def _read(self) -> Generator[Request, Answer, bool]:
        """Reads a word or the end of the source; true if the sentence ended."""
        item = yield WAIT
        if self._segment.prediction is not None:
            self._retract()
        if isinstance(item, SourceEnd):
            return self._finish_source()
        assert isinstance(item, SourceWord)
        language, state = self._source_language, self.state
        self._segment.unfed_source += self.tokenizer.encode_word(item.text, state.source_read == 0)
        state.source_read += 1
        if ends_sentence(item.text, language, state.source_read == 1):
            state.sentence_end = state.source_read
        if ends_clause(item.text, language):
            state.clause_end = state.source_read
        self.source.append(item.text)
        self._note("read", len(self.source) - 1, item.text)
        if item.last:
            return self._finish_source()
        if self._segment_full():
            self.segmented += 1
            self._finish_source()
        return False

    def _finish_source(self) -> bool:
        self._segment.unfed_source.append(self.tokenizer.end_id)
        self.state.source_finished = True
        return True

    def _segment_full(self) -> bool:
        limit, read = self.settings.max_source_words or inf, self.state.source_read
        return read >= limit or (read >= SOFT_LIMIT * limit and self.state.clause_end == read)

    def _write_word(self) -> Generator[Request, Answer, bool]:
        """Writes tokens until a word is complete; false if the model, or a limit, says that nothing more is to come."""
        segment, tokenizer = self._segment, self.tokenizer
        before = len(self.target)
        while len(self.target) == before:
            ended = self._target_too_long() or (yield from self._predict()) == tokenizer.end_id
            if ended:
                if self.state.source_finished:
                    self._write(self._words.feed(self._detokenizer.flush()) + self._words.flush())
                return False
            assert segment.prediction is not None
            if self._at_lookahead(segment.prediction):
                self._write(self._words.flush())  # the prediction stays for the next word
            else:
                self._accept(segment.prediction)
        return True

    def _accept(self, token: int) -> None:
        segment = self._segment
        segment.unfed_target, segment.prediction = [token], None
        segment.word_tokens += 1
        self._write(self._words.feed(self._detokenizer.push(token)))

    def _at_lookahead(self, token: int) -> bool:
        """Whether the token shows that the word before it is complete, where tokens do not say so themselves."""
        return not self.tokenizer.space_after and bool(self._words.pending) and self.tokenizer.begins_word(token)

    def _predict(self) -> Generator[Request, Answer, int]:
        """The best next token; one that would go on in a loop is replaced by the next best."""
        segment = self._segment
        if segment.prediction is None:
            segment.prediction = yield from self._forward()
            looping = self._loop_token(segment.prediction)
            if looping == segment.prediction:
                self._retract()
                segment.prediction = yield from self._forward(banned=looping)
        return segment.prediction

    def _loop_token(self, token: int) -> int | None:
        """The first token of the word that would go on in a loop, at the start of a word."""
        if self._words.pending and not self._at_lookahead(token):
            return None
        target = self.target[self._base[1] :] + ([self._words.pending] if self._words.pending else [])
        word = loop_continuation(target, self.source[self._base[0] :])
        return self.tokenizer.encode_word(word, first=False)[0] if word else None

    def _retract(self) -> None:
        """Forgets the prediction: its token was chosen before something that is known now."""
        segment = self._segment
        segment.prediction, segment.unfed_target, segment.take_back = None, [segment.last_fed], 1

    def _forward(self, banned: int | None = None) -> Generator[Request, Answer, int]:
        segment = self._segment
        request = Forward(segment.unfed_source, segment.unfed_target, segment.take_back, segment.fresh, banned)
        segment.last_fed = segment.unfed_target[-1]
        segment.unfed_source, segment.unfed_target, segment.take_back, segment.fresh = [], [], 0, False
        token = yield request
        assert isinstance(token, int)
        return token

    def _target_too_long(self) -> bool:
        most = self.settings.length_ratio * self.state.source_read + 4
        return self.state.target_written >= most or self._segment.word_tokens >= MAX_WORD_TOKENS

    def _write(self, words: list[str]) -> None:
        for word in words:
            self.target.append(word)
            self.state.target_written += 1
            self._segment.word_tokens = 0
            self._note("write", len(self.target) - 1, word)

    def _note(self, kind: str, index: int, text: str) -> None:
        self.steps.append(Step(kind, self.sentence, index, text, len(self.source)))
