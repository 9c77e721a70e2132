"""`streamtrans policies`: what there is to choose from with `--policy`."""

import json
from math import isfinite

from streamtrans.cli.options import JsonOption
from streamtrans.cli.tables import print_table
from streamtrans.policies import POLICIES
from streamtrans.policies.registry import Entry, flag


def policies(as_json: JsonOption = False) -> None:
    """List the policies: what each is for, and its options with their defaults.

    \b
    Examples:
      streamtrans live --policy boundary --max-wait 8
      streamtrans policies --json
    """
    if as_json:
        print(json.dumps({"policies": [_as_dict(name, entry) for name, entry in POLICIES.items()]}, indent=2))
        return
    rows = [(name, _options(entry), entry.summary) for name, entry in POLICIES.items()]
    print_table(["policy", "options", "when to use it"], rows)


def _options(entry: Entry) -> str:
    return "\n".join(f"{flag(option)} {default:g}" for option, default in entry.options.items())


def _as_dict(name: str, entry: Entry) -> dict[str, object]:
    options = {flag(option): value if isfinite(value) else "inf" for option, value in entry.options.items()}
    return {"policy": name, "options": options, "when": entry.summary}
