#!/usr/bin/env python3
"""A very long stream: memory, passes per word, and whether every word is read once.

usage: endless_words.py [WORDS] [--random] [--live] [--model DIR] [--text FILE] [--seed N]

WORDS (default 1,000,000) without punctuation or end are drawn from FILE (default: a small vocabulary that is built in)
and fed to one `Session`, or with --live as standard input of `streamtrans live --json`. --random draws target
tokens instead of asking en-pt, which takes minutes in place of hours: it tries all but the model. Memory is the
resident size of the process that translates, after a tenth of the words and at the end; passes are forward passes of
the model; with --live, processor time in their place.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from streamtrans.engine.passes import Prediction
from streamtrans.engine.session import Session
from streamtrans.engine.translator import Translator, load
from streamtrans.policies import WaitK

ENDS = 0.1
"""The share of end marks among drawn tokens."""

VOCABULARY = (
    "the a of to and in that was he for it with as his on be at by i this had not are but from or have an they which "
    "one you were her all she there would their we him been has when who will more no if out so said what up its about "
    "into than them can only other new some could time these two may then do first any my now such like our over me "
    "even most made after also did many before must through back years where much your way well down should because "
    "each just those people how too little state good very make world still own see men work long get here between "
    "life being under never day same another know while last might us great old year off come since against go came"
).split()


class Drawing:
    """A runner that draws its answers: tokens of the vocabulary, and the end mark now and then."""

    def __init__(self, tokenizer, seed: int):
        self.tokenizer, self.drawn = tokenizer, random.Random(seed)

    def answer(self, requests):
        return [Prediction([self._token() for _ in range(request.rows)]) for request in requests]

    def _token(self) -> int:
        return self.tokenizer.end_id if self.drawn.random() < ENDS else self.drawn.randrange(self.tokenizer.vocab_size)


class Counting:
    """A runner that counts its passes."""

    def __init__(self, runner):
        self.runner, self.passes = runner, 0

    def answer(self, requests):
        self.passes += 1
        return self.runner.answer(requests)


def resident_mb(pid: int | str = "self") -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def through_session(words: Iterator[str], total: int, translator: Translator, drawing: Drawing | None) -> None:
    policy = WaitK(3) if drawing else translator.default_policy
    runner = Counting(drawing or translator.executor.runner(policy))
    session = Session(translator.stream(policy, translator.executor.drafts), [runner])
    tenth, passes, memory, lost, written, sentences = total // 10, [], [], 0, 0, 0
    for number, word in enumerate(words, 1):
        events = session.feed(word + " ")
        lost += [e.text for e in events if e.type == "read"] != [word]
        written += sum(e.type == "write" for e in events)
        sentences += sum(e.type == "end" for e in events)
        if number % tenth == 0:
            passes.append(runner.passes)
            memory.append(resident_mb())
            print(f"{number:,} words: {memory[-1]:.1f} MB, {runner.passes:,} passes", flush=True)
    session.finish()
    first, last = passes[0] / tenth, (passes[-1] - passes[-2]) / tenth
    print(f"memory grown since the first tenth: {memory[-1] - memory[0]:.1f} MB")
    print(
        f"passes per word: {first:.3f} in the first tenth, {last:.3f} in the last ({100 * (last / first - 1):+.1f} %)"
    )
    print(f"words lost or read twice: {lost}; written: {written:,}; sentences ended: {sentences:,}")


def processor_seconds(pid: int) -> float:
    """The processor time of a process so far."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def through_live(words: Iterator[str], total: int, model: str) -> None:
    command = [sys.executable, "-m", "streamtrans", "live", "--json", "--model", model]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    fed: list[str] = []

    def feed() -> None:
        for word in words:
            fed.append(word)
            process.stdin.write(word + " ")
        process.stdin.close()

    threading.Thread(target=feed, daemon=True).start()
    read, lost, memory, spent = 0, 0, [], []
    for line in process.stdout:
        event = json.loads(line)
        if event["type"] == "read":
            lost += event["text"] != fed[read]
            read += 1
            if read % (total // 10) == 0 or read == total - 1:
                memory.append(resident_mb(process.pid))
                spent.append(processor_seconds(process.pid))
                print(f"{read:,} words: {memory[-1]:.1f} MB, {spent[-1]:.0f} s of processor time", flush=True)
    print(f"exit code {process.wait()}; memory grown since the first tenth: {memory[-1] - memory[0]:.1f} MB")
    second, last = spent[1] - spent[0], spent[9] - spent[8]
    change = 100 * (last / second - 1)
    print(f"processor time in the second tenth {second:.1f} s, in the last {last:.1f} s ({change:+.1f} %)")
    print(f"words lost or read twice: {lost + abs(len(fed) - read)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--model", default="en-pt", help="for --live")
    parser.add_argument("--text", type=Path, help="words to draw from, with the frequency that they have there")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    vocabulary = re.findall(r"[a-z]+", options.text.read_text("utf-8").lower()) if options.text else VOCABULARY
    drawn = random.Random(options.seed)
    words = (drawn.choice(vocabulary) for _ in range(options.words))
    if options.live:
        through_live(words, options.words, options.model)
    else:
        translator = load()
        drawing = Drawing(translator.tokenizer, options.seed) if options.random else None
        through_session(words, options.words, translator, drawing)


if __name__ == "__main__":
    main()
