"""Draw which room of the package imports which, for CONTRIBUTING.md; complain of an import that points up.

python scripts/draw_floors.py             print the picture, a Mermaid flowchart
python scripts/draw_floors.py --write     put it into CONTRIBUTING.md
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "streamtrans"
PAGE = ROOT / "CONTRIBUTING.md"

# From the ground up; a room may import from its own floor and from floors below it.
FLOORS = [
    {"runtime", "blas", "ranks", "errors"},
    {"text", "files", "captions", "speech"},
    {"models", "policies"},
    {"engine"},
    {"training", "evaluation"},
    {"bench", "interop", "client", "serve"},
    {"cli"},
]
# Doors that stay closed although they would point down or along.
CLOSED = {
    ("policies", "models"),
    ("policies", "runtime"),
    ("evaluation", "training"),
    ("evaluation", "models"),
    ("evaluation", "engine"),
    ("text", "runtime"),
    ("text", "captions"),
    ("captions", "runtime"),
    ("speech", "captions"),
}


def imports() -> dict[tuple[str, str], list[str]]:
    """(room, room that it imports) -> the places, "file:line"; imports for type checking only are left out."""
    found: dict[tuple[str, str], list[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        room = _room(file.relative_to(PACKAGE).with_suffix("").parts[0])
        tree = ast.parse(file.read_text(encoding="utf-8"))
        typing = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node)]
        ignored = {id(inner) for node in typing for inner in ast.walk(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and id(node) not in ignored and node.module:
                for other in _rooms_of(node):
                    if room and other != room:
                        found.setdefault((room, other), []).append(f"{file.relative_to(ROOT)}:{node.lineno}")
    return found


def _rooms_of(node: ast.ImportFrom) -> set[str]:
    head, *rest = (node.module or "").split(".")
    if head != "streamtrans":
        return set()
    names = rest[:1] or [alias.name for alias in node.names]
    return {room for name in names if (room := _room(name))}


def _room(name: str) -> str:
    """The room of a top-level module; "" for the package itself and its `__main__`."""
    return name if any(name in floor for floor in FLOORS) else ""


def wrong(found: dict[tuple[str, str], list[str]]) -> list[str]:
    """The places that import from a floor above, or through a closed door."""
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    return [
        f"{place}: {room} must not import {other}"
        for (room, other), places in found.items()
        if floor[other] > floor[room] or (room, other) in CLOSED
        for place in places
    ]


def picture(found: dict[tuple[str, str], list[str]]) -> str:
    """A Mermaid flowchart of the floors, the command line on top; edges to the ground floor are left out."""
    lines = ["```mermaid", "flowchart TD"]
    for number, rooms in reversed(list(enumerate(FLOORS))):
        here = sorted(room for room in rooms if (PACKAGE / room).exists() or (PACKAGE / f"{room}.py").exists())
        lines += [f"  subgraph floor{number}[ ]", *(f"    {room}" for room in here), "  end"]
    edges = sorted(pair for pair in found if pair[1] not in FLOORS[0])
    return "\n".join([*lines, *(f"  {room} --> {other}" for room, other in edges), "```"])


def main() -> None:
    found = imports()
    if complaints := wrong(found):
        sys.exit("\n".join(complaints))
    if "--write" not in sys.argv:
        print(picture(found))
        return
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(re.sub(r"```mermaid\n.*?```", lambda _: picture(found), page, flags=re.S), encoding="utf-8")


if __name__ == "__main__":
    main()
