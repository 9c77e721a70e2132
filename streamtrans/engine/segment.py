"""One filling of a model's cache: a sentence, a part of one that is too long, or a window on input without end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from streamtrans.engine.tape import Tape
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies.base import PolicyState
from streamtrans.text.layer import Layer
from streamtrans.text.sentences import ends_clause, ends_sentence
from streamtrans.text.tokenizer import Tokenizer
from streamtrans.text.words import TargetWords, is_unspaced, join

HARD_LIMIT = 1.25
"""Beyond `max_source_words` the next clause mark closes the segment; at this multiple of it any word does."""

TOKENS_PER_WORD = 8
"""A segment also closes when its tokens are this many times `max_source_words`."""

SPARE_WORDS = 4
"""Target words allowed beyond the checkpoint's length ratio, for short sources."""

PATIENCE = 8
"""Words read while the model has nothing more to say, after which what it said counts as a sentence."""

CONTEXT_WORDS = 8
"""Target words, at least, that a window keeps: they tell the model how far the translation has come."""

MARGIN = 2
"""Source words that a window keeps beyond these, in case that their translation is among them."""


@dataclass(frozen=True)
class Place:
    """The end of a target word: source words read by then, and target words and target tokens up to it."""

    source: int
    words: int
    tokens: int


class Segment:
    """Source and target of one cache, as words and as tokens, and what is known of them."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        carrier: Layer,
        settings: TranslationSettings,
        keep: float,
        base: int = 0,
        context: Sequence[int] = (),
    ):
        """keep: see `Tape`. base: target words of the sentence that were shown before.

        context: tokens of target words that were written before, in an earlier segment.
        """
        self.tokenizer, self.carrier, self.base, self._keep = tokenizer, carrier, base, keep
        self.settings, self.language = settings, settings.target_language or ""
        self.limit = settings.max_source_words or inf
        self.state = PolicyState()
        self.tape = Tape(tokenizer.prompt_ids, [*tokenizer.start_ids, *context], tokenizer.end_id, keep)
        self.source: list[str] = []  # as it came
        self.read: list[str] = []  # for each of these, what the model read
        self.source_ids: list[list[int]] = []
        self.source_tokens = 0
        self.longest_word = 0  # source tokens
        self.detokenizer = tokenizer.detokenizer()
        self.words = TargetWords(self.language)
        self.target_ids = list(context)
        self.written: list[str] = []  # target words, as the model wrote them
        self.places: list[Place] = []  # one a written word
        self.word_tokens = 0
        self.closed_words = 0  # target words that were closed for their length
        self.noticed: set[str] = set()  # how the model went astray
        self.said_all_at = 0  # source words read when the model first had nothing more to say; 0 while it has

    def take_in(self, text: str, tokens: list[int]) -> None:
        """Hands the model what it reads for a source word, or for the end of the source."""
        self.tape.read(tokens)
        self.read.append(text)
        self.source_ids.append(tokens)
        self.source_tokens += len(tokens)
        self.state.word_ends.append(len(self.tokenizer.prompt_ids) + self.source_tokens)
        self.longest_word = max(self.longest_word, len(tokens))

    def accept(self) -> list[str]:
        """Writes the next token; gives the words that it completes."""
        token = self.tape.accept()
        self.word_tokens += 1
        self.target_ids.append(token)
        return self.words.feed(self.detokenizer.push(token))

    def note_written(self, word: str) -> None:
        """A target word is complete."""
        self.state.target_written += 1
        self.word_tokens = self.said_all_at = 0
        self.written.append(word)
        self.places.append(Place(self.state.source_read, self.state.target_written, len(self.target_ids)))

    @property
    def full(self) -> bool:
        """Whether no more source may be read."""
        read = self.state.source_read
        at_clause = read > self.limit and self.state.clause_end == read
        return at_clause or read >= HARD_LIMIT * self.limit or self.source_tokens >= TOKENS_PER_WORD * self.limit

    @property
    def most_words(self) -> float:
        """Target words that are allowed for the source read."""
        return self.settings.length_ratio * self.state.source_read + SPARE_WORDS

    @property
    def target_too_long(self) -> bool:
        """Whether no more target may be written."""
        return self.state.target_written >= self.most_words or self.closed_words > 1

    @property
    def said_all(self) -> bool:
        """Whether the model has long had nothing more to say, whatever was read."""
        since = self.state.source_read - self.said_all_at
        return bool(self.said_all_at and self.written) and since >= PATIENCE

    @property
    def sentence_written(self) -> bool:
        """Whether the last word written closes a sentence."""
        return bool(self.written) and ends_sentence(self.written[-1], self.language)

    def place_to_leave(self, clauses: bool, anywhere: bool) -> Place | None:
        """The place from which a window can go on: the last end of a sentence in what is written, not too near.

        clauses: failing that, the end of a clause. anywhere: failing that too, the end of a word in the middle.
        """
        size, written, language = len(self.source), self.written, self.language
        places = [p for p in self.places[:-CONTEXT_WORDS] if size <= 3 * p.source and p.source < size]
        found = [p for p in places if ends_sentence(written[p.words - 1], language)]
        if not found and clauses:
            found = [p for p in places if ends_clause(written[p.words - 1], language)]
        if not found and anywhere:
            found = places[: len(places) // 2 + 1]
        return replace(found[-1], source=self._done_by(found[-1])) if found else None

    def _done_by(self, place: Place) -> int:
        """The source words that the target up to a place stands for, or somewhat fewer: one a word."""
        same_kind = is_unspaced(self.settings.source_language or "") == is_unspaced(self.language)
        done = place.words if same_kind else place.words * len(self.source) // len(self.written)
        return max(1, min(place.source, done) - MARGIN)

    @property
    def text(self) -> str:
        """All that the model sees of both sides."""
        return " ".join([*self.read, join(self.written, self.language)])

    def rest(self, place: Place) -> "Segment":
        """A window on what came after a place: its source is read again, and its target is there already."""
        after = Segment(self.tokenizer, self.carrier, self.settings, self._keep, 0, self.target_ids[place.tokens :])
        after.source = self.source[place.source :]
        for text, tokens in zip(self.read[place.source :], self.source_ids[place.source :], strict=True):
            after.take_in(text, tokens)
        after.written = self.written[place.words :]
        after.places = [
            Place(max(0, p.source - place.source), p.words - place.words, p.tokens - place.tokens)
            for p in self.places[place.words :]
        ]
        after.detokenizer, after.words, after.word_tokens = self.detokenizer, self.words, self.word_tokens
        before, state = self.state, after.state
        state.source_read, state.target_written = len(after.source), len(after.written)
        state.clause_end = max(0, before.clause_end - place.source)
        state.sentence_end = max(0, before.sentence_end - place.source)
        return after
