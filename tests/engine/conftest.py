"""Models for tests: the embedded one, and small random ones over its vocabulary or a byte-level one."""

import pytest

from streamtrans.engine.executors.qwen2 import Qwen2Executor
from streamtrans.engine.translator import Translator, load
from streamtrans.models.qwen2_streaming.model import Model, ModelArgs
from streamtrans.models.qwen2_streaming.regret_head import FILE, RegretHead, save_regret_head
from streamtrans.models.settings import TranslationSettings
from streamtrans.runtime import mx


@pytest.fixture(scope="session")
def en_pt():
    return load("en-pt")


@pytest.fixture(scope="session")
def random_translator(en_pt, tmp_path_factory):
    """A model that knows nothing: it loops, never ends, and writes half characters, like a bad one on a bad day."""
    directory = tmp_path_factory.mktemp("random")
    mx.random.seed(3)
    args = ModelArgs(
        vocab_size=8000, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        tie_word_embeddings=True,
    )  # fmt: skip
    settings = TranslationSettings(
        source_language="en", target_language="pt", max_source_words=12, alignment_heads=((0, 1), (1, 0))
    )
    head = RegretHead(args.hidden_size, settings.alignment_heads)
    head.outer.weight = head.outer.weight * 10  # so that it changes its mind
    save_regret_head(head, directory / FILE)
    return Translator(Qwen2Executor(Model(args), directory, settings.alignment_heads), en_pt.tokenizer, settings)
