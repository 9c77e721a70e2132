"""`streamtrans live` in a pipe, as a process."""

import json
import signal
import subprocess
import sys
import time

import pytest
from processes import COMMAND, TIMEOUT, run, start

SENTENCE = "I would like to book a table for two people tomorrow evening."


def kinds(output: str) -> list[str]:
    return [json.loads(line)["type"] for line in output.splitlines()]


def test_a_sentence_is_a_line():
    done = run("live", text=f"{SENTENCE}\nThank you very much.\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2
    assert "mesa" in done.stdout
    assert "  " not in done.stdout


def test_plain_words_are_those_of_the_events():
    events = [json.loads(line) for line in run("live", "--json", text=SENTENCE).stdout.splitlines()]
    written = [event["text"] for event in events if event["type"] == "write"]
    assert run("live", text=SENTENCE).stdout == " ".join(written) + "\n"
    assert [event["text"] for event in events if event["type"] == "read"] == SENTENCE.split()
    assert [event["type"] for event in events[-2:]] == ["end", "done"]
    assert list(events[0]) == ["type", "sentence", "index", "text", "delay", "time_ms"]


def test_the_first_word_comes_before_the_source_ends():
    process = start("live", "--wait-k", "2")
    process.stdin.write(b"I would lik")
    assert len(process.stdout.read(1)) == 1  # blocks for ever if the word waits for a line or for the end
    assert process.poll() is None
    out, err = process.communicate(b"e to go.", timeout=TIMEOUT)
    assert (process.returncode, err) == (0, b"")
    assert out.endswith(b"\n")


def test_any_cut_of_the_input_gives_the_same_output():
    process = start("live")
    text = "My friend José drinks café au lait.\nGood morning! How are you?"
    for byte in text.encode():
        process.stdin.write(bytes([byte]))
    out, _ = process.communicate(timeout=TIMEOUT)
    assert out.decode() == run("live", text=text).stdout


def test_no_input_gives_no_output():
    done = run("live")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_was_read_before_bytes_that_are_not_utf8_is_translated():
    done = run("live", text=b"Good morning, my friend \xff and so on")
    assert done.returncode == 1
    assert done.stdout == run("live", text="Good morning, my friend").stdout
    assert done.stderr == "streamtrans: the input is not UTF-8: byte 0xff (invalid start byte)\n"


def test_input_that_ends_inside_a_character():
    done = run("live", "--json", text=b"Good morning, my friend caf\xc3")
    assert done.returncode == 1
    assert kinds(done.stdout)[-1] == "end"
    assert done.stderr.startswith("streamtrans: the input is not UTF-8")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_has_enough_ends_it_silently():
    process = start("live")
    process.stdin.write(b"I would like to go. ")
    process.stdout.read(1)
    process.stdout.close()
    process.stdin.write(b"Thank you very much. And some more words.\n")
    process.stdin.close()
    assert process.wait(TIMEOUT) == 141
    assert process.stderr.read() == b""


def test_control_c_writes_what_is_owed():
    process = start("live", "--wait-k", "3", "--json")
    process.stdin.write(b"I would like to go to the station ")
    read = b""
    while b'"station"' not in read:
        read += process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, err) == (130, b"")
    assert kinds(out.decode())[-2:] == ["end", "done"]
    assert kinds(out.decode()).count("write") >= 2


def test_control_c_inside_a_long_piece_loses_nothing_that_was_read():
    process = start("live", "--wait-k", "3", "--json")
    process.stdin.write(b"we go home and we go out. " * 2000)
    read = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, err) == (130, b"")
    events = [json.loads(line) for line in (read + out).decode().splitlines()]
    assert [event["type"] for event in events[-2:]] == ["end", "done"]
    ends = [event for event in events if event["type"] == "end"]
    assert len(ends) < 2000
    for end in ends:
        written = [e["text"] for e in events if e["type"] == "write" and e["sentence"] == end["sentence"]]
        assert " ".join(written) == end["text"]


def test_control_c_while_loading_ends_it():
    process = start("live")
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode in (130, -signal.SIGINT)  # the latter before a line of ours has run
    assert b"streamtrans" not in err or process.returncode < 0


def test_silence_ends_a_sentence():
    process = start("live", "--pause", "0.2")
    process.stdin.write(b"Good morning, my friend")
    line = process.stdout.readline()  # blocks for ever if silence ends nothing
    assert len(line.split()) >= 3
    process.stdin.write(b"Thank you")
    process.stdin.close()
    assert process.stdout.read().endswith(b"\n")
    assert process.wait(TIMEOUT) == 0


def test_a_window_moves_over_words_without_end():
    done = run("live", "--json", text="we go home and " * 40)
    assert done.returncode == 0
    assert not done.stderr
    assert kinds(done.stdout).count("read") == 160


def test_a_sentence_longer_than_the_model_can_read_is_segmented_with_one_warning():
    done = run("live", "--json", "--wait-k", "inf", text="we go home and " * 40)  # no window can move before a word
    assert done.returncode == 0
    assert done.stderr == "streamtrans: warning: a sentence was too long for the model; it is translated in parts\n"
    assert kinds(done.stdout).count("end") == 1
    assert kinds(done.stdout).count("read") == 160


def test_a_policy_that_revises_holds_a_line_back_until_it_is_final():
    done = run("live", "--policy", "retranslate", text="Good morning, my friend.")
    events = run("live", "--policy", "retranslate", "--json", text="Good morning, my friend.").stdout
    assert done.stdout == json.loads(events.splitlines()[-2])["text"] + "\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--wait-k", "three"], "--wait-k is 'three'; it must be a whole number from 1, or inf"),
        (["--wait-k", "0"], "--wait-k is '0'; it must be a whole number from 1, or inf"),
        (["--wait-k", "1,3"], "--wait-k has 2 values; this command takes one"),
        (
            ["--policy", "boundary", "--wait-k", "3"],
            "--wait-k is an option of wait-k and wait-k-flush, not of boundary",
        ),
        (["--pause", "0"], "--pause is 0; it must be more than 0 seconds"),
        (["--pause", "nan"], "--pause is nan; it must be more than 0 seconds"),
        (["--pause", "inf"], "--pause is inf; it must be an hour at most, or left out for none"),
    ],
)
def test_options_that_cannot_be(arguments, said):
    done = run("live", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"streamtrans: {said}\n")


def test_an_unknown_model():
    done = run("live", "--model", "en-ptt")
    assert done.returncode == 1
    assert done.stderr.startswith("streamtrans: no model 'en-ptt', did you mean en-pt?")
    assert done.stderr.count("\n") == 1


def test_closed_standard_input():
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *COMMAND, "live"], capture_output=True, text=True, timeout=TIMEOUT
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "standard input is closed" in done.stderr


def test_live_imports_no_heavy_library():
    live = [sys.executable, "-X", "importtime", *COMMAND[1:], "live"]
    done = subprocess.run(live, input="Good morning.", capture_output=True, text=True, timeout=TIMEOUT)
    imported = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert done.returncode == 0
    assert "mlx" in imported
    assert not imported & {"mlx_lm", "transformers", "torch", "sacrebleu", "rich", "huggingface_hub"}


def test_words_of_another_script_are_copied_and_said_so():
    done = run("live", text="Привет мир. How are you?\n")
    assert done.returncode == 0
    assert "Привет мир." in done.stdout
    assert done.stderr.count("were copied") == 1


def test_carrying_can_be_turned_off():
    line = "Copied %d of %s files to {folder}.\n"
    kept, left = run("live", text=line), run("live", "--no-carry", text=line)
    assert all(part in kept.stdout for part in ("%d", "%s", "{folder}"))
    assert left.stdout != kept.stdout


@pytest.mark.parametrize("command", [["live"], ["translate", "-"]])
def test_utf16_without_a_mark_is_named(command):
    done = run(*command, text="Good morning, my friend.\n".encode("utf-16-le"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "is UTF-16, not UTF-8; convert it with: iconv -f UTF-16LE -t UTF-8" in done.stderr
