"""An instruction or a chat around the source: rendered to token ids once, when training starts.

The ids go into the checkpoint, so that no template engine is needed to translate. What stands before the source is read
first, as if it had been there before any word; what stands between source and answer opens the target.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from streamtrans.errors import ModelError
from streamtrans.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from streamtrans.training.config import Prompt

_SOURCE = "<<the source>>"  # stands for it in the template


def rendered(prompt: "Prompt", tokenizer: Tokenizer, directory: Path) -> dict[str, list[int]]:
    """`prompt_ids` and, with a chat, `start_ids`, for the `streamtrans` section of config.json.

    directory: of the checkpoint, which has the chat template. Raises ModelError where there is none, or none of use.
    """
    before, between = prompt.instruction and prompt.instruction + "\n", ""
    if prompt.chat:
        before, between = _chat(before + _SOURCE, directory)
    start = {"start_ids": tokenizer.encode(between)} if between else {}
    return {"prompt_ids": tokenizer.encode(before), **start}


def _chat(message: str, directory: Path) -> tuple[str, str]:
    """The text that a checkpoint's chat template puts before the source, and between it and the answer."""
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # it would advise to install PyTorch
    from transformers import PreTrainedTokenizerFast

    try:
        templates = PreTrainedTokenizerFast.from_pretrained(str(directory))
        messages = [{"role": "user", "content": message}]
        text = str(templates.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    except Exception as error:  # templates are programs: they raise what they like
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{directory}: no chat can be made; train without prompt.chat ({reason})") from error
    before, found, between = text.partition(_SOURCE)
    if not found or _SOURCE in between:
        raise ModelError(f"{directory}: the chat template does not show the message once; train without prompt.chat")
    return before, between
