"""`streamtrans policies`: what there is to choose from with `--policy`."""

import json
from math import isfinite

from streamtrans.cli.shared.options import JsonOption
from streamtrans.cli.shared.tables import print_table
from streamtrans.policies import POLICIES
from streamtrans.policies.registry import flag, options_of


def policies(as_json: JsonOption = False) -> None:
    """List the policies: what each is for, and its options with their defaults.

    \b
    Examples:
      streamtrans live --policy boundary --max-wait 8
      streamtrans policies --json
    """
    if as_json:
        print(json.dumps({"policies": [_as_dict(name) for name in POLICIES]}, indent=2))
        return
    rows = [(name, _options(name), policy.summary) for name, policy in POLICIES.items()]
    print_table(["policy", "options", "when to use it"], rows)


def _options(name: str) -> str:
    return "\n".join(f"{flag(key)} {option.default:g}" for key, option in options_of(POLICIES[name]).items())


def _as_dict(name: str) -> dict[str, object]:
    defaults: dict[str, float] = {flag(key): option.default for key, option in options_of(POLICIES[name]).items()}  # type: ignore[misc]
    options = {key: value if isfinite(value) else "inf" for key, value in defaults.items()}
    return {"policy": name, "options": options, "when": POLICIES[name].summary}
