"""A model with its tokenizer and settings: where sessions come from."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from streamtrans.engine.executors.qwen2 import Qwen2Executor
from streamtrans.engine.lines import LineEngine, Sentences
from streamtrans.engine.passes import Executor
from streamtrans.engine.session import Session
from streamtrans.engine.steps import SteppedSession
from streamtrans.engine.stream import Stream
from streamtrans.errors import ModelError, UsageError
from streamtrans.models.adapters import with_adapter
from streamtrans.models.kinds import Kind, kind_of, refuse_instructions, require_languages
from streamtrans.models.loading import find_parts, load_checkpoint, read_config
from streamtrans.models.marian.store import languages_of
from streamtrans.models.named import find_named
from streamtrans.models.settings import TranslationSettings
from streamtrans.policies import Policy, make_policy
from streamtrans.policies.registry import options_stated
from streamtrans.text.instructions import Instructions
from streamtrans.text.tokenizer import Tokenizer, load_tokenizer


@dataclass(frozen=True)
class Translator(Sentences):
    """A model, its tokenizer and its settings; one may serve many sessions, one after the other or in turn.

    carry: words that are no language go around the model.
    """

    executor: Executor
    tokenizer: Tokenizer
    settings: TranslationSettings
    carry: bool = True

    @property
    def executors(self) -> tuple[Executor]:
        """The one model."""
        return (self.executor,)

    def session(self, policy: Policy | None = None, clock: Callable[[], float] = time.perf_counter) -> Session:
        """A new live stream, with the checkpoint's own policy unless one is given; clock: seconds.

        Raises ModelError if the checkpoint lacks something that the policy needs, UsageError for what is no policy.
        """
        policy = self._policy(policy)
        return Session(self.stream(policy, self.executor.drafts), [self.executor.runner(policy)], clock)

    def stepped(self, policy: Policy | None = None, clock: Callable[[], float] = time.perf_counter) -> SteppedSession:
        """A new live stream whose passes are made together with those of others, where drafts do not pay."""
        return SteppedSession(self.stream(self._policy(policy)), clock)

    def _policy(self, policy: Policy | None) -> Policy:
        policy = self.default_policy if policy is None else policy
        if isinstance(policy, type) or not hasattr(policy, "decide"):
            raise UsageError(f"{policy!r} is not a policy; give one, such as WaitK(3)")
        return policy

    def lines(self, policy: Policy | None = None, batch_size: int | None = None) -> LineEngine:
        """The fastest engine for many lines; batch_size: lines in flight."""
        from streamtrans.engine.batch import BatchEngine  # which a live stream does not need

        return BatchEngine(self, policy, batch_size)

    def stream(self, policy: Policy, drafts: float = 0) -> Stream:
        """The decisions of one stream, for a driver that has a runner; drafts: as in `Stream`."""
        return Stream(self.tokenizer, self.settings, policy, drafts, self.carry)

    @cached_property
    def default_policy(self) -> Policy:
        """The policy that the checkpoint names, else wait-3."""
        stored = self.settings.policy or {"name": "wait-k"}
        options = options_stated(stored)
        try:
            return make_policy(options.pop("name"), options.pop("max_lag", None), **options)
        except UsageError as error:
            raise ModelError(f"config.json: streamtrans.policy cannot be: {error}") from error


def load(
    model: str | Path = "en-pt",
    adapter: Path | None = None,
    carry: bool = True,
    languages: tuple[str, str] | None = None,
    instructions: Instructions | None = None,
    policy: dict[str, Any] | None = None,
) -> Translator:
    """The translator of an embedded model, a directory, a Hub id, or a name of `models add`; ModelError if there is
    none or it is damaged.

    adapter: directory of a low-rank adapter to merge into it. carry: see `Translator`. languages: source and target of
    a chat model, or of a Firefox model whose name does not tell them. instructions: for a chat model. policy: name and
    options of the policy to follow where none is given, in place of the model's own; the same one keeps those of its
    options that are not named. A name has languages, instructions and policy too, each for where none is given here.

    Raises UsageError for instructions to a model that takes none, or a chat model whose languages nobody names.
    """
    if named := find_named(model):
        model, languages = named.model, languages or named.languages
        instructions, policy = instructions or named.instructions, policy or named.policy
    directory, adapter = find_parts(model, adapter)
    make = {Kind.FIREFOX: _firefox, Kind.CHAT: _chat, Kind.STREAMING: _streaming}
    kind = kind_of(directory, adapter)
    refuse_instructions(model, kind, instructions)
    executor, tokenizer, settings = make[kind](directory, adapter, languages, instructions)
    if policy and settings.policy and policy["name"] == settings.policy["name"]:
        policy = settings.policy | policy
    return Translator(executor, tokenizer, replace(settings, policy=policy or settings.policy), carry)


Languages = tuple[str, str] | None
Parts = tuple[Executor, Tokenizer, TranslationSettings]


def _streaming(directory: Path, adapter: Path | None, languages: Languages, instructions: Instructions | None) -> Parts:
    checkpoint = load_checkpoint(directory, adapter=adapter)
    settings = checkpoint.settings
    tokenizer = load_tokenizer(checkpoint.directory, settings.tokenizer, checkpoint.config)
    executor = Qwen2Executor(checkpoint.model, checkpoint.adapter or checkpoint.directory, settings.alignment_heads)
    return executor, tokenizer, settings


def _firefox(directory: Path, adapter: Path | None, languages: Languages, instructions: Instructions | None) -> Parts:
    from streamtrans.engine.executors.marian import load_marian

    executor, settings = load_marian(directory, *(languages or languages_of(directory) or ("", "")))
    return executor, executor.tokenizer, settings


def _chat(directory: Path, adapter: Path | None, languages: Languages, instructions: Instructions | None) -> Parts:
    from streamtrans.engine.executors.chat import default_policy, load_chat

    config = read_config(directory)
    stated = TranslationSettings.from_config(with_adapter(config, adapter) if adapter else config)
    source, target = require_languages(directory, *(languages or (stated.source_language, stated.target_language)))
    executor = load_chat(directory, (source, target), instructions or Instructions(), adapter, stated.alignment_heads)
    settings = TranslationSettings.between(source, target)
    return executor, executor.tokenizer, replace(settings, policy=stated.policy or default_policy(target))
