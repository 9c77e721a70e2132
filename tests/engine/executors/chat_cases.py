"""Cases of chat models: streams that are compared with mlx-lm's own answers."""

from dataclasses import replace
from math import inf

from mlx_lm.generate import generate_step

from streamtrans.engine.executors.chat import load_chat
from streamtrans.engine.executors.chat_rules import Rules
from streamtrans.engine.session import Session
from streamtrans.engine.translator import Translator
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies import WaitK
from streamtrans.runtime import mx
from streamtrans.text.instructions import Instructions

LANGUAGES = "en", "de"
CLEAR = 1e-3
"""The lead of a best token, from which two ways to compute it must agree on it."""


def load(directory, instructions=None):
    """The executor of a chat model that may say anything, as a translator without limits."""
    executor = load_chat(directory, LANGUAGES, instructions or Instructions())
    executor = replace(executor, rules=Rules(executor.tokenizer, None))
    return translator_of(executor)


def translator_of(executor, length_ratio=20):
    between = replace(TranslationSettings.between(*LANGUAGES), length_ratio=length_ratio, max_source_words=None)
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
    """The prompt's tokens, the greedy ones by mlx-lm that follow it, and the number of the first that were clear."""
    asked = Instructions().before_text(*LANGUAGES) + text
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": asked}], add_generation_prompt=True, enable_thinking=False
    )
    tokens, clear = [], None
    for token, probabilities in generate_step(mx.array(prompt), model, max_tokens=most):
        second, best = mx.sort(probabilities.astype(mx.float32))[-2:].tolist()
        if best - second < CLEAR and clear is None:
            clear = len(tokens)
        tokens.append(token)
        if token in tokenizer.eos_token_ids:
            break
    return prompt, tokens, len(tokens) if clear is None else clear


def assert_answers_as_mlx_lm(translator, model, tokenizer, text, most=40):
    """Streams a line with wait-k inf and compares tokens and text; gives the number compared, and both texts."""
    executor, policy = translator.executor, WaitK(inf)
    recorder = Recorder(executor.runner(policy))
    events = Session(translator.stream(policy, executor.drafts), [recorder]).feed_line(text)
    asked, wanted, clear = answer_of_mlx_lm(model, tokenizer, text, most)
    end = executor.tokenizer.end_id
    read = [token for request in recorder.requests for token in request.source]
    assert read[-1] == end
    assert read[:-1] + executor.tokenizer.start_ids == asked
    guarded = [number for number, request in enumerate(recorder.requests) if request.banned is not None]
    found = recorder.tokens[: guarded[0] - 1 if guarded else None]
    size = min(len(found), clear)
    ends = dict.fromkeys(executor.tokenizer.stop_ids, end)
    assert found[:size] == [ends.get(token, token) for token in wanted[:size]]
    return size, events[-1].text, tokenizer.decode(wanted, skip_special_tokens=True)
