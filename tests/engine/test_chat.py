"""A chat model behind the runner's seam: mlx-lm's own answers, one law for every schedule, and no word paid for twice."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from chat_checkpoints import ARCHITECTURES, make_chat_checkpoint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlx_lm.generate import generate_step
from mlx_lm.utils import load as load_with_mlx_lm
from watched_model import watched

from streamtrans.engine.batch import BatchEngine
from streamtrans.engine.chat import load_chat
from streamtrans.engine.chat_rules import Rules
from streamtrans.engine.passes import Prediction
from streamtrans.engine.session import Session
from streamtrans.engine.tape import Tape
from streamtrans.engine.translator import Translator
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies import WaitK, make_policy
from streamtrans.runtime import mx
from streamtrans.text.instructions import Instructions

LANGUAGES = "en", "de"
LINES = [
    "The minister said that the new bridge would be finished.",
    "Nobody wanted to go with her to the 3rd concert, did they?",
    "Ärger – überall; naïve façades",
    "children",
]
WORDS = "the new bridge, which nobody wanted: überall finished. 3rd <|im_end|> concert".split()
CLEAR = 1e-3
"""The lead of a best token, from which two ways to compute it must agree on it."""


def load(directory, instructions=None):
    """The executor of a chat model that may say anything, as a translator without limits."""
    executor = load_chat(directory, LANGUAGES, instructions or Instructions())
    executor = replace(executor, rules=Rules(executor.tokenizer, None))
    return translator_of(executor)


def translator_of(executor):
    between = replace(TranslationSettings.between(*LANGUAGES), length_ratio=20, max_source_words=None)
    return Translator(executor, executor.tokenizer, between, carry=False)


class Recorder:
    """A runner that notes the requests and the tokens predicted."""

    def __init__(self, runner):
        self._runner, self.requests, self.tokens = runner, [], []

    def answer(self, requests):
        predictions = self._runner.answer(requests)
        self.requests += requests
        self.tokens += [prediction.tokens[-1] for prediction in predictions]
        return predictions


def answer_of_mlx_lm(model, tokenizer, text, most):
    """Greedy tokens by mlx-lm without the one that ends them; the number of them that were clear choices."""
    asked = Instructions().before_text(*LANGUAGES) + text
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": asked}], add_generation_prompt=True, enable_thinking=False
    )
    tokens, clear = [], None
    for token, probabilities in generate_step(mx.array(prompt), model, max_tokens=most):
        second, best = mx.sort(probabilities.astype(mx.float32))[-2:].tolist()
        if best - second < CLEAR and clear is None:
            clear = len(tokens)
        if token in tokenizer.eos_token_ids:
            break
        tokens.append(token)
    return prompt, tokens, clear


def assert_answers_as_mlx_lm(translator, model, tokenizer, text, most=40):
    """Streams a line with wait-k inf and compares tokens and text; gives the number compared, and both texts."""
    executor, policy = translator.executor, WaitK(inf)
    recorder = Recorder(executor.runner(policy))
    events = Session(translator.stream(policy, executor.drafts), [recorder]).feed_line(text)
    asked, wanted, clear = answer_of_mlx_lm(model, tokenizer, text, most)
    source = [token for request in recorder.requests for token in request.source if token != executor.tokenizer.end_id]
    assert source + executor.tokenizer.start_ids == asked
    guarded = [number for number, request in enumerate(recorder.requests) if request.banned is not None]
    found = recorder.tokens[: guarded[0] - 1 if guarded else None]
    ended = found[-1] == executor.tokenizer.end_id
    found = found[:-1] if ended else found
    size = min(len(found), len(wanted), len(wanted) if clear is None else clear)
    assert found[:size] == wanted[:size]
    if ended and size == len(wanted) < most:
        assert found == wanted
    return size, events[-1].text, tokenizer.decode(wanted)


FORMS = {"plain": (False, 1), "plain sharded": (False, 3), "4-bit": (True, 1), "4-bit sharded": (True, 2)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_wait_k_inf_says_what_mlx_lm_says(tmp_path, architecture, form):
    quantised, shards = FORMS[form]
    directory = make_chat_checkpoint(tmp_path, architecture, quantised, shards)
    model, tokenizer = load_with_mlx_lm(str(directory))
    translator = load(directory)
    compared = [assert_answers_as_mlx_lm(translator, model, tokenizer, line)[0] for line in LINES]
    assert sum(compared) > 30
