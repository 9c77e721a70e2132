"""A new model to train: a vocabulary from the data, a Qwen2 of the wanted sizes with random weights, on disk."""

import io
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from streamtrans.errors import DataError
from streamtrans.text.words import is_unspaced, units
from streamtrans.training.data.dataset import Pair
from streamtrans.training.files import written_aside

if TYPE_CHECKING:
    from streamtrans.training.config import Data, Mix, NewModel

PAD_ID, UNKNOWN_ID, START_ID, END_ID = range(4)
_SENTENCES = 2_000_000  # enough for any vocabulary; more only takes memory


def train_vocabulary(pairs: Iterable[Pair], languages: tuple[str, str], pieces: int) -> bytes:
    """A SentencePiece unigram model of both languages, at most `pieces` pieces, as the bytes of its file.

    White space is a suffix, so that a token says itself that its word is complete; unknown characters fall back to
    bytes and digits are single pieces. Words are as `words.units` has them: the boundary mark is also between the
    characters of zh, ja and th. Compatibility characters are unified (NFKC), except where a language is zh, ja or th,
    whose wide punctuation this would narrow. One thread, so that the same data gives the same pieces.

    Raises DataError where the data is too little, or `pieces` too few for its characters.
    """
    import sentencepiece

    texts = chain.from_iterable(pairs)
    sentences = (" ".join(units(text, languages[i % 2])) for i, text in enumerate(texts))
    written = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_at_most(sentences, _SENTENCES),
            model_writer=written,
            model_type="unigram",
            vocab_size=pieces,
            hard_vocab_limit=False,
            treat_whitespace_as_suffix=True,
            byte_fallback=True,
            split_digits=True,
            character_coverage=0.9998,
            normalization_rule_name="identity" if any(map(is_unspaced, languages)) else "nmt_nfkc",
            num_threads=1,
            pad_id=PAD_ID,
            unk_id=UNKNOWN_ID,
            bos_id=START_ID,
            eos_id=END_ID,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise DataError(f"no vocabulary of {pieces} pieces could be made of this data: {error}") from error
    return written.getvalue()


def _at_most(items: Iterable[str], limit: int) -> Iterator[str]:
    return (item for _, item in zip(range(limit), items, strict=False))


def translation_section(data: "Data", mix: "Mix", tokenizer: str) -> dict[str, Any]:
    """The `streamtrans` section of config.json that says how a model was trained and wants to be used."""
    return {
        "source_language": data.source_language,
        "target_language": data.target_language,
        "tokenizer": tokenizer,
        "max_source_words": data.max_words,
        "trained_wait_k": ["inf" if k == float("inf") else int(k) for k in mix.wait_ks],
    }


def model_config(sizes: "NewModel", vocabulary: int) -> dict[str, Any]:
    """A Hugging Face config.json of a Qwen2 with these sizes; embeddings are tied."""
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "vocab_size": vocabulary,
        "hidden_size": sizes.hidden,
        "intermediate_size": sizes.intermediate,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.kv_heads,
        "hidden_act": "silu",
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "tie_word_embeddings": True,
        "use_sliding_window": False,
        "attention_dropout": 0.0,
        "pad_token_id": PAD_ID,
        "bos_token_id": START_ID,
        "eos_token_id": END_ID,
        "torch_dtype": "float32",
    }


def make_checkpoint(directory: Path, sizes: "NewModel", pairs: list[Pair], data: "Data", mix: "Mix", seed: int) -> None:
    """Writes config.json, tokenizer.model and random weights of a new model to a directory.

    Raises DataError where no vocabulary can be made, ModelError for sizes that do not fit one another, StreamtransError
    where it cannot be written.
    """
    from streamtrans.models.qwen2_streaming.model import Model, ModelArgs
    from streamtrans.training.checkpoints import write_model

    languages = data.source_language, data.target_language
    vocabulary = train_vocabulary(pairs, languages, sizes.vocabulary)
    config = model_config(sizes, _pieces(vocabulary))
    model = Model(ModelArgs.from_dict(config))
    config["streamtrans"] = {**translation_section(data, mix, "sentencepiece-suffix"), "target_position_offset": 0}
    with written_aside(directory) as fresh:
        (fresh / "tokenizer.model").write_bytes(vocabulary)
        write_model(fresh, initial_weights(model, seed), config, fresh)


def _pieces(vocabulary: bytes) -> int:
    import sentencepiece

    return int(sentencepiece.SentencePieceProcessor(model_proto=vocabulary).vocab_size())


def initial_weights(model: Any, seed: int) -> dict[str, Any]:
    """Random weights by name: normal with variance 1/inputs, the two that write to the residual smaller with depth.

    Biases are 0 and norm gains 1. Drawn by numpy, so the same on every device.
    """
    from mlx.utils import tree_flatten

    from streamtrans.runtime import mx

    random = np.random.default_rng(seed)
    parameters: Any = tree_flatten(model.parameters())
    weights = {}
    for name, parameter in parameters:
        if parameter.ndim == 1:
            values = np.full(parameter.shape, 0.0 if name.endswith(".bias") else 1.0)
        else:
            to_residual = name.endswith(("o_proj.weight", "down_proj.weight"))
            variance = 1 / parameter.shape[1] / (2 * len(model.layers) if to_residual else 1)
            values = random.normal(0, variance**0.5, parameter.shape)
        weights[name] = mx.array(values.astype(np.float32))
    return weights
