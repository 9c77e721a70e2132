"""A real chat model streams: SmolLM2-135M-Instruct, which knows English and a little of other languages."""

import numpy as np
import pytest
from chat_cases import Recorder, assert_answers_as_mlx_lm, load, translator_of
from mlx_lm.utils import dequantize_model
from mlx_lm.utils import load as load_with_mlx_lm
from smollm2 import smollm2_directory
from watched_model import watched

from streamtrans.engine.session import Session
from streamtrans.policies import make_policy
from streamtrans.runtime import mx

LINES = ["The weather is fine today, and the children play in the garden.", "In 2026 it's 30° – isn't it?"]


@pytest.fixture(scope="module")
def directory():
    return smollm2_directory()


@pytest.fixture(scope="module")
def translator(directory):
    return load(directory)


def test_wait_k_inf_says_what_mlx_lm_says(directory, translator):
    model, tokenizer = load_with_mlx_lm(str(directory))
    model = dequantize_model(model)
    model.set_dtype(mx.float32)  # in 16 bits a CPU takes minutes
    for line in LINES:
        compared, ours, theirs = assert_answers_as_mlx_lm(translator, model, tokenizer, line, most=24)
        assert compared > 8
        assert theirs.split()[:6] == ours.split()[:6]


def test_a_stream_has_the_logits_of_whole_passes(translator):
    executor, policy = watched(translator.executor), make_policy("agree", horizon=3)
    recorder = Recorder(executor.runner(policy))
    tokenizer, stream = executor.tokenizer, translator_of(executor).stream(policy, executor.drafts)
    sequence, written = [], []

    class Checked:
        def answer(self, requests):
            (request,) = requests
            nonlocal written
            ended = request.source[-1:] == [tokenizer.end_id]
            sequence.extend(request.source[:-1] if ended else request.source)
            written = [*written[: len(written) - request.take_back], *request.target]
            answer = recorder.answer(requests)
            whole = executor.model.whole(sequence + written)[-request.rows :]
            np.testing.assert_allclose(executor.model.logits[0, -request.rows :], whole, atol=1e-3)
            return answer

    Session(stream, [Checked()]).feed_line("The weather is fine today.")
    assert len(recorder.requests) > 10
