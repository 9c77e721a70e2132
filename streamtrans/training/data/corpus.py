"""The pairs of a configuration, filtered and parted into those to train and those to validate on."""

from dataclasses import dataclass

from streamtrans.errors import DataError
from streamtrans.training.config import TrainConfig
from streamtrans.training.data.dataset import Filters, Pair
from streamtrans.training.data.sources import read_pairs


@dataclass(frozen=True)
class Corpus:
    """The pairs to train and to validate on; `dropped` says in words how many were left out and why."""

    pairs: list[Pair]
    validation: list[Pair]
    dropped: str


def read_corpus(config: TrainConfig) -> Corpus:
    """Reads and filters the data, and parts off the validation pairs: every n-th, or a file of their own.

    Raises DataError for files that cannot be read, and where no pair is left.
    """
    data = config.data
    languages = data.source_language, data.target_language
    filters = Filters(data.exclude_domains, data.max_words, data.max_ratio, languages)
    pairs = read_pairs(data, filters)
    if data.validation:
        own = Filters((), data.max_words, data.max_ratio, languages)
        validation = read_pairs(data.validation, own)[: data.validation_pairs]
    else:
        validation = pairs[:: data.validation_every][: data.validation_pairs]
    held_out = set(validation)
    training = [pair for pair in pairs if pair not in held_out]
    if not training:
        raise DataError(
            f"no pair is left to train on: all {len(pairs)} are for validation; dropped: {filters.summary()}"
        )
    return Corpus(training, validation, filters.summary())
