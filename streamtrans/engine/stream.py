"""The state machine of one stream: words and decisions, no tensors.

`Stream.run()` is a generator that reads like the algorithm. It yields `WAIT` when it needs more source and a `Forward`
when it needs the model, and is resumed with the answer. Whoever drives it, one stream at a time (`session`) or many in
lockstep (`batch`), gets the same events, because every decision is made here.

What the model predicts is a draft until it is written. A READ makes a draft stale: its first token was chosen before
the new word was known, so the last written token is fed again, now with the new source in sight. Policies that only
count need a draft of one token; those that compare continuations keep the whole of it, and one pass with the new source
verifies it, as in speculative decoding.
"""

from bisect import bisect_right
from collections.abc import Generator
from math import inf

from streamtrans.engine.draft import Draft, word_ends
from streamtrans.engine.events import End, Event, Read, Revise, Write
from streamtrans.engine.guards import loop_continuation
from streamtrans.engine.requests import (
    WAIT,
    Answer,
    Forward,
    Prediction,
    Request,
    SourceEnd,
    SourceWord,
)
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies.base import Action, Continuation, Glance, Policy, PolicyState, Revision
from streamtrans.text.carry import Carrier, Plain
from streamtrans.text.sentences import ends_clause, ends_sentence
from streamtrans.text.tokenizer import Tokenizer
from streamtrans.text.words import TargetWords, join

MAX_WORD_TOKENS = 48
"""A target word of more tokens, and of more than twice those of the longest source word, is closed where it is."""

MAX_SOURCE_WORD_TOKENS = 128
"""The rest of a longer source word is left out."""

HARD_LIMIT = 1.25
"""Beyond `max_source_words` the next clause mark closes the segment; at this multiple of it any word does."""

TOKENS_PER_WORD = 8
"""A segment also closes when its tokens are this many times `max_source_words`."""

SPARE_WORDS = 4
"""Target words allowed beyond the checkpoint's length ratio, for short sources."""

Run = Generator[Request, Answer, None]


class _Segment:
    """What one cache holds: a sentence, or a part of one that is too long for the model."""

    def __init__(self, tokenizer: Tokenizer, base: tuple[int, int]):
        self.base = base  # words of the sentence that came before: source, target
        self.state = PolicyState()
        self.unfed_source = list(tokenizer.prompt_ids)
        self.source_tokens = 0  # of words
        self.word_ends: list[int] = []  # columns of the source up to and including each word, the prompt before them
        self.longest_word = 0  # source tokens
        self.unfed_target = list(tokenizer.start_ids)  # written, but not yet in the cache
        self.last_fed = -1  # the last written token that is in the cache
        self.take_back = 0  # target entries that leave the cache before the next pass
        self.fresh = True
        self.draft = Draft()
        self.stale = False  # something was read since the draft was made
        self.written: list[str] = []  # target words, as the model wrote them
        self.word_tokens = 0
        self.closed_words = 0  # target words that were closed for their length


class Stream:
    """Translates one stream of sentences with one policy; `events` collects what happened until the driver takes it."""

    def __init__(self, tokenizer: Tokenizer, settings: TranslationSettings, policy: Policy, carry: bool = True):
        self.tokenizer, self.settings, self.policy, self._carries = tokenizer, settings, policy, carry
        self._source_language = settings.source_language or ""
        self._target_language = settings.target_language or ""
        self.events: list[Event] = []
        self.sentence = 0
        self.segmented = 0
        self.foreign = 0
        self._begin_sentence()

    def _begin_sentence(self) -> None:
        self.source: list[str] = []
        self.target: list[str] = []
        self._begin_segment()

    def _begin_segment(self) -> None:
        self._segment = _Segment(self.tokenizer, (len(self.source), len(self.target)))
        self._detokenizer = self.tokenizer.detokenizer()
        self._words = TargetWords(self._target_language)
        languages = self._source_language, self._target_language
        self._carrier = Carrier(self.tokenizer.spells, *languages) if self._carries else Plain()

    @property
    def _state(self) -> PolicyState:
        return self._segment.state

    def run(self) -> Run:
        """Sentence after sentence, for ever; closed by its driver."""
        while True:
            while not (yield from self._translate_segment()):
                self._begin_segment()
            self._note(End, len(self.target), join(self.target, self._target_language))
            self.sentence += 1
            self._begin_sentence()

    def _translate_segment(self) -> Generator[Request, Answer, bool]:
        """As `_write_segment`, whatever the policy; what was carried and never came back follows."""
        revises = isinstance(self.policy.evidence, Revision)
        sentence_ended = yield from self._revise_segment() if revises else self._write_segment()
        if not revises:
            self._show_next(self._carrier.owed())
        self.foreign += self._carrier.foreign
        return sentence_ended

    def _write_segment(self) -> Generator[Request, Answer, bool]:
        """Translates to the end of a segment; true if the sentence ended there too."""
        sentence_ended = False
        while True:
            if not self._state.source_finished and (yield from self._must_read()):
                sentence_ended = yield from self._read()
                if self._state.source_finished and not self._segment.source_tokens:
                    return sentence_ended  # nothing was read that the model could see
            elif not (yield from self._write_word()) and self._state.source_finished:
                return sentence_ended

    def _must_read(self) -> Generator[Request, Answer, bool]:
        """Whether the next action is READ, before the end of the source."""
        state, evidence = self._state, self.policy.evidence
        if not self._segment.source_tokens or self._target_too_long():
            return True
        if isinstance(evidence, Glance):
            yield from self._predict()
        elif isinstance(evidence, Continuation):
            yield from self._look_ahead(evidence)
        nothing_to_say = self._segment.draft.tokens[:1] == [self.tokenizer.end_id]
        return (nothing_to_say and not self._segment.stale) or self.policy.decide(state) is Action.READ

    def _read(self) -> Generator[Request, Answer, bool]:
        """Reads a word or the end of the source; true if the sentence ended."""
        item = yield WAIT
        self._segment.stale = True
        if isinstance(item, SourceEnd):
            return self._finish_source()
        assert isinstance(item, SourceWord)
        state = self._state
        self._take_in(self._carrier.read(item.text))
        state.source_read += 1
        if ends_sentence(item.text, self._source_language, state.source_read == 1):
            state.sentence_end = state.source_read
        if ends_clause(item.text, self._source_language):
            state.clause_end = state.source_read
        self.source.append(item.text)
        self._note(Read, len(self.source) - 1, item.text)
        if item.last:
            return self._finish_source()
        if self._segment_full():
            self.segmented += 1
            self._finish_source()
        return False

    def _take_in(self, text: str) -> None:
        segment = self._segment
        tokens = self.tokenizer.encode_word(text, not segment.source_tokens) if text else []
        if len(tokens) > MAX_SOURCE_WORD_TOKENS:
            self.segmented += 1
            tokens = tokens[:MAX_SOURCE_WORD_TOKENS]
        segment.unfed_source += tokens
        segment.source_tokens += len(tokens)
        segment.word_ends.append(len(self.tokenizer.prompt_ids) + segment.source_tokens)
        segment.longest_word = max(segment.longest_word, len(tokens))

    def _finish_source(self) -> bool:
        if rest := self._carrier.finish():
            self._take_in(rest)
        self._segment.unfed_source.append(self.tokenizer.end_id)
        self._state.source_finished = True
        return True

    def _segment_full(self) -> bool:
        limit, read = self.settings.max_source_words or inf, self._state.source_read
        at_clause = read > limit and self._state.clause_end == read
        return at_clause or read >= HARD_LIMIT * limit or self._segment.source_tokens >= TOKENS_PER_WORD * limit

    def _write_word(self) -> Generator[Request, Answer, bool]:
        """Writes tokens until a word is complete; false if the model, or a limit, says that nothing more is to come."""
        segment, before = self._segment, self._state.target_written
        while self._state.target_written == before:
            ended = self._target_too_long() or (yield from self._predict()) == self.tokenizer.end_id
            if ended:
                if self._state.source_finished:
                    self._close_word()
                return False
            if self._at_lookahead(self._segment.draft.tokens[0]):
                self._write(self._words.flush())  # the draft stays for the next word
            elif segment.word_tokens >= max(MAX_WORD_TOKENS, 2 * segment.longest_word):
                segment.closed_words += 1
                self._close_word()
            else:
                self._accept()
        return True

    def _close_word(self) -> None:
        """Writes what there is of a word."""
        self._write(self._words.feed(self._detokenizer.flush()) + self._words.flush())

    def _accept(self) -> None:
        """Takes the first token of the draft for good."""
        segment = self._segment
        cached = segment.draft.cached > 0
        token = segment.draft.pop()
        if cached:
            segment.last_fed = token
        else:
            segment.unfed_target = [token]
        segment.word_tokens += 1
        self._write(self._words.feed(self._detokenizer.push(token)))

    def _at_lookahead(self, token: int) -> bool:
        """Whether the token shows that the word before it is complete, where tokens do not say so themselves."""
        return not self.tokenizer.space_after and bool(self._words.pending) and self.tokenizer.begins_word(token)

    def _predict(self) -> Generator[Request, Answer, int]:
        """The best next token with all that was read, first of the draft; one that would loop gives way to the next."""
        segment = self._segment
        if segment.stale and segment.draft.tokens:
            yield from self._refresh()
        segment.stale = False
        if not segment.draft.tokens:
            token = yield from self._extend()
            if token == self._loop_token(token):
                self._void_draft()
                yield from self._extend(banned=token)
        return segment.draft.tokens[0]

    def _refresh(self) -> Generator[Request, Answer, None]:
        """Renews a stale draft: verified in one pass if the policy compares continuations, else forgotten."""
        segment = self._segment
        self._void_draft(keep=isinstance(self.policy.evidence, Continuation | Revision))
        if drafted := segment.draft.tokens:
            last = segment.unfed_target[-1]
            segment.unfed_target += drafted
            answer = yield from self._forward(rows=len(drafted) + 1)
            segment.last_fed = last
            segment.take_back = segment.draft.verify(answer.tokens)

    def _void_draft(self, keep: bool = False) -> None:
        """Takes the draft out of the cache, and the last written token with it, so that it is fed again.

        Before the first word all that opens the target is: training has it see what the first token sees.
        """
        segment = self._segment
        opening = not self._state.target_written and not segment.word_tokens
        again = self.tokenizer.start_ids if opening else [segment.last_fed]
        segment.take_back += len(again) + segment.draft.cached
        segment.draft.cached = 0
        segment.unfed_target = list(again)
        if not keep:
            segment.draft = Draft()
        elif segment.draft.tokens[-1] == self.tokenizer.end_id:
            segment.draft.tokens.pop()  # where the target ends is asked again each time
            segment.draft.counts.pop()

    def _extend(self, banned: int | None = None) -> Generator[Request, Answer, int]:
        """One more token for the draft."""
        segment, draft = self._segment, self._segment.draft
        if draft.tokens:
            last, segment.unfed_target = segment.last_fed, [draft.tokens[-1]]
            answer = yield from self._forward(banned=banned)
            segment.last_fed = last
            draft.cached += 1
        else:
            answer = yield from self._forward(banned=banned)
            state = self._state
            state.probability, state.entropy, state.regret = answer.probability, answer.entropy, answer.regret
            state.attended = 1 + bisect_right(segment.word_ends, answer.attended)
        draft.append(answer.tokens[-1])
        return answer.tokens[-1]

    def _look_ahead(self, evidence: Continuation) -> Generator[Request, Answer, list[str]]:
        """Brings the draft up to the horizon; gives its complete words, and tells the policy how many are agreed."""
        yield from self._predict()
        draft, most = self._segment.draft, self._most_words() - self._state.target_written
        horizon = min(most, evidence.horizon or inf)
        while True:
            ends, words = word_ends(draft.tokens, self.tokenizer, self._detokenizer, self._words)
            ended = draft.tokens[-1] == self.tokenizer.end_id or len(draft.tokens) >= MAX_WORD_TOKENS * (len(ends) + 1)
            if ended or len(ends) >= horizon or self._loops(words):
                break
            yield from self._extend()
        agreed = draft.agreed(evidence.agree)
        self._state.agreed = sum(1 for end in ends if end <= agreed)
        return words

    def _loop_token(self, token: int) -> int | None:
        """The first token of the word that would go on in a loop, at the start of a word."""
        if self._words.pending and not self._at_lookahead(token):
            return None
        word = self._loops([self._words.pending] if self._words.pending else [])
        return next(iter(self.tokenizer.encode_word(word, first=False)), None) if word else None

    def _loops(self, words: list[str]) -> str | None:
        """The word that would go on in a loop, once these are written in this segment too."""
        return loop_continuation(self._segment.written + words, self.source[self._segment.base[0] :])

    def _forward(self, rows: int = 1, banned: int | None = None) -> Generator[Request, Answer, Prediction]:
        segment = self._segment
        request = Forward(
            segment.unfed_source, segment.unfed_target, segment.take_back, segment.fresh, rows, banned, self._decides()
        )
        segment.last_fed = segment.unfed_target[-1]
        segment.unfed_source, segment.unfed_target, segment.take_back, segment.fresh = [], [], 0, False
        answer = yield request
        assert isinstance(answer, Prediction)
        return answer

    def _decides(self) -> bool:
        """Whether the policy judges what comes next: where the source goes on, at a word's first token.

        Where tokens do not say that a word is complete, any token may turn out to be the first of the next.
        """
        inside_a_word = self._words.pending and self.tokenizer.space_after
        return isinstance(self.policy.evidence, Glance) and not self._state.source_finished and not inside_a_word

    def _revise_segment(self) -> Generator[Request, Answer, bool]:
        """As `_write_segment` for a policy that shows its draft and corrects it; nothing is final before the end."""
        evidence = self.policy.evidence
        assert isinstance(evidence, Revision)
        while True:
            sentence_ended = yield from self._read()
            finished = self._state.source_finished
            if self._segment.source_tokens:
                words = yield from self._look_ahead(Continuation(horizon=None))
                words = words if finished else words[: max(0, len(words) - evidence.mask_words)]
                self._show(self._carrier.shown(words, finished))
            if finished:
                return sentence_ended

    def _show(self, words: list[str]) -> None:
        """Replaces what this segment shows by these words, from the first that differs."""
        first = self._segment.base[1]
        same = first
        while same < len(self.target) and self.target[same : same + 1] == words[same - first : same - first + 1]:
            same += 1
        if same < len(self.target):
            self.target[same:] = words[same - first :]
            self._note(Revise, same, join(self.target[same:], self._target_language))
        for index in range(len(self.target), first + len(words)):
            self.target.append(words[index - first])
            self._note(Write, index, words[index - first])

    def _most_words(self) -> float:
        return self.settings.length_ratio * self._state.source_read + SPARE_WORDS

    def _target_too_long(self) -> bool:
        return self._state.target_written >= self._most_words() or self._segment.closed_words > 1

    def _write(self, words: list[str]) -> None:
        for word in words:
            self._state.target_written += 1
            self._segment.word_tokens = 0
            self._segment.written.append(word)
            self._show_next(self._carrier.write(word))

    def _show_next(self, words: list[str]) -> None:
        for word in words:
            self.target.append(word)
            self._note(Write, len(self.target) - 1, word)

    def _note(self, kind: type[Event], index: int, text: str) -> None:
        self.events.append(kind(self.sentence, index, text, len(self.source)))
