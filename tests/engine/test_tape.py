"""The books of drafts and cache, by numbers alone."""

from hypothesis import given
from hypothesis import strategies as st

from streamtrans.engine.passes import Prediction
from streamtrans.engine.tape import Tape

END = 9


class Cache:
    """What a model's cache would hold, and a model whose best token follows from all source and target before it."""

    def __init__(self):
        self.source, self.target = [], []

    def answer(self, request):
        assert not request.fresh or not self.source
        assert request.take_back <= len(self.target)
        assert request.target
        self.source += request.source
        del self.target[len(self.target) - request.take_back :]
        self.target += [(token, len(self.source)) for token in request.target]
        tokens = [token for token, _ in self.target]
        ends = range(len(tokens) - request.rows + 1, len(tokens) + 1)
        evidence = [{"seen": len(self.source)} for _ in ends] if request.evidence else []
        return Prediction([self.best(tokens[:end]) for end in ends], evidence)

    def best(self, target):
        return hash((*self.source[-4:], *target[-2:])) % 4


def tape_of(keep):
    return Tape(prompt=[5, 6], start=[7, 8], end=END, keep=keep)


@given(st.data(), st.sampled_from([0, 1, 3, float("inf")]))
def test_any_order_of_reads_and_writes_writes_what_is_best_with_all_that_was_read(data, keep):
    tape, cache, written = tape_of(keep), Cache(), []
    for _ in range(data.draw(st.integers(1, 20))):
        action = data.draw(st.sampled_from(["read", "write", "look", "retract"]))
        if action == "read":
            tape.read([data.draw(st.integers(0, 3))])
        elif action == "retract" and tape.draft and tape.best is not None:
            tape.retract()
        elif action == "look" or tape.best is None:
            tape.take(cache.answer(tape.next_pass(evidence=True)))
        elif action == "write":
            assert tape.best == cache.best([7, 8, *written])
            assert tape.draft[0].evidence == {"seen": len(cache.source)}
            written.append(tape.accept())
        held = [token for token, _ in cache.target]
        assert held[: len(written) + 1] == [7, 8, *written][: len(held)][: len(written) + 1]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.data())
def test_verification_keeps_the_common_prefix(tokens, data):
    tape = tape_of(float("inf"))
    for token in tokens:
        tape.next_pass()
        tape.take(Prediction([token]))
    best = data.draw(st.lists(st.integers(0, 3), min_size=len(tokens) + 1, max_size=len(tokens) + 1))
    tape.read([1])
    request = tape.next_pass()
    assert (request.take_back, request.target, request.rows) == (len(tokens) + 1, [7, 8, *tokens], len(tokens) + 1)
    tape.take(Prediction(best))
    same = next((i for i, (a, b) in enumerate(zip(best, tokens, strict=False)) if a != b), len(tokens))
    assert tape.tokens == best[: same + 1]
    assert tape.agreed(2) == same
    assert tape.next_pass().take_back == len(tokens) - same


def test_a_token_that_was_accepted_unfed_is_fed_next():
    tape = tape_of(0)
    assert tape.next_pass().source == [5, 6]
    tape.take(Prediction([1]))
    assert (tape.best, tape.accept(), tape.best) == (1, 1, None)
    request = tape.next_pass()
    assert (request.source, request.target, request.take_back, request.rows) == ([], [1], 0, 1)


def test_where_the_target_ends_is_asked_again_with_more_source():
    tape = tape_of(float("inf"))
    tape.next_pass()
    tape.take(Prediction([END]))
    assert tape.best == END
    tape.read([1])
    assert (tape.best, tape.tokens) == (None, [])
    assert tape.next_pass().target == [7, 8]


def test_no_more_of_a_draft_is_verified_than_asked_for():
    tape = tape_of(2)
    for token in (1, 2, 3, 1):
        tape.next_pass()
        tape.take(Prediction([token]))
    tape.read([1])
    assert tape.next_pass().target == [7, 8, 1, 2]
