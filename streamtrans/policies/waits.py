"""The bounds that policies keep to: read below one lag, write from another on."""

from math import inf

from streamtrans.errors import UsageError
from streamtrans.policies.base import Action, Policy, PolicyState

MAX_WAIT = "Write at the latest when W words read are untranslated"
MIN_WAIT = "Write only when W words read are untranslated"


def least_lag(policy: Policy) -> float:
    """The words that a policy always stays behind: its k, unless that is infinite, or its min_wait; else 1."""
    least = getattr(policy, "k", getattr(policy, "min_wait", 1))
    return least if least < inf else 1


def check_waits(name: str, min_wait: int, max_wait: int) -> None:
    """Raises UsageError unless 1 ≤ min_wait ≤ max_wait; name: of the policy, for the message."""
    if not 1 <= min_wait <= max_wait:
        raise UsageError(f"{name}: {min_wait} to {max_wait} is no range of waits; it must start from 1")


def within_waits(state: PolicyState, min_wait: int, max_wait: int, good: bool) -> Action:
    """READ while fewer than `min_wait` words are untranslated, WRITE from `max_wait` on, between them WRITE if good."""
    if state.lag < min_wait:
        return Action.READ
    return Action.WRITE if good or state.lag >= max_wait else Action.READ
