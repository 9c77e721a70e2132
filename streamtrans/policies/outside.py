"""A policy from outside the package: a class on the Python path, named `package.module:Class`."""

import sys
import traceback
from importlib import import_module
from typing import Any

from streamtrans.errors import StreamtransError, UsageError
from streamtrans.policies.base import Action, Policy, PolicyState
from streamtrans.policies.registry import build, inside

_PROTOCOL = "name", "evidence", "decide"


def is_outside(name: str) -> bool:
    """Whether a name means a class to import."""
    return ":" in name


def import_policy(name: str, max_lag: int | None = None, **options: float | None) -> Policy:
    """The policy `package.module:Class`, whose module is imported, which runs its code: never for a name from a file.

    options: of its fields that are made with `option`; the others, and those that are None, take their default. Raises
    UsageError for a module or class that is not there or cannot be used, for a ValueError of its own, and as
    `make_policy`.
    """
    policy = _imported(name)
    try:
        return build(policy, name, max_lag, options)
    except TypeError as error:
        raise UsageError(f"--policy {name} cannot be made: {error}; give each of its fields a default") from error
    except ValueError as error:  # how a class of somebody else's refuses an option
        raise UsageError(f"--policy {name}: {error}") from error


def _imported(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        policy = getattr(import_module(module), attribute, None)
    except ModuleNotFoundError as error:
        raise UsageError(f"--policy {name}: no module {error.name!r}; is it on the Python path?") from error
    except Exception as error:  # whatever the module does when it is imported
        raise UsageError(f"--policy {name}: importing {module!r} fails: {_told(error)}") from error
    if policy is None:
        raise UsageError(f"--policy {name}: {module} has no {attribute!r}")
    missing = [part for part in _PROTOCOL if not hasattr(policy, part)]
    if missing or not isinstance(policy, type):
        raise UsageError(f"--policy {name} is no policy: it must be a class with {', '.join(_PROTOCOL)}")
    return policy


def action_of(policy: Policy, state: PolicyState) -> Action:
    """Asks a policy, whoever wrote it, what to do.

    Raises UsageError for an answer that is no action, StreamtransError with the line of its file for its own errors.
    """
    try:
        action = policy.decide(state)
    except Exception as error:
        raise StreamtransError(f"policy {policy.name} fails in {_place(policy, error)}: {_told(error)}") from error
    if not isinstance(action, Action):
        raise UsageError(f"policy {policy.name} says {action!r}; it must say Action.READ or Action.WRITE")
    return action


def _place(policy: Policy, error: Exception) -> str:
    """The last line of the policy's own file on the way to an error, else the line that raised it."""
    file = getattr(sys.modules.get(type(inside(policy)).__module__), "__file__", None)
    frames = traceback.extract_tb(error.__traceback__)
    last = next((frame for frame in reversed(frames) if frame.filename == file), frames[-1])
    return f"{last.filename}:{last.lineno}"


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")
