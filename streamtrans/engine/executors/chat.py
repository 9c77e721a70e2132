"""A chat model as an executor: its policies, its runners, and how it is loaded."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from streamtrans.engine.executors.chat_rules import MOST_REFUSALS, Rules
from streamtrans.engine.executors.conversations import Conversation, Conversations
from streamtrans.engine.executors.instruments import AttentionInstrument, ChoiceInstrument, Instrument
from streamtrans.engine.executors.single import predict
from streamtrans.engine.passes import Evidence, Forward, Prediction, Runner, StartGroup
from streamtrans.errors import ModelError, UsageError
from streamtrans.models.chat import has_chat_template, load_chat_model, parameters_of
from streamtrans.models.chat_attention import attention_noted, layer_heads
from streamtrans.models.qwen2_streaming.attention_recorder import Heads
from streamtrans.policies import Policy
from streamtrans.policies.base import Attention, NextToken, glance_of
from streamtrans.runtime import mx
from streamtrans.text.chat_tokenizer import ChatTokenizer
from streamtrans.text.instructions import Instructions
from streamtrans.text.manners import Manners
from streamtrans.text.words import is_unspaced

ROOM = 512
"""Tokens that a sentence and its translation may take."""


@dataclass(frozen=True)
class ChatExecutor(Conversations):
    """Computes with a chat model of mlx-lm's.

    context: finished sentences that stay visible. heads: those that look at the source words to translate.
    """

    rules: Rules
    context: int = 0
    heads: Heads = ()
    drafts = float("inf")

    @property
    def parameters(self) -> int:
        """The numbers that the model has learned."""
        return parameters_of(self.model)

    def runner(self, policy: Policy) -> Runner:
        """The runner of one stream; UsageError for a policy that needs a calibrated checkpoint."""
        return ChatRunner(self, policy, 1)

    def pool(self, policy: Policy) -> "ChatPool":
        """The maker of passes for live streams; UsageError as `runner`."""
        return ChatPool(self, policy)

    def start_group(self, policy: Policy) -> StartGroup:
        """The maker of runners for many streams; UsageError as `runner`."""
        self.instrument(policy)
        mx.eval([layer.state for layer in self.prompt_cache])  # by this thread, for all
        return lambda sources: ChatRunner(self, policy, len(sources))

    def instrument(self, policy: Policy) -> Instrument | None:
        """The instrument for a policy's evidence. Raises UsageError for one that needs a calibrated checkpoint."""
        match glance_of(policy.evidence):
            case None:
                return None
            case NextToken():
                return ChoiceInstrument()
            case Attention():
                return AttentionInstrument(self._known_heads)
        raise UsageError(f"policy {policy.name} needs a model that was trained for it; take agree or wait-k")

    @cached_property
    def _known_heads(self) -> Heads:
        """The alignment heads. Raises UsageError where there are none, ModelError where the model has not these."""
        if not self.heads:
            raise UsageError(
                "policy alignatt needs alignment heads; find those of this model with: streamtrans models calibrate"
            )
        counts = layer_heads(self.model, self.tokenizer.prompt_ids[:1], self.new_cache())
        for layer, head in self.heads:
            if layer >= len(counts) or head >= counts[layer]:
                raise ModelError(f"config.json: streamtrans.alignment_heads: there is no head {head} in layer {layer}")
        return self.heads


class ChatRunner:
    """Makes the passes of streams that go in step, or of one."""

    def __init__(self, executor: ChatExecutor, policy: Policy, streams: int):
        """Begins a conversation per stream. Raises UsageError for a policy that needs a calibrated checkpoint."""
        self._executor, self._instrument = executor, executor.instrument(policy)
        self._looks = isinstance(self._instrument, AttentionInstrument)
        self._talks = [executor.conversation() for _ in range(streams)]

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these streams only, in this order."""
        self._talks = [self._talks[row] for row in rows]

    def answer(self, requests: Sequence[Forward]) -> list[Prediction]:
        """The predictions for one request of each stream."""
        return self.answer_talks(self._talks, requests)

    def answer_talks(self, talks: Sequence[Conversation], requests: Sequence[Forward]) -> list[Prediction]:
        """The predictions for one request of each of these conversations."""
        for talk, request in zip(talks, requests, strict=True):
            self._note(talk, request)
        apart = self._looks or not self._executor.shares_passes
        if len(talks) > 1 and apart:
            parts = [([talk], [request]) for talk, request in zip(talks, requests, strict=True)]
        else:
            parts = [(list(talks), list(requests))]
        return [prediction for part in parts for prediction in self._predict(*part)]

    def _note(self, talk: Conversation, request: Forward) -> None:
        """Writes down what a request brings to its conversation."""
        executor = self._executor
        if request.fresh:
            if executor.context and executor.has_all_source(talk):
                said = executor.source_of(talk), executor.written_of(talk) if talk.said is None else talk.said
                talk.earlier = [*talk.earlier, said][-executor.context :]
            talk.source, talk.target = [], []
        talk.target = talk.target[: len(talk.target) - request.take_back] + request.target
        talk.source = talk.source + request.source

    def _predict(self, talks: list[Conversation], requests: list[Forward]) -> list[Prediction]:
        """One pass; a token that the rules refuse gives way to the next best."""
        rows = max(request.rows for request in requests)
        recorder = (
            self._executor.recorder(talks[0], rows, self._executor.heads)
            if self._looks and requests[0].evidence
            else None
        )
        with attention_noted(self._executor.model, recorder.note) if recorder else nullcontext():
            logits = self._executor.logits(talks, rows)
        for _ in range(MOST_REFUSALS + 1):
            predictions = predict(requests, logits, logits, self._instrument, recorder)  # none looks at states
            judged = [self._judged(talk, found.tokens) for talk, found in zip(talks, predictions, strict=True)]
            refused = [
                (number, rows - len(tokens) + row, predictions[number].tokens[row])
                for number, tokens in enumerate(judged)
                for row, token in enumerate(tokens)
                if token is None
            ]
            if not refused:
                break
            logits[tuple(mx.array(list(part)) for part in zip(*refused, strict=True))] = -mx.inf
        answers = []
        for talk, found, tokens in zip(talks, predictions, judged, strict=True):
            kept = [best if token is None else token for best, token in zip(found.tokens, tokens, strict=True)]
            talk.said = self._executor.said(talk, kept)
            answers.append(Prediction(kept, self._told(talk, found)))
        return answers

    def _told(self, talk: Conversation, found: Prediction) -> list[Evidence]:
        """The evidence, in which the attended token is one of the stream's."""
        if not self._looks or not found.evidence:
            return found.evidence
        origins = self._executor.origins_of(talk)
        return [{"attended": origins[int(evidence["attended"])]} for evidence in found.evidence]

    def _judged(self, talk: Conversation, tokens: list[int]) -> list[int | None]:
        """The best tokens after each of the last target tokens, as the rules have them; None for refused ones."""
        executor = self._executor
        written, source = executor.written_of(talk), executor.source_of(talk)
        finished = executor.has_all_source(talk)
        first = len(written) + 1 - len(tokens)
        best_after = partial(executor.best_after, talk)
        return [
            executor.rules.judge(token, written[: first + row], source, finished, best_after)
            for row, token in enumerate(tokens)
        ]


class ChatPool:
    """Makes the passes of live streams that come and go."""

    def __init__(self, executor: ChatExecutor, policy: Policy):
        self._executor, self._runner = executor, ChatRunner(executor, policy, 0)

    def memory(self) -> Conversation:
        """The memory of a new stream."""
        return self._executor.conversation()

    def answer(self, memories: Sequence[Conversation], requests: Sequence[Forward]) -> list[Prediction]:
        """The predictions for one request of each stream."""
        return self._runner.answer_talks(memories, requests)


def load_chat(
    directory: Path,
    languages: tuple[str, str],
    instructions: Instructions,
    adapter: Path | None = None,
    heads: Heads = (),
) -> ChatExecutor:
    """The executor of a chat model between two languages, by code; adapter: directory of one to merge into it.

    heads: its alignment heads.

    Raises ModelError for a model that cannot be loaded or cannot stream, UsageError for a glossary that is too long.
    """
    if not has_chat_template(directory):
        raise ModelError(f"{directory} has no chat template, so that it cannot be asked to translate")
    chat = load_chat_model(directory, adapter)
    ends = set(chat.tokenizer.eos_token_ids)
    try:
        render = partial(_rendered, chat.tokenizer)
        tokenizer = ChatTokenizer(chat.tokenizer.backend_tokenizer, render, ends, instructions, languages)
    except Exception as error:  # templates are programs, which fail in ways of their own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(f"{directory}: its tokenizer or chat template cannot be used: {reason[:300]}") from error
    if chat.positions and len(tokenizer.prompt_ids) + ROOM > chat.positions:
        raise UsageError(
            f"the prompt has {len(tokenizer.prompt_ids):,} tokens, and {directory} was made for {chat.positions:,}; "
            "take a shorter glossary"
        )
    rules = Rules(tokenizer, Manners(instructions, *languages), languages[1])
    return ChatExecutor(chat.model, tokenizer, rules, instructions.context, heads)


def default_policy(target: str) -> dict[str, Any]:
    """The policy for a target language, by code: one that needs no calibration."""
    return {"name": "agree", "agree": 2, "horizon": 12 if is_unspaced(target) else 6}


def _rendered(tokenizer: Any, messages: list[dict[str, str]], opened: bool) -> str:
    """A conversation as the model's template has it, without thoughts where it can think."""
    return str(
        tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=opened, enable_thinking=False)
    )
