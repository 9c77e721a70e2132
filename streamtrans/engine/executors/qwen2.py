"""The streaming Qwen2 as an executor: what it was calibrated for, and its runners."""

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from mlx.utils import tree_reduce

from streamtrans.engine.executors.instruments import Instrument, instrument_for
from streamtrans.engine.executors.lockstep import LockstepRunner
from streamtrans.engine.executors.pool import Qwen2Pool
from streamtrans.engine.executors.single import SingleRunner
from streamtrans.engine.passes import Pool, Runner, StartGroup
from streamtrans.errors import ModelError
from streamtrans.models.embedded import name_of
from streamtrans.models.qwen2_streaming.attention_recorder import Heads
from streamtrans.models.qwen2_streaming.model import Model
from streamtrans.models.qwen2_streaming.regret_head import RegretHead, load_regret_head
from streamtrans.policies import Policy
from streamtrans.runtime import mx

DRAFTS = 2
"""Tokens of a draft that a READ of a single stream verifies: two save a fifth of the passes, and more save no more."""


@dataclass(frozen=True)
class Qwen2Executor:
    """Computes with a streaming Qwen2, which reads each source word once.

    directory: of the checkpoint, or of the adapter merged into it; holds parts that only some policies need.
    heads: those of its settings that look at the source word to translate.
    """

    model: Model
    directory: Path = Path()
    heads: Heads = ()
    drafts = DRAFTS

    @property
    def parameters(self) -> int:
        """The numbers that the model has learned."""
        return int(tree_reduce(lambda total, array: total + array.size, self.model.parameters(), 0))

    def runner(self, policy: Policy) -> Runner:
        """The runner of one stream, with a cache of its own."""
        return SingleRunner(self.model, self.instrument(policy))

    def pool(self, policy: Policy) -> Pool:
        """The maker of passes that several live streams share."""
        mx.eval(self.model.parameters())  # lazy arrays can be evaluated only by the thread that made them
        return Qwen2Pool(self.model, self.instrument(policy))

    def start_group(self, policy: Policy) -> StartGroup:
        """The maker of runners in lockstep."""
        mx.eval(self.model.parameters())  # lazy arrays can be evaluated only by the thread that made them
        return partial(LockstepRunner, self.model, instrument=self.instrument(policy))

    def instrument(self, policy: Policy) -> Instrument | None:
        """The instrument for a policy's evidence; ModelError if the checkpoint lacks something that it needs."""
        return instrument_for(policy.evidence, lambda: self._regret_head, lambda: self._alignment_heads)

    @cached_property
    def _regret_head(self) -> RegretHead:
        return load_regret_head(self.directory, self.model.args)

    @property
    def _alignment_heads(self) -> Heads:
        heads, args = self.heads, self.model.args
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
