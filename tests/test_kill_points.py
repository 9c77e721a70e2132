"""Every moment at which `translate` and `score` can be killed, and every state of their files that kills can lead to.

A SIGKILL leaves on disk just what the system has been given by then. So one run, looked at before and after each call
that may touch a file, shows what a kill at any of its moments leaves. Each state that was not seen before is resumed
and looked at likewise, until there is no new one: any number of kills leads to none but these.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamtrans.cli.app import run
from streamtrans.engine.translator import load

Files = dict[str, bytes]

SOURCE = b"Yes.\n\nGood morning."
GREW = SOURCE[:-5]
REFERENCE = b"Sim.\n\nBom dia.\n"
LOG = "wait-2/instances.log"
CALLS = {"open", "write", "flush", "close", "__exit__", "truncate", "replace", "unlink", "chmod", "mkdir"}
LEFT_HALF_WRITTEN = re.compile(r"/(\.[^/]+)\.\w+$")


def files_of(folder: Path) -> Files:
    """The bytes of all files below, by name; what was left half written has the same name each time."""
    found = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {LEFT_HALF_WRITTEN.sub(r"/\1.left", f"{file.relative_to(folder)}"): file.read_bytes() for file in found}


def place(files: Files, folder: Path) -> None:
    """The folder holds these files and no others."""
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def torn(before: Files, after: Files) -> Iterator[Files]:
    """What a write leaves that is killed in its middle; a file that is renamed to another's name is whole."""
    for name in before if after.keys() == before.keys() else ():
        begun, ended = len(before[name]), len(after[name])
        if ended > begun + 1 and after[name].startswith(before[name]):
            yield after | {name: after[name][: (begun + ended) // 2]}


def states_of(command: list[str], folder: Path, files: Files) -> list[Files]:
    """The files before and after each call of the command that changes one, and within each write; the last are its
    results."""
    place(files, folder)
    states = [files]

    def look(frame, event, function):
        if event == "c_return" and function.__name__ in CALLS and (found := files_of(folder)) != states[-1]:
            states.extend([*torn(states[-1], found), found])

    sys.setprofile(look)
    try:
        code = run(command)
    finally:
        sys.setprofile(None)
    assert code == 0, states[0]
    return states


@pytest.fixture(scope="module")
def en_pt():
    return load("en-pt")


@pytest.mark.parametrize(
    ("arguments", "results"),
    [
        ("translate source.en -o out.pt", ["out.pt"]),
        ("translate source.en -o out.pt --wait-k 2 --save-log wait-2", ["out.pt", LOG]),
        ("score source.en reference.pt --wait-k 2 --save-log .", [LOG]),
    ],
)
def test_killed_at_any_moment_it_ends_as_if_nothing_had_happened(arguments, results, en_pt, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("streamtrans.engine.chain.load_route", lambda *_: en_pt)  # loaded once
    monkeypatch.setattr("streamtrans.cli.shared.recording.weights_digest", lambda *_: "the same")
    begun, command = {"source.en": SOURCE, "reference.pt": REFERENCE}, arguments.split()
    *left, whole = states_of(command, tmp_path, begun)
    if command[0] == "translate":
        left += [files | begun for files in states_of(command, tmp_path, begun | {"source.en": GREW})]

    def held(files: Files) -> int:
        """The lines that a resumed run can go on from: in the output and in the log, where there are both."""
        return min(files.get(name, b"").count(b"\n") for name in results)

    seen = set()
    while left:
        files = left.pop()
        if (state := tuple(files.items())) in seen:
            continue
        seen.add(state)
        states = states_of([*command, "--resume"], tmp_path, files)
        assert states[-1] == whole
        assert min(map(held, states)) >= held(files) - (command[0] == "translate")  # the last one is translated again
        left += states
