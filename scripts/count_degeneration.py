#!/usr/bin/env python3
"""What the model makes of noise: how often it goes astray, how often that is noticed, and that it is always bounded.

usage: count_degeneration.py SOURCE OTHER [--lines N] [--seed N]

SOURCE: sentences in the source language, for a control and for the words of random sentences. OTHER: sentences in
another language. N lines (default 200) of each kind are translated; counted are the lines with each kind of notice, the
lines with any, and of the output the most words per word of source and the longest loop (a cycle of 1 to 8 words), how
often its cycle stands there.
"""

import argparse
import random
import string
from collections import Counter
from pathlib import Path

from streamtrans.engine.batch import BatchEngine
from streamtrans.engine.guards import COPY, LONG, LONGEST_LOOP, LOOP, SHORT
from streamtrans.engine.translator import load


def noise(source: list[str], other: list[str], lines: int, drawn: random.Random) -> dict[str, list[str]]:
    vocabulary = [word for line in source for word in line.split()]

    def letters(size: int) -> str:
        return "".join(drawn.choice(string.ascii_lowercase) for _ in range(size))

    def made(line) -> list[str]:
        return [line(drawn.randint(4, 30)) for _ in range(lines)]

    return {
        "sentences (control)": source[:lines],
        "words in random order": made(lambda n: " ".join(drawn.choice(vocabulary) for _ in range(n))),
        "random letters": made(lambda n: " ".join(letters(drawn.randint(1, 12)) for _ in range(n))),
        "random characters": made(
            lambda n: " ".join(letters(2) + drawn.choice(string.printable[:94]) for _ in range(n))
        ),
        "one word repeated": made(lambda n: " ".join([drawn.choice(vocabulary)] * n)),
        "a phrase repeated": made(lambda n: " ".join(drawn.sample(vocabulary, 3) * (n // 3 + 1))),
        "another language": other[:lines],
    }


def longest_loop(words: list[str]) -> int:
    """The number of times that the cycle stands there which is repeated most often."""
    most = 1
    for period in range(1, LONGEST_LOOP + 1):
        same = 0
        for place in range(period, len(words)):
            same = same + 1 if words[place] == words[place - period] else 0
            most = max(most, same // period + 1)
    return most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--lines", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    source, other = (path.read_text("utf-8").splitlines() for path in (options.source, options.other))
    kinds = noise(source, other, options.lines, random.Random(options.seed))
    print("| input | lines | loop | long | short | copy | any | most words per word | longest loop |")
    print("|---|---|---|---|---|---|---|---|---|")
    translator = load()
    for name, lines in kinds.items():
        counts: Counter[str] = Counter()
        ratio, loop = 0.0, 1
        for number, events in BatchEngine(translator).translate(lines):
            noticed = {event.text for event in events if event.type == "notice"}
            counts.update(noticed)
            counts["any"] += bool(noticed)
            words = [event.text for event in events if event.type == "write"]
            ratio, loop = max(ratio, len(words) / max(1, len(lines[number].split()))), max(loop, longest_loop(words))
        cells = [counts[kind] for kind in (LOOP, LONG, SHORT, COPY, "any")]
        print(f"| {name} | {len(lines)} | {' | '.join(map(str, cells))} | {ratio:.1f} | {loop} |", flush=True)


if __name__ == "__main__":
    main()
