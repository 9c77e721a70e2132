"""From a configuration to the checkpoint a run starts from: directory, tokenizer, collator."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamtrans.errors import ModelError, UsageError
from streamtrans.models.loading import embedded_models, find_model, read_config
from streamtrans.models.settings import TranslationSettings
from streamtrans.text.tokenizer import Tokenizer, load_tokenizer
from streamtrans.training.config import NewModel, TrainConfig
from streamtrans.training.data.collator import Collator
from streamtrans.training.data.corpus import Corpus
from streamtrans.training.data.mixing import Mixture
from streamtrans.training.data.prompts import rendered
from streamtrans.training.new_model import make_checkpoint, translation_section


@dataclass(frozen=True)
class Origin:
    """The checkpoint a run starts from: its directory, and the config.json that the trained model will have.

    name: finds the checkpoint from anywhere: an embedded model's, a Hub id, or the whole path.
    """

    name: str
    directory: Path
    config: dict[str, Any]
    tokenizer: Tokenizer
    collator: Collator
    mixture: Mixture


def fixed(config: TrainConfig, pairs: int) -> dict[str, str]:
    """Settings that a run keeps when it goes on, else the place in the data and the shapes would lose their meaning."""
    values = config.model_dump(mode="json")
    kept = {"model": values["model"], "lora": values["lora"], "seed": values["seed"], "pairs": pairs}
    kept["trainer"] = values["trainer"]
    kept |= {f"data.{name}": values["data"][name] for name in ("source_language", "target_language")}
    kept |= {f"optimiser.{name}": values["optimiser"][name] for name in ("name", "batch_tokens")}
    kept |= {"prompt": values["prompt"]} if config.prompt else {}
    return {name: json.dumps(value) for name, value in kept.items()}


def refuse_changes(last: Path, before: dict[str, str], now: dict[str, str]) -> None:
    """UsageError where a run that is to go on from `last` had other values of what is `fixed`."""
    for name in {**now, **before}:
        if before.get(name) != now.get(name):
            raise UsageError(
                f"{last} was trained with {name}={before.get(name)}, not {now.get(name)}; choose another run=DIR"
            )


def is_new(run: Path) -> bool:
    """Whether nothing has been trained in this directory yet."""
    return not any((run / name).exists() for name in ("last", "last.old"))


def start_from(config: TrainConfig, corpus: Corpus, run: Path, make: bool) -> Origin:
    """The checkpoint to start from; a new one is in `run`/start where the configuration gives sizes.

    make: write that new one; false where it is there already.

    Raises ModelError for a checkpoint that cannot be trained: unreadable, or a tokenizer with more tokens than it has.
    """
    if isinstance(config.model, NewModel):
        directory = run / "start"
        if make:
            make_checkpoint(directory, config.model, corpus.pairs, config.data, config.mix, config.seed)
    else:
        directory = find_model(config.model)
    values = read_config(directory)
    settings = TranslationSettings.from_config(values)
    tokenizer = load_tokenizer(directory, settings.tokenizer, values)
    if tokenizer.vocab_size > values.get("vocab_size", 0):
        raise ModelError(
            f"{directory}: the tokenizer has {tokenizer.vocab_size} tokens, the model {values.get('vocab_size')}; "
            "they do not belong together"
        )
    if "quantization" in values and not config.lora:
        raise ModelError(f"{directory} is quantised: train an adapter (lora.rank=8), or start from the full weights")
    section = translation_section(config.data, config.mix, settings.tokenizer)
    values["streamtrans"] = {**values.get("streamtrans", {}), **section}
    if config.prompt:
        values["streamtrans"] |= rendered(config.prompt, tokenizer, directory)
        tokenizer = load_tokenizer(directory, settings.tokenizer, values)
    collator = Collator(
        tokenizer,
        config.data.source_language,
        config.data.target_language,
        **config.mix.schedules,
        target_offset=settings.target_position_offset,
    )
    mixture = Mixture(
        config.data.source_language, config.data.target_language, config.data.max_words, **config.mix.rows
    )
    given = str(config.model)
    name = given if given in embedded_models() or not Path(given).exists() else str(directory.resolve())
    return Origin(name, directory, values, tokenizer, collator, mixture)
