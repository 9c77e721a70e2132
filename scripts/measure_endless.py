#!/usr/bin/env python3
"""How well an endless stream is translated: sentences as one line without case, punctuation or end, against one a line.

usage: measure_endless.py SOURCE REFERENCE [--limit N] [--punctuated] [--segmenter omnisteval]
       [--pauses SECONDS] [--model MODEL] [--output FOLDER] [--live OPTION ...]

The line goes through `streamtrans live --json` with its defaults. What it writes is divided among the references so
that the fewest words differ, as mwerSegmenter does, and scored with sacreBLEU; `--segmenter omnisteval` divides it with
OmniSTEval's own function instead (needs omnisteval on the path, and memory for 40 bytes a pair of words: use --limit).
With `--pauses` the words have times, as a recogniser gives them, and such a pause follows each sentence.
The lag, after each word read, is the number of source words read beyond those that the written words stand for: the
words that fell to a sentence stand for its source words in equal parts. It is given for each tenth of the stream.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from sacrebleu.metrics import BLEU, CHRF

from streamtrans.engine.translator import load

EDGES = ".,;:!?…\"“”'‘’()[]{}«»-–—/"
"""Not spoken at the edge of a word; inside one, as in 3.5 or it's, they stay."""


def spoken(sentence: str) -> list[str]:
    """The words of a sentence as a recogniser without case and punctuation might give them."""
    words = sentence.replace("—", " ").replace("–", " ").lower().split()
    return [bare for word in words if (bare := word.strip(EDGES))]


def alike(word: str) -> str:
    """What is compared of a word when output is divided among references."""
    return word.lower().strip(EDGES)


def minimum_error_ends(references: list[list[str]], words: list[str]) -> list[int]:
    """The number of words up to the end of each reference's share, with the fewest word errors in all.

    One row of edit distances per reference word; beside each distance stands where its share began.
    """
    codes: dict[str, int] = {}
    said = np.array([codes.setdefault(alike(word), len(codes)) for word in words])
    places = np.arange(len(words) + 1)
    distance, starts = places.copy(), []
    for reference in references:
        start = places.copy()
        for word in reference:
            code = codes.get(alike(word), -1)
            kept, changed = distance + 1, np.append(np.inf, distance[:-1] + (said != code))
            best, start = np.minimum(kept, changed), np.where(changed <= kept, np.append(0, start[:-1]), start)
            key = best - places  # a word said and not in the reference costs one: the best place before, and the steps
            reached = np.minimum.accumulate(key)
            source = np.maximum.accumulate(np.where(key <= reached, places, 0))
            distance, start = reached + places, start[source]
        starts.append(start)
    ends = [len(words)]
    for start in reversed(starts[1:]):
        ends.append(int(start[ends[-1]]))
    return ends[::-1]


def omnisteval_ends(references: list[list[str]], words: list[str]) -> list[int]:
    """The same by OmniSTEval's alignment."""
    from omnisteval.alignment import Word, align_sequences, process_alignment

    asked = [Word(word, seq_id=number) for number, line in enumerate(references) for word in line]
    aligned = process_alignment(*align_sequences(asked, [Word(word) for word in words], False), False)
    owners = [word.seq_id or 0 for word in aligned]
    return [sum(owner <= number for owner in owners) for number in range(len(references))]


def streamed(text: str, options: list[str]) -> list[dict]:
    """The events of `live` for this input."""
    command = [sys.executable, "-m", "streamtrans", "live", "--json", *options]
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    print(run.stderr, end="", file=sys.stderr)
    return [json.loads(line) for line in run.stdout.splitlines()]


def with_times(lines: list[list[str]], pause: float) -> str:
    """These words as a recogniser's, one a hypothesis, 0.4 s each, with a pause after each line."""
    now, said = 0.0, []
    for line in lines:
        for word in line:
            said.append({"words": [{"word": word, "start": now, "end": round(now + 0.4, 1)}]})
            now = round(now + 0.4, 1)
        now += pause
    return "".join(json.dumps(hypothesis, ensure_ascii=False) + "\n" for hypothesis in said)


def lags(events: list[dict], stands_for: np.ndarray) -> np.ndarray:
    """The lag after each source word and what was written upon it, in words."""
    read = written = 0
    found = []
    for event in events:
        if event["type"] == "read":
            if read:
                found.append(read - stands_for[written])
            read += 1
        written += event["type"] == "write"
    return np.array([*found, read - stands_for[written]])


def longest_silence(events: list[dict]) -> int:
    """The most source words read in a row without a target word."""
    longest = run = 0
    for event in events:
        run = 0 if event["type"] == "write" else run + (event["type"] == "read")
        longest = max(longest, run)
    return longest


def stood_for(ends: list[int], lengths: list[int]) -> np.ndarray:
    """The source words that the first n written words stand for, for each n."""
    places = [0.0]
    done = before = 0
    for end, length in zip(ends, lengths, strict=True):
        share = end - before
        places += [done + length * (n + 1) / share for n in range(share)]
        done, before = done + length, end
        places[-1] = float(done)
    return np.array(places)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--punctuated", action="store_true", help="leave case and punctuation as they are")
    parser.add_argument("--segmenter", choices=["minimum-error", "omnisteval"], default="minimum-error")
    parser.add_argument("--pauses", type=float, metavar="SECONDS", help="after each sentence; --pause is half of it")
    parser.add_argument("--model", default="en-pt", help="a name, a directory, or a Hub id")
    parser.add_argument("--output", type=Path, help="keep the shares and the events in this folder")
    parser.add_argument("--live", nargs=argparse.REMAINDER, default=[], help="options for live, last")
    options = parser.parse_args()
    sources, references = (
        path.read_text("utf-8").splitlines()[: options.limit] for path in (options.source, options.reference)
    )
    lines = [line.split() if options.punctuated else spoken(line) for line in sources]
    words = [word for line in lines for word in line]
    told = ["--model", options.model, *options.live]
    if options.pauses:
        told += ["--input", "jsonl", "--pause", str(options.pauses / 2)]
    events = streamed(with_times(lines, options.pauses) if options.pauses else " ".join(words), told)
    said = [event["text"] for event in events if event["type"] == "write"]
    divide = omnisteval_ends if options.segmenter == "omnisteval" else minimum_error_ends
    ends = divide([line.split() for line in references], said)
    shares = [" ".join(said[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    translator = load(options.model)
    alone = [events[-1].text for _, events in translator.lines().translate([" ".join(line) for line in lines])]
    read = [event["text"] for event in events if event["type"] == "read"]
    print(f"source words: {len(words)}, read: {len(read)}{'' if read == words else ' OTHERS'}; written: {len(said)}")
    print(f"sentences: {len(lines)}; end events: {sum(e['type'] == 'end' for e in events)}")
    bleu, chrf = BLEU(), CHRF()
    scores = [
        (bleu.corpus_score(t, [references]).score, chrf.corpus_score(t, [references]).score) for t in (alone, shares)
    ]
    for name, (b, c), texts in zip(("one a line", "one stream"), scores, (alone, shares), strict=True):
        print(f"{name}: BLEU {b:.2f}, chrF {c:.2f}, {sum(len(text.split()) for text in texts)} words")
    print(f"BLEU kept: {100 * scores[1][0] / scores[0][0]:.1f} %")
    lag = lags(events, stood_for(ends, [len(line) for line in lines]))
    print(f"longest silence: {longest_silence(events)} words read in a row")
    for name, part in [("all", lag), *((f"tenth {n}", part) for n, part in enumerate(np.array_split(lag, 10), 1))]:
        half, most = np.percentile(part, [50, 95])
        print(f"lag, {name}: 50 % {half:.1f}, 95 % {most:.1f}, most {part.max():.1f}")
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "events.jsonl").write_text("".join(json.dumps(e, ensure_ascii=False) + "\n" for e in events))
        for name, texts in (("shares", shares), ("alone", alone), ("source", [" ".join(line) for line in lines])):
            (options.output / f"{name}.txt").write_text("".join(text + "\n" for text in texts), "utf-8")


if __name__ == "__main__":
    main()
