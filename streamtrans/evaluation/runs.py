"""A run: what it is about, and its sentences."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streamtrans.evaluation.instances import Instance


@dataclass(frozen=True)
class About:
    """The name of a run and what its scores depend on.

    options: those of its policy by name, ready for JSON (k = ∞ is "inf"), as far as they are known. tokenizer: the one
    of its BLEU, None where only its language would tell.
    """

    name: str
    policy: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: str | None = "13a"

    @property
    def family(self) -> str:
        """The curve it is a point of: its policy, with --max-lag and without being two.

        An unknown policy is named by the run's name up to its first number.
        """
        policy = self.policy or re.split(r"[\W_]?\d", self.name, maxsplit=1)[0] or self.name
        max_lag = self.options.get("max_lag")
        return f"{policy}, max-lag {max_lag}" if max_lag else policy


@dataclass(frozen=True)
class Run:
    """A run as it was translated, or read back from its folder."""

    about: About
    instances: list[Instance]
