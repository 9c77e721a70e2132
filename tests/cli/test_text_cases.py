"""Texts that are not what one expects, by name, through `live` and `translate`: an answer or one line, never more."""

import json
import shutil
import subprocess
import sys

import pytest
from mlx.utils import tree_flatten
from processes import COMMAND

from streamtrans.models.embedded import ASSETS
from streamtrans.models.qwen2_streaming.model import Model, ModelArgs
from streamtrans.runtime import mx

PATIENCE = 120  # seconds, for machines that are busy
SAID = {
    "empty": b"",
    "spaces": b"   \n \t \n",
    "punctuation only": b"... ?! -- ;\n",
    "NUL": b"Good\0 morning, my friend.\n",
    "surrogates in UTF-8": b"Good \xed\xa0\x80 morning.\n",
    "invalid UTF-8": b"Good morning.\nBad \xff byte.\n",
    "half a character at the end": b"Good morning, caf\xc3",
    "UTF-16 with a mark": "Good morning.\n".encode("utf-16"),
    "UTF-16 without a mark": "Good morning.\n".encode("utf-16-be"),
    "UTF-32": "Good morning.\n".encode("utf-32"),
    "CR alone": b"Good morning.\rHow are you?\r",
    "CR LF": b"Good morning.\r\nHow are you?\r\n",
    "U+2028 and U+2029": "Good morning.\u2028How are you?\u2029Bye.\n".encode(),
    "zero-width": "Good\u200b mor\u200bning,\u2060 my\ufeff friend.\n".encode(),
    "combining": ("Good mo" + "\u0301" * 300 + "rning.\n").encode(),
    "emoji with joiners": "Good morning 👩‍👩‍👧‍👦 🇵🇹 👍🏽.\n".encode(),
    "right to left": "Good morning שלום and مرحبا \u202e friend.\n".encode(),
    "HTML": b"<p>Good <b>morning</b>, my friend.</p>&amp; <!-- x -->\n",
    "sequences that drive a terminal": b"Good \x1b[31mday\x1b]0;title\x07, \x1b[2J\x1bP+q\x1b\\ "
    b"\xc2\x9b31m my friend.\n",
    "10,000 words a line": b"we go home and " * 2_500 + b"\n",
    "10 MB without a space": b"a" * 10_000_000,
}
FAULTS = {
    "surrogates in UTF-8": "not UTF-8",
    "invalid UTF-8": "not UTF-8",
    "half a character at the end": "not UTF-8",
    "UTF-16 with a mark": "is UTF-16",
    "UTF-16 without a mark": "is UTF-16",
    "UTF-32": "UTF-",
    "empty": "is empty",
}
WARNED = {"10,000 words a line", "10 MB without a space"}
MOST_MEMORY = 600 << 20  # bytes; a short line takes 230 MB, most of it the model and its libraries


SMALL = {
    "vocab_size": 8000,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "tie_word_embeddings": True,
}


@pytest.fixture(scope="module")
def small_model(tmp_path_factory):
    """A random model, with which ten thousand words take seconds."""
    folder = tmp_path_factory.mktemp("small")
    mx.random.seed(3)
    mx.save_safetensors(str(folder / "model.safetensors"), dict(tree_flatten(Model(ModelArgs(**SMALL)).parameters())))
    section = {"tokenizer": "sentencepiece-suffix", "source_language": "en", "target_language": "pt"}
    section |= {"max_source_words": 60, "length_ratio": 1}
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen2", **SMALL, "streamtrans": section}))
    shutil.copy(ASSETS / "en-pt" / "tokenizer.model", folder)
    return str(folder)


def translated(command: list[str], text: bytes) -> subprocess.CompletedProcess:
    return subprocess.run([*COMMAND, *command], input=text, capture_output=True, timeout=PATIENCE)


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("command", [["live"], ["translate", "-"]], ids=["live", "translate"])
def test_a_right_answer_or_one_line(command, name, small_model):
    done = translated([*command, "--model", small_model] if name == "10,000 words a line" else command, SAID[name])
    out, err = done.stdout.decode(), done.stderr.decode()
    if name in FAULTS and not (name == "empty" and command == ["live"]):
        assert done.returncode == 1
        assert FAULTS[name] in err
        assert err.count("\n") == 1
    else:
        assert done.returncode == 0
        assert err.count("\n") == err.count("warning") <= 1
        moves = command[0] == "live" and name == "10,000 words a line"  # a window does, and nothing is cut
        assert ("too long" in err) == (name in WARNED and not moves)
    assert "Traceback" not in err
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "\0" not in out


@pytest.mark.parametrize(
    ("name", "lines"),
    [("spaces", 2), ("CR alone", 1), ("CR LF", 2), ("U+2028 and U+2029", 1), ("10,000 words a line", 1)],
)
def test_translate_has_a_line_for_each(name, lines, small_model):
    """Only "\\n" ends a line; other programs count as `wc -l` does."""
    assert translated(["translate", "-", "--model", small_model], SAID[name]).stdout.count(b"\n") == lines


def test_what_was_understood_before_a_fault_is_translated():
    for command in (["live"], ["translate", "-"]):
        usual = translated(command, b"Good morning.\n").stdout
        assert translated(command, SAID["invalid UTF-8"]).stdout.startswith(usual)


@pytest.mark.parametrize("command", [["live"], ["translate", "-"]], ids=["live", "translate"])
def test_memory_has_a_bound_whatever_the_length_of_a_word(command):
    measured = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
    measured += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"  # this process has had other children
    argv = [sys.executable, "-c", measured, *COMMAND, *command]
    done = subprocess.run(argv, input=b"b" * 20_000_000, capture_output=True, timeout=PATIENCE, check=True)
    assert int(done.stdout) * 1024 < MOST_MEMORY
