"""Small random chat models, made on the fly: architectures of mlx-lm, plain or 4-bit, in one file or in several."""

import json
from importlib import import_module
from pathlib import Path

import mlx.nn as nn
from chat_tokenizers import BOUNDARIES, SPECIAL_TOKENS, write_tokenizer
from mlx.utils import tree_flatten, tree_map_with_path

from streamtrans.runtime import mx

_SIZES = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "max_position_embeddings": 2048,
}
ARCHITECTURES = {
    "qwen2": {"model_type": "qwen2", "tie_word_embeddings": True},
    "qwen2-untied": {"model_type": "qwen2", "tie_word_embeddings": False},
    "qwen3": {"model_type": "qwen3", "tie_word_embeddings": True},
    "llama": {"model_type": "llama", "tie_word_embeddings": False},
    "gemma": {"model_type": "gemma"},
    "gemma2": {"model_type": "gemma2", "query_pre_attn_scalar": 16},
    "gemma3": {
        "model_type": "gemma3_text",
        "query_pre_attn_scalar": 16,
        "sliding_window": 512,
        "sliding_window_pattern": 2,
    },
}
"""What a config.json says beyond the sizes; "gemma3" has a window in its first layer."""

_LOUDNESS = {
    "q_proj": 1.7,
    "k_proj": 1.7,
    "q_norm": 1.7,
    "k_norm": 1.7,
    "o_proj": 8,
    "down_proj": 8,
    "post_feedforward_layernorm": 12,
}
"""Attention that chooses, and layers that say more than the embeddings below them."""

_STYLES = {"qwen3": ("thinking", "byte-level"), "llama": ("inst", "llama-2")}
"""The template and the tokenizer that models of this architecture come with."""


def make_chat_checkpoint(
    directory: Path,
    architecture: str = "qwen2",
    quantised: bool = False,
    shards: int = 1,
    template: str | None = "",
    tokenizer: str = "",
    seed: int = 0,
    **config: object,
) -> Path:
    """Write a checkpoint of 0.5 MB that mlx-lm loads; the same arguments give the same numbers.

    architecture: a key of ARCHITECTURES. quantised: 4 bits in groups of 32, else float32. template, tokenizer: as in
    `write_tokenizer`, by default as the architecture's models have them. config: more of config.json.

    Its greedy answers are nonsense with clear choices, seldom loop, and most end after some tens of tokens.
    """
    family = "gemma" if architecture.startswith("gemma") else "chatml"
    style = _STYLES.get(architecture, (family, "gemma" if family == "gemma" else "byte-level"))
    template = style[0] if template == "" else template
    directory.mkdir(parents=True, exist_ok=True)
    words = write_tokenizer(directory, template, tokenizer or style[1])
    begin, ends = BOUNDARIES[template or "chatml"]
    ends = [words.token_to_id(token) for token in ends]
    values = _SIZES | ARCHITECTURES[architecture] | {"vocab_size": words.get_vocab_size(), "eos_token_id": ends}
    values |= {"bos_token_id": words.token_to_id(begin)} if begin else {}
    values |= config
    model = random_model(values, seed, ends)
    if quantised:
        from mlx_lm.utils import quantize_model

        model, values = quantize_model(model, values, group_size=32, bits=4)
    write_weights(directory, dict(tree_flatten(model.parameters())), shards)
    (directory / "config.json").write_text(json.dumps(values, indent=2), encoding="utf-8")
    return directory


def random_model(config: dict, seed: int, ends: list[int]) -> nn.Module:
    """Make a model of mlx-lm whose layers say more than its embeddings, which a tied head would only repeat.

    ends: tokens that end an answer; their rows are long, so that they come, and those of other special tokens short.
    """
    mx.random.seed(seed)
    module = import_module(f"mlx_lm.models.{config['model_type']}")
    model = module.Model(module.ModelArgs.from_dict(config))
    special = mx.zeros(config["vocab_size"]) + 1
    special[: len(SPECIAL_TOKENS)] = 0.1
    special[mx.array(ends)] = 1.4
    gemma = config["model_type"].startswith("gemma")

    def draw(name: str, before: mx.array) -> mx.array:
        noise = mx.random.normal(before.shape)
        loudness = next((factor for part, factor in _LOUDNESS.items() if part in name), 1)
        if name.endswith("bias"):
            return 0.1 * noise
        if before.ndim == 1:  # a gain, to which Gemma adds 1
            return (1 + 0.1 * noise) * loudness - gemma
        if before.shape[0] == config["vocab_size"]:
            return 0.25 * noise * special[:, None]
        return noise * loudness / before.shape[1] ** 0.5

    model.update(tree_map_with_path(draw, model.parameters()))
    return model


def write_weights(directory: Path, weights: dict[str, mx.array], shards: int) -> None:
    """Write one file, or several of about as many tensors each with their index."""
    if shards == 1:
        mx.save_safetensors(str(directory / "model.safetensors"), weights, {"format": "mlx"})
        return
    files = {
        name: f"model-{i * shards // len(weights) + 1:05}-of-{shards:05}.safetensors" for i, name in enumerate(weights)
    }
    for file in set(files.values()):
        part = {name: tensor for name, tensor in weights.items() if files[name] == file}
        mx.save_safetensors(str(directory / file), part, {"format": "mlx"})
    index = {"metadata": {"total_size": sum(t.nbytes for t in weights.values())}, "weight_map": files}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=2), encoding="utf-8")
