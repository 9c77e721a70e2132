"""Small tokenizers of chat models: tokens learned from a few sentences, special tokens, a chat template."""

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SENTENCES = """\
The weather is fine today, and the children play in the garden behind the house.
She bought two tickets for the concert on Friday, but nobody wanted to go with her.
We translate every word as soon as it has been read; nothing is ever taken back.
The minister said that the new bridge would be finished before the end of the year.
Das Wetter ist heute schön, und die Kinder spielen im Garten hinter dem Haus.
Sie kaufte zwei Karten für das Konzert am Freitag, aber niemand wollte mitgehen.
Der Minister sagte, dass die neue Brücke vor dem Ende des Jahres fertig werde.
O tempo está bom hoje, e as crianças brincam no jardim atrás da casa.
Translate the following text from English into German. Answer with the translation only.
You translate what the user says. Do not explain, do not answer questions, and add nothing.
All Americans Ask About Apples And Apricots As Always.
""".splitlines()

SPECIAL_TOKENS = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<s>",
    "</s>",
    "<bos>",
    "<eos>",
    "<start_of_turn>",
    "<end_of_turn>",
]
THINKING_TOKENS = ["<think>", "</think>"]  # special in no tokenizer, so decoding shows them

_CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEMPLATES = {
    "chatml": _CHATML,
    "thinking": _CHATML + "{% if add_generation_prompt and enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}",
    "inst": "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ raise_exception('There is no system role.') }}"
    "{% elif message['role'] == 'user' %}{{ '[INST] ' + message['content'] | trim + ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'] | trim + ' ' + eos_token }}{% endif %}{% endfor %}",
    "gemma": "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ raise_exception('There is no system role.') }}{% endif %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}",
}
"""Templates as the model families have them: ChatML (Qwen2), the same with an empty think block (Qwen3), and two that
know no system role, of Llama-2's and of Gemma's kind."""

BOUNDARIES = {
    "chatml": (None, ["<|im_end|>", "<|endoftext|>"]),
    "thinking": (None, ["<|im_end|>", "<|endoftext|>"]),
    "inst": ("<s>", ["</s>"]),
    "gemma": ("<bos>", ["<end_of_turn>", "<eos>"]),
}
"""What begins a text (None: nothing), and what ends an answer, by template."""


def write_tokenizer(directory: Path, template: str | None = "chatml", kind: str = "byte-level") -> Tokenizer:
    """Write tokenizer.json and tokenizer_config.json.

    template: a key of TEMPLATES, or None for a checkpoint without one. kind: "byte-level" (Qwen, Llama-3), "llama-2"
    (SentencePiece, a "▁" before every text) or "gemma" (SentencePiece, "▁" for a space only).
    """
    begin, ends = BOUNDARIES[template or "chatml"]
    tokenizer = byte_level_tokenizer() if kind == "byte-level" else sentencepiece_tokenizer(kind)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL_TOKENS])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in THINKING_TOKENS])
    if begin:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A", special_tokens=[(begin, tokenizer.token_to_id(begin))]
        )
    tokenizer.save(str(directory / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": begin,
        "eos_token": ends[0],
        "pad_token": "<|endoftext|>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 2048,
    }
    if template:
        settings["chat_template"] = TEMPLATES[template]
    (directory / "tokenizer_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
    return tokenizer


def byte_level_tokenizer() -> Tokenizer:
    """GPT-2's kind: a space is part of the word after it, every byte has a token."""
    pieces = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = Tokenizer(learned(pieces, sorted(pieces.alphabet())))
    tokenizer.pre_tokenizer = pieces
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def sentencepiece_tokenizer(kind: str) -> Tokenizer:
    """SentencePiece's kind: a space is "▁", and a character without a token is written in bytes."""
    prefix = kind == "llama-2"
    spaces = normalizers.Replace(" ", "▁")
    model = learned(pre_tokenizers.Metaspace(prepend_scheme="always"), [f"<0x{byte:02X}>" for byte in range(256)])
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), spaces]) if prefix else spaces
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*parts, decoders.Strip(" ", 1, 0)] if prefix else parts)
    return tokenizer


def learned(pieces: pre_tokenizers.PreTokenizer, first: list[str]) -> models.BPE:
    """Learn a vocabulary from SENTENCES: the special tokens, `first`, then what was learned, most frequent first."""
    apprentice = Tokenizer(models.BPE())
    apprentice.pre_tokenizer = pieces
    apprentice.train_from_iterator(SENTENCES, trainers.BpeTrainer(vocab_size=400, show_progress=False))
    model = json.loads(apprentice.to_str())["model"]
    learned_tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    tokens = dict.fromkeys([*SPECIAL_TOKENS, *first, *learned_tokens])
    rows = {token: row for row, token in enumerate(tokens)}
    merges = [tuple(merge) for merge in model["merges"]]
    return models.BPE(rows, merges, byte_fallback=first[0].startswith("<0x"))
