"""Batches made on the device: equal to the collator's, drawn with its chances, gone on with exactly."""

from functools import partial
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_pairs import toy_pairs

torch = pytest.importorskip("torch", reason="the PyTorch trainer needs torch")
torch.set_num_threads(1)  # products are tiny here, and threads that wait for one another slow

from streamtrans.text.tokenizer import SentencePieceTokenizer  # noqa: E402
from streamtrans.training.data.collator import Collator  # noqa: E402
from streamtrans.training.data.dataset import Position  # noqa: E402
from streamtrans.training.data.mixing import Mixture  # noqa: E402
from streamtrans.training.new_model import train_vocabulary  # noqa: E402
from streamtrans.training.pytorch.batches import DeviceRows, FlatRows, Schedules  # noqa: E402
from streamtrans.training.pytorch.schedules import Drawing, plain  # noqa: E402
from streamtrans.training.pytorch.stream import BatchStream, Encoder  # noqa: E402

PAIRS = [*toy_pairs(30), ("water", "Wasser für alle Leute im großen Garten"), ("a b c d e f g h i j", "x")]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
    file = tmp_path_factory.mktemp("vocabulary") / "tokenizer.model"
    file.write_bytes(train_vocabulary(toy_pairs(200), ("en", "de"), 350))
    return file


@pytest.fixture(scope="module")
def collators(vocabulary):
    """A plain collator, and one with a prompt and several start tokens."""
    prompted = SentencePieceTokenizer(vocabulary)
    prompted.prompt_ids, prompted.start_ids = prompted.encode("the cook"), [2, *prompted.encode("der Koch")]
    return Collator(SentencePieceTokenizer(vocabulary), "en", "de"), Collator(prompted, "en", "de", target_offset=7)


def on_device(collator, pairs, aligned=1):
    return DeviceRows(FlatRows.of([collator.encode(pair) for pair in pairs]), CPU, collator.target_offset, aligned)


def same(ours, theirs):
    for name in ("ids", "positions", "labels", "mask"):
        assert np.array_equal(getattr(ours, name).numpy(), getattr(theirs, name)), name


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    which=st.lists(st.integers(0, len(PAIRS) - 1), min_size=1, max_size=9), seed=st.integers(0, 99), other=st.booleans()
)
def test_the_same_rows_and_schedules_give_the_same_batch(collators, which, seed, other):
    collator, rng = collators[other], np.random.default_rng(seed)
    rows = [collator.encode(PAIRS[i]) for i in which]
    late, budgets = zip(*(collator._draw(row, rng) for row in rows), strict=True)
    padded = np.full((len(rows), max(map(len, budgets))), 3, np.int64)
    for row, its in zip(padded, budgets, strict=True):
        row[: len(its)] = its
    device, which = on_device(collator, PAIRS), np.array(which)
    schedules = Schedules(torch.from_numpy(padded), torch.tensor(late)[:, None])
    batch = collator.batch(rows, budgets, late)
    same(device.batch(which, schedules), batch)
    assert device.labels_of(which) == batch.label_count
    assert device.tokens_of(which) == batch.token_count


@pytest.mark.parametrize("k", [1, 3, float("inf")])
def test_validation_batches_are_those_of_the_collator(collators, k):
    for collator in collators:
        rows, which = on_device(collator, PAIRS), np.arange(len(PAIRS))
        same(rows.batch(which, plain(rows, which, k)), collator.at_k(PAIRS, k))


def test_aligned_batches_hold_the_same_between_more_padding(collators):
    rows, which = on_device(collators[0], PAIRS, aligned=8), np.arange(5)
    batch, exact = rows.batch(which, plain(rows, which, 2)), collators[0].at_k(PAIRS[:5], 2)
    assert batch.source_length % 8 == batch.labels.shape[1] % 8 == 0
    source, target = exact.source_length, exact.labels.shape[1]
    keep = [*range(source), *range(batch.source_length, batch.source_length + target)]
    assert np.array_equal(batch.ids[:, keep].numpy(), exact.ids)
    real = exact.entries.kind != 0
    ours, theirs = batch.mask[:, keep][:, :, keep].numpy(), exact.mask
    assert np.array_equal(ours[real], theirs[real])
    assert not batch.mask[:, keep].numpy()[real][:, [i for i in range(batch.ids.shape[1]) if i not in keep]].any()


def test_what_a_row_sees_is_drawn_with_the_same_chances(collators):
    """Of 8,000 draws of one pair with either trainer: the source tokens seen before each label, and their steps.

    The distance of the two (total variation, the largest of all labels) is 0.02 for two samples of one
    trainer, and 0.08 or more where a setting is a little different; see the last lines.
    """
    collator, draws = collators[0], 8000
    pair = ("the cook buys a red apple in the garden .", "der Koch kauft einen Apfel .")
    rng, row = np.random.default_rng(5), collator.encode(pair)
    rows, which = on_device(collator, [pair]), np.zeros(draws, np.int64)
    chances = {name: getattr(collator, name) for name in Drawing.__dataclass_fields__}

    def theirs():
        late, budgets = zip(*(collator._draw(row, rng) for _ in range(draws)), strict=True)
        return seen(np.array(budgets)[:, row.word], np.array(late)[:, None])

    def ours(**changes):
        drawn = Drawing(**{**chances, **changes}).draw(rows, which, seed=int(rng.integers(1 << 62)))
        return seen(drawn.budgets[:, row.word].numpy(), drawn.late.numpy())

    def seen(budgets, late):
        """Histograms of the source tokens seen before each label, and of the steps from label to label."""
        needed = np.tile(row.needed, (draws, 1))
        needed[:, -1:] += late
        counts = (budgets[:, :, None] >= needed[:, None]).sum(-1)
        return [
            np.stack([np.bincount(column, minlength=len(row.needed) + 1) for column in numbers.T]) / draws
            for numbers in (counts, np.diff(counts))
        ]

    def distance(one, other):
        return max(np.abs(x - y).sum(1).max() / 2 for x, y in zip(one, other, strict=True))

    right = theirs()
    assert distance(ours(), right) < 0.035
    no_end = (1, 2, 3, 4, 5, 6, 7, 9)
    wrong = [
        {"random_share": 0.5},
        {"max_lag": 7},
        {"wait_ks": no_end},
        {"late_end_share": 0.9},
        {"early_end_share": 0},
    ]
    for change in wrong:
        assert distance(ours(**change), right) > 0.06, change


def stream(collator, vocabulary, processes=0):
    return BatchStream(
        Encoder(collator, 150, 1),
        Mixture("en", "de", concat_share=0.2),
        4,
        CPU,
        processes,
        partial(SentencePieceTokenizer, vocabulary),
    )


def told(batches, count):
    drawing = Drawing((1, 2), 0.5, 0.5, 0.5, 4)
    for item in islice(batches, count):
        schedules = drawing.draw(item.rows, item.which, item.seed)
        batch = item.rows.batch(item.which, schedules)
        yield item.place, item.opening, batch.ids.tolist(), batch.mask.tolist()


def test_going_on_from_a_position_gives_the_same_batches(collators, vocabulary):
    its = stream(collators[0], vocabulary)
    whole = list(told(its.batches(PAIRS, Position()), 20))
    assert len({place.epoch for place, *_ in whole}) > 1
    for after in (1, 7, 13):
        assert list(told(its.batches(PAIRS, whole[after - 1][0]), 3)) == whole[after : after + 3]


def test_processes_that_encode_change_nothing(collators, vocabulary):
    plainly, ahead = (list(told(stream(collators[0], vocabulary, n).batches(PAIRS, Position()), 12)) for n in (0, 2))
    assert ahead == plainly


def test_every_epoch_has_every_pair_once_within_the_budget(collators, vocabulary):
    its = stream(collators[0], vocabulary)
    rows = []
    for item in its.batches(PAIRS, Position()):
        if item.place.epoch == 1:
            break
        rows += item.which.tolist()
        batch = item.rows.batch(item.which, plain(item.rows, item.which, 1))
        assert len(item.which) == 1 or batch.ids.numel() <= 150
    assert sorted(rows) == list(range(len(PAIRS)))
