"""Make the fixtures that hold our Qwen2 to Hugging Face's: tiny random models, their inputs and their logits.

    python scripts/make_parity_fixtures.py tests/models/qwen2_streaming/fixtures

Needs torch and transformers. Rotary base 10,000 (not mlx-lm's default of 1,000,000), explicit position_ids and a
boolean 4-D mask with attn_implementation="sdpa": the eager implementation would add the mask instead of applying it.
Each file holds the weights under their own names, `inputs.*` and `logits`, and the config as metadata.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import Qwen2Config, Qwen2ForCausalLM

from streamtrans.models.qwen2_streaming.masks import SOURCE, TARGET, Entries, streaming_mask

SIZES = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    "max_position_embeddings": 128,
}


def model(tied: bool) -> Qwen2ForCausalLM:
    """Random weights far from zero, so that no bias, gain or position can be missed without showing."""
    torch.manual_seed(1)
    made = Qwen2ForCausalLM._from_config(
        Qwen2Config(**SIZES, tie_word_embeddings=tied), attn_implementation="sdpa", dtype=torch.float32
    )
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(0.0 if parameter.ndim > 1 else 1.0, 0.3)
    return made.eval()


def streaming_inputs() -> dict[str, np.ndarray]:
    """Two rows, each with an order of reading and writing of its own; target positions start at 5."""
    random = np.random.default_rng(0)
    kinds = random.choice([SOURCE, TARGET], (2, 14)).astype(np.uint8)
    source = kinds == SOURCE
    positions = np.where(source, source.cumsum(1) - 1, (~source).cumsum(1) - 1 + 5)
    entries = Entries.arrived(kinds)
    return {
        "ids": random.integers(0, SIZES["vocab_size"], kinds.shape),
        "positions": positions,
        "kinds": kinds,
        "mask": streaming_mask(entries, entries),
    }


def save(path: Path, made: Qwen2ForCausalLM, inputs: dict[str, np.ndarray], logits: torch.Tensor) -> None:
    tensors = {name: weight.clone() for name, weight in made.state_dict().items()}
    if made.config.tie_word_embeddings:
        del tensors["lm_head.weight"]
    tensors |= {f"inputs.{name}": torch.from_numpy(np.ascontiguousarray(array)) for name, array in inputs.items()}
    config = {**SIZES, "model_type": "qwen2", "tie_word_embeddings": made.config.tie_word_embeddings}
    save_file({**tensors, "logits": logits}, str(path), {"config": json.dumps(config)})


def main(folder: Path) -> None:
    with torch.no_grad():
        plain = model(tied=False)
        ids = np.random.default_rng(2).integers(0, SIZES["vocab_size"], (2, 9))
        save(folder / "plain.safetensors", plain, {"ids": ids}, plain(torch.from_numpy(ids)).logits)
        streaming, inputs = model(tied=True), streaming_inputs()
        ids, positions, mask = (torch.from_numpy(inputs[name]) for name in ("ids", "positions", "mask"))
        logits = streaming(ids, position_ids=positions, attention_mask=mask[:, None]).logits
        save(folder / "streaming.safetensors", streaming, inputs, logits)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
