"""A model with its tokenizer and settings: where sessions come from."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import inf
from pathlib import Path
from typing import Any

from streamtrans.engine.instruments import Instrument, instrument_for
from streamtrans.engine.lockstep import LockstepRunner
from streamtrans.engine.passes import Runner
from streamtrans.engine.session import Session
from streamtrans.engine.single import SingleRunner
from streamtrans.engine.stream import Stream
from streamtrans.errors import ModelError, UsageError
from streamtrans.models.loading import load_checkpoint, name_of
from streamtrans.models.qwen2_streaming.attention_recorder import Heads
from streamtrans.models.qwen2_streaming.model import Model
from streamtrans.models.qwen2_streaming.regret_head import RegretHead, load_regret_head
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies import Policy, make_policy
from streamtrans.text.tokenizer import Tokenizer, load_tokenizer

DRAFTS = 2
"""Tokens of a draft that a READ of a single stream verifies: two save a fifth of the passes, and more save no more."""


@dataclass(frozen=True)
class Translator:
    """A model, its tokenizer and its settings; one may serve many sessions, one after the other or in turn.

    directory: of the checkpoint, or of the adapter merged into it; holds parts that only some policies need.
    carry: words that are no language go around the model.
    """

    model: Model
    tokenizer: Tokenizer
    settings: TranslationSettings
    directory: Path = Path()
    carry: bool = True

    def session(self, policy: Policy | None = None, clock: Callable[[], float] = time.perf_counter) -> Session:
        """A new live stream, with the checkpoint's own policy unless one is given; clock: seconds."""
        policy = self.default_policy if policy is None else policy
        if isinstance(policy, type) or not hasattr(policy, "decide"):
            raise UsageError(f"{policy!r} is not a policy; give one, such as WaitK(3)")
        stream = Stream(self.tokenizer, self.settings, policy, DRAFTS, self.carry)
        return Session(stream, self.runner(policy), clock)

    def runner(self, policy: Policy) -> Runner:
        """Makes the passes of one stream; ModelError if the checkpoint lacks something that the policy needs."""
        return SingleRunner(self.model, self.instrument(policy))

    def lockstep(self, policy: Policy) -> Callable[[Sequence[Sequence[int]]], LockstepRunner]:
        """Returns a function from the source tokens of many streams to their runner; ModelError as `runner`."""
        return partial(LockstepRunner, self.model, instrument=self.instrument(policy))

    @cached_property
    def default_policy(self) -> Policy:
        """The policy that the checkpoint names, else wait-3."""
        stored = self.settings.policy or {"name": "wait-k"}
        options: dict[str, Any] = {key: inf if value == "inf" else value for key, value in stored.items()}
        try:
            return make_policy(options.pop("name"), options.pop("max_lag", None), **options)
        except UsageError as error:
            raise ModelError(f"config.json: streamtrans.policy cannot be: {error}") from error

    def instrument(self, policy: Policy) -> Instrument | None:
        """The instrument for a policy's evidence; ModelError if the checkpoint lacks something that it needs."""
        return instrument_for(policy.evidence, lambda: self._regret_head, lambda: self._alignment_heads)

    @cached_property
    def _regret_head(self) -> RegretHead:
        return load_regret_head(self.directory, self.model.args)

    @property
    def _alignment_heads(self) -> Heads:
        heads, args = self.settings.alignment_heads, self.model.args
        name = name_of(self.directory)
        if not heads:
            raise ModelError(
                f"{name} has no alignment heads, which policy alignatt needs; find them with: "
                f"streamtrans models calibrate {name} --data PAIRS.tsv"
            )
        for layer, head in heads:
            if layer >= args.num_hidden_layers or head >= args.num_attention_heads:
                raise ModelError(f"config.json: streamtrans.alignment_heads: there is no head {head} in layer {layer}")
        return heads

    def translate(self, sentence: str, policy: Policy | None = None) -> str:
        """The translation of one sentence, as a stream of its words would give it."""
        events = self.session(policy).feed_line(sentence)
        return events[-1].text if events else ""


def load(model: str | Path = "en-pt", adapter: Path | None = None, carry: bool = True) -> Translator:
    """The translator of an embedded model, a directory, or a Hub id; ModelError if there is none or it is damaged.

    adapter: directory of a low-rank adapter to merge into it. carry: see `Translator`.
    """
    checkpoint = load_checkpoint(model, adapter=adapter)
    tokenizer = load_tokenizer(checkpoint.directory, checkpoint.settings.tokenizer, checkpoint.config)
    directory = checkpoint.adapter or checkpoint.directory
    return Translator(checkpoint.model, tokenizer, checkpoint.settings, directory, carry)
