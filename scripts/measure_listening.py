"""Play a talk to `streamtrans listen` at real speed, and tell the lags and the words lost against taking it at once.

python scripts/measure_listening.py talk.wav ASR_MODEL [OPTIONS OF LISTEN …]

A talk is made by: espeak-ng -v en-us -s 150 -w talk.wav -f talk.txt
"""

import difflib
import json
import re
import subprocess
import sys


def words_read(*arguments: str) -> tuple[list[str], int, str]:
    """The source words that were read, without case and signs, the revisions said, and standard error."""
    command = [sys.executable, "-m", "streamtrans", "listen", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    words = [re.sub(r"\W", "", event["text"].lower()) for event in events if event["type"] == "read"]
    revised = sum(event["type"] == "notice" and event["text"].startswith("revised") for event in events)
    return words, revised, done.stderr


def main() -> None:
    talk, asr_model, *options = sys.argv[1:]
    arguments = [talk, "--asr-model", asr_model, *options]
    live, revised, said = words_read(*arguments, "--realtime")
    whole, _, _ = words_read(*arguments)
    print(said, end="")
    print(f"{len(live)} words at real speed, {revised} revisions said; {len(whole)} words at once")
    for kind, a, b, c, d in difflib.SequenceMatcher(None, whole, live, autojunk=False).get_opcodes():
        if kind != "equal":
            print(f"  {kind}: at once '{' '.join(whole[a:b])}', at real speed '{' '.join(live[c:d])}'")


if __name__ == "__main__":
    main()
