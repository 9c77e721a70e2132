"""The state machine of one stream: words and decisions, no tensors.

`Stream._run` is a generator that reads like the algorithm: it waits for a word, or for a `Prediction` after the
`Forward` it asked for. Whoever drives it, one stream at a time (`session`) or many in lockstep (`batch`), does so
through `read` and `answer` and gets the same events, because every decision is made here. Tokens that are drafted, fed
and taken back on the way are the business of `tape`.
"""

from collections.abc import Generator
from itertools import takewhile
from math import inf
from typing import TypeVar

from streamtrans.engine.continuation import word_ends
from streamtrans.engine.events import End, Event, Notice, Read, Revise, Write
from streamtrans.engine.guards import LONG, LOOP, loop_continuation, suspicion
from streamtrans.engine.passes import Forward, Prediction
from streamtrans.engine.segment import Place, Segment
from streamtrans.engine.tape import Tape
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies.base import Action, Continuation, Glance, Policy, PolicyState, Revision, glance_of
from streamtrans.policies.outside import action_of
from streamtrans.text.carry import Carrier
from streamtrans.text.layer import Layer, Plain
from streamtrans.text.sentences import ends_clause, ends_sentence
from streamtrans.text.tokenizer import Tokenizer
from streamtrans.text.words import LineEnd, Word, join

MAX_WORD_TOKENS = 48
"""A target word of more tokens, and of more than twice those of the longest source word, is closed where it is."""

MAX_SOURCE_WORD_TOKENS = 128
"""The rest of a longer source word is left out."""

RUN_ON = 0.5
"""Input runs on after this part of `max_source_words` without a clause mark: a window on it is moved from here on."""

LONGEST_SENTENCE = 4
"""A sentence of input that runs on ends, at the latest, after this many times `max_source_words`."""


T = TypeVar("T")
Steps = Generator[Forward | None, Word | LineEnd | Prediction | None, T]
"""A part of the algorithm: gives a pass to make, or None to wait for source."""


class Stream:
    """Translates one stream of sentences with one policy; `events` collects what happened until the driver takes it."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        settings: TranslationSettings,
        policy: Policy,
        drafts: float = 0,
        carry: bool = True,
    ):
        """drafts: tokens of a draft that the pass of a READ verifies; more rows per pass, fewer passes, the same words.

        Policies that compare continuations verify all of it. carry: words that are no language go around the model.
        """
        self._carries = carry
        self.tokenizer, self.settings = tokenizer, settings
        self.follow(policy)
        self._keep = inf if isinstance(policy.evidence, Continuation | Revision) else drafts
        self._languages = settings.source_language or "", settings.target_language or ""
        self._source_language, self._target_language = self._languages
        self.events: list[Event] = []
        self.endless, self.asking = False, 0
        self.sentence = 0
        self.cuts = 0
        self.foreign = 0
        self._begin_sentence()
        self._steps = self._run()
        next(self._steps)

    def read(self, unit: Word | LineEnd) -> Forward | None:
        """Takes the next source word, or the end of a sentence whose last word has been read.

        Returns the next pass to make, or None if more source is wanted.
        """
        return self._steps.send(unit)

    def answer(self, prediction: Prediction) -> Forward | None:
        """Takes the answer to the last pass; returns the next one, or None if more source is wanted."""
        return self._steps.send(prediction)

    def follow(self, policy: Policy) -> None:
        """Decides by another policy from now on, which must be one for the same evidence."""
        self.policy = policy
        self._min_wait = getattr(policy, "min_wait", -inf)

    def _begin_sentence(self) -> None:
        self.source: list[str] = []
        self.target: list[str] = []
        self._unmarked = 0  # words since a clause mark
        self._begin_segment()

    def _begin_segment(self) -> None:
        carrier: Layer = Carrier(self.tokenizer.spells, *self._languages) if self._carries else Plain()
        self._segment = Segment(self.tokenizer, carrier, self.settings, self._keep, len(self.target))

    @property
    def _state(self) -> PolicyState:
        return self._segment.state

    @property
    def _tape(self) -> Tape:
        return self._segment.tape

    def _run(self) -> Steps[None]:
        """Translates sentence after sentence, for ever."""
        while True:
            while not (yield from self._translate_segment()):
                if self._sentence_too_long:
                    self._end_sentence(len(self.source))
                self._begin_segment()
            if self.source or not self.endless:  # it may have ended already, for its length
                self._end_sentence(len(self.source))
            self._begin_sentence()

    def _end_sentence(self, size: int) -> None:
        """Ends the sentence, which turns out to have `size` source words; those read beyond belong to the next one."""
        text = join(self.target, self._target_language)
        self.events.append(End(self.sentence, len(self.target), text, size))
        self.sentence += 1
        self.source, self.target = self.source[size:], []

    def _translate_segment(self) -> Steps[bool]:
        """Translates to the end of a segment; true if the sentence ended there too."""
        if isinstance(self.policy.evidence, Revision):
            sentence_ended = yield from self._revise_segment(self.policy.evidence)
        else:
            sentence_ended = yield from self._write_segment()
            self._show(self._segment.carrier.owed())
            self._judge(len(self._segment.read), len(self._segment.written))
        self.foreign += self._segment.carrier.foreign
        return sentence_ended

    def _write_segment(self) -> Steps[bool]:
        """Reads and writes as the policy decides."""
        sentence_ended = False
        while True:
            if not self._state.source_finished and (yield from self._must_read()):
                if self.endless and self._segment.said_all:
                    self._start_anew()
                sentence_ended = yield from self._read()
                if self._state.source_finished and not self._segment.source_tokens:
                    return sentence_ended  # nothing was read that the model could see
            elif not (yield from self._write_word()) and self._state.source_finished:
                return sentence_ended

    def _must_read(self) -> Steps[bool]:
        """Whether the next action is READ, before the end of the source."""
        state, evidence = self._state, self.policy.evidence
        if not self._segment.source_tokens or self._segment.target_too_long or state.lag < self._min_wait:
            return True
        if isinstance(evidence, Glance):
            yield from self._predict()
        elif isinstance(evidence, Continuation):
            yield from self._look_ahead(evidence)
        if self._tape.best == self.tokenizer.end_id:
            self._segment.said_all_at = self._segment.said_all_at or state.source_read
            return True  # nothing more can be said yet
        if self._tape.best is not None:
            self._segment.said_all_at = 0
        in_a_word = isinstance(evidence, Glance) and not state.evidence  # the model had paused there: nothing to judge
        return not in_a_word and action_of(self.policy, state) is Action.READ

    def _read(self) -> Steps[bool]:
        """Reads a word or the end of the source; true if the sentence ended."""
        unit = yield None
        if isinstance(unit, LineEnd):
            return self._finish_source()
        assert isinstance(unit, Word)
        state = self._state
        self._segment.source.append(unit.text)
        self._take_in(self._segment.carrier.read(unit.text))
        state.source_read += 1
        self._unmarked += 1
        if ends_sentence(unit.text, self._source_language, state.source_read == 1):
            state.sentence_end = state.source_read
        if ends_clause(unit.text, self._source_language):
            state.clause_end = state.source_read
            self._unmarked = 0
        self.source.append(unit.text)
        self._note(Read, len(self.source) - 1, unit.text)
        if unit.ends_sentence:
            return self._finish_source()
        full = self._segment.full
        if not (self.endless and self._move_on(full)) and full:
            self.cuts += 1
            self._finish_source()
        return False

    def _take_in(self, text: str) -> None:
        segment = self._segment
        tokens = self.tokenizer.encode_word(text, first=not segment.source_tokens) if text else []
        if len(tokens) > MAX_SOURCE_WORD_TOKENS:
            self.cuts += 1
            tokens = tokens[:MAX_SOURCE_WORD_TOKENS]
        segment.take_in(text, tokens)

    def _finish_source(self) -> bool:
        if rest := self._segment.carrier.finish():
            self._take_in(rest)
        self._tape.read([self.tokenizer.end_id])
        self._state.source_finished = True
        return True

    @property
    def _runs_on(self) -> bool:
        """Whether the input has not had a clause mark for long, and nobody says that it is one sentence."""
        return self.endless and self._unmarked > RUN_ON * self._segment.limit

    @property
    def _sentence_too_long(self) -> bool:
        return self.endless and len(self.source) > LONGEST_SENTENCE * self._segment.limit

    def _divide(self) -> None:
        """Ends a sentence of input that runs on, before its next target word, where the model itself has ended one."""
        segment = self._segment
        if not ((self._runs_on and segment.sentence_written) or self._sentence_too_long) or not segment.places:
            return
        since = segment.state.source_read - segment.places[-1].source
        self._end_before(max(1, since))  # the next target word stands for one

    def _move_on(self, full: bool) -> bool:
        """Moves the window on input that is too long for one; true if it could."""
        read, limit = self._state.source_read, self._segment.limit
        if not (full or read > limit or (self._runs_on and read > RUN_ON * limit)):
            return False
        place = self._segment.place_to_leave(clauses=read > limit, anywhere=full)
        if place:
            self._leave(place)
        return place is not None

    def _leave(self, place: Place) -> None:
        """Goes on with a window on what comes after a place."""
        self._judge(place.source, place.words)
        self._segment = segment = self._segment.rest(place)
        self._show(segment.carrier.leave(segment.text))

    def _start_anew(self) -> None:
        """Ends the sentence that the model has ended, and goes on with the words after it."""
        self._close_word()
        segment = self._segment
        written = segment.state.target_written
        place = Place(min(segment.said_all_at, written), written, len(segment.target_ids))
        self._end_before(segment.state.source_read - place.source)
        self._leave(place)

    def _end_before(self, words: int) -> None:
        """Ends the sentence before the last `words` of its source, if anything of it stands there on both sides."""
        if self.target and words < len(self.source):
            self._end_sentence(len(self.source) - words)

    def _write_word(self) -> Steps[bool]:
        """Writes tokens until a word is complete; false if the model, or a limit, says that nothing more is to come."""
        segment, before = self._segment, self._state.target_written
        while self._state.target_written == before:
            too_long = segment.target_too_long
            if too_long or (yield from self._predict()) == self.tokenizer.end_id:
                if self._state.source_finished:
                    self._notice(LONG if too_long else None)
                    self._close_word()
                return False
            if self._at_lookahead(segment.tape.draft[0].token):
                self._write(segment.words.flush())  # the draft stays for the next word
            elif segment.word_tokens >= max(MAX_WORD_TOKENS, 2 * segment.longest_word):
                segment.closed_words += 1
                self._close_word()
            else:
                self._write(segment.accept())
        return True

    def _close_word(self) -> None:
        """Writes what there is of a word."""
        segment = self._segment
        self._write(segment.words.feed(segment.detokenizer.flush()) + segment.words.flush())

    def _at_lookahead(self, token: int) -> bool:
        """Whether the token shows that the word before it is complete, where tokens do not say so themselves."""
        return bool(self._segment.words.pending) and self.tokenizer.begins_word(token)

    def _predict(self) -> Steps[int]:
        """The best next token with all that was read; one that would loop gives way to the next."""
        tape = self._tape
        if tape.best is None:
            yield from self._pass()
        token = tape.draft[0].token
        if token == self._loop_token(token):
            self._notice(LOOP)
            tape.retract()
            yield from self._pass(banned=token)
        self._state.evidence = tape.draft[0].evidence
        return tape.draft[0].token

    def _pass(self, banned: int | None = None) -> Steps[None]:
        """One pass of the model, which renews the draft or makes it longer by a token."""
        request = self._tape.next_pass(self._judges(), banned)
        answer = yield request
        assert isinstance(answer, Prediction)
        self._tape.take(answer)

    def _judges(self) -> bool:
        """Whether the policy may judge what is predicted next: while the source goes on, at a word's first token.

        Where tokens do not say that a word is complete, any token may turn out to be the first of the next; so may any
        of a draft.
        """
        inside_a_word = self._segment.words.pending and self.tokenizer.space_after and not self._tape.draft
        asks = glance_of(self.policy.evidence) is not None
        return asks and not self._state.source_finished and not inside_a_word

    def _look_ahead(self, evidence: Continuation) -> Steps[list[str]]:
        """Brings the draft up to the horizon; returns its complete words, and tells the policy how many are agreed."""
        yield from self._predict()
        segment, tape = self._segment, self._tape
        horizon = min(self._segment.most_words - self._state.target_written, evidence.horizon or inf)
        while True:
            ends, words = word_ends(tape.tokens, self.tokenizer, segment.detokenizer, segment.words)
            longest = MAX_WORD_TOKENS * (len(ends) + 1)
            ended = tape.tokens[-1] == self.tokenizer.end_id or len(tape.tokens) >= longest
            if ended or len(ends) >= horizon or self._loops(words):
                break
            yield from self._pass()
        agreed = tape.agreed(evidence.agree)
        self._state.evidence = {**tape.draft[0].evidence, "agreed": sum(1 for end in ends if end <= agreed)}
        return words

    def _loop_token(self, token: int) -> int | None:
        """The first token of the word that would go on in a loop, at the start of a word."""
        if self._segment.words.pending and not self._at_lookahead(token):
            return None
        word = self._loops([self._segment.words.pending] if self._segment.words.pending else [])
        return self.tokenizer.target_start(word) if word else None

    def _loops(self, words: list[str]) -> str | None:
        """The word that would go on in a loop, once these are written in this segment too."""
        return loop_continuation(self._segment.written + words, self._segment.source)

    def _revise_segment(self, evidence: Revision) -> Steps[bool]:
        """Reads, and after each word shows the whole draft, corrected."""
        while True:
            sentence_ended = yield from self._read()
            finished = self._state.source_finished
            if self._segment.source_tokens:
                words = yield from self._look_ahead(Continuation(horizon=None))
                words = words if finished else words[: max(0, len(words) - evidence.mask_words)]
                self._correct(self._segment.carrier.shown(words, finished))
            if finished:
                return sentence_ended

    def _correct(self, words: list[str]) -> None:
        """Replaces the words of this segment that are shown by these, from the first that differs."""
        first = self._segment.base
        pairs = zip(self.target[first:], words, strict=False)
        same = first + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        if same < len(self.target):
            self.target[same:] = words[same - first :]
            self._note(Revise, same, join(self.target[same:], self._target_language))
        self._show(words[len(self.target) - first :])

    def _write(self, words: list[str]) -> None:
        """Takes complete words of the model's and shows what they stand for."""
        for word in words:
            self._divide()
            self._segment.note_written(word)
            self._show(self._segment.carrier.write(word))

    def _show(self, words: list[str]) -> None:
        for word in words:
            self.target.append(word)
            self._note(Write, len(self.target) - 1, word)

    def _judge(self, source: int, target: int) -> None:
        """Says so if the first words of the segment, which are done with, look like no translation of each other."""
        segment = self._segment
        read = " ".join(segment.read[:source]).split()
        self._notice(suspicion(read, segment.written[:target], self._target_language))

    def _notice(self, kind: str | None) -> None:
        """Says how the model went astray, once per segment."""
        if kind and kind not in self._segment.noticed:
            self._segment.noticed.add(kind)
            self._note(Notice, len(self.target), kind)

    def _note(self, kind: type[Event], index: int, text: str) -> None:
        self.events.append(kind(self.sentence, index, text, len(self.source)))
