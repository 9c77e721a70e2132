"""The choice that the page offers: the languages of the default model, and the policies that it can follow."""

from math import inf
from typing import Any

from streamtrans.engine.lines import Opener
from streamtrans.errors import StreamtransError
from streamtrans.policies import Policy, description_of, make_policy
from streamtrans.policies.registry import POLICIES, options_of


def about(title: str, translator: Opener, default: Policy) -> dict[str, Any]:
    """The model by its title, its languages, the policy it follows by default, and all that it can follow."""
    return {
        "model": title,
        "from": translator.settings.source_language or "",
        "to": translator.settings.target_language or "",
        "policy": description_of(default),
        "policies": [_described(name) for name in POLICIES if _can_follow(translator, name)],
    }


def _described(name: str) -> dict[str, Any]:
    options = [
        {"name": option, "default": "inf" if field.default == inf else field.default, "help": field.metadata["help"]}
        for option, field in options_of(POLICIES[name]).items()
    ]
    return {"name": name, "summary": POLICIES[name].summary, "options": options}


def _can_follow(translator: Opener, name: str) -> bool:
    """Whether the model has the evidence that a policy asks for."""
    try:
        translator.session(make_policy(name))
    except StreamtransError:
        return False
    return True
