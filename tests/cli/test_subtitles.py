"""Files of captions from the command line, as processes: `live` and `translate --subtitles`, `translate talk.srt`."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from processes import COMMAND, TIMEOUT, run, start

from streamtrans.captions.reading import read_cues

SENTENCE = "I would like to book a table for two people tomorrow evening."
SUMMARY = re.compile(
    r"(\S+): (\d+) cues?; reading speed [\d.]+ characters per second in the median, [\d.]+ in the fastest\n"
)
TALK = """1
00:00:01,000 --> 00:00:03,500
<i>I have never seen a country</i>
where people had so much desire

2
00:00:03,600 --> 00:00:06,000
to learn new things every day.

3
00:00:06,500 --> 00:00:08,000
Yes. I know.

4
00:00:08,200 --> 00:00:09,800
- How are you?
- Very well, thank you.
"""


@pytest.fixture
def talk(tmp_path):
    (tmp_path / "talk.srt").write_text(TALK)
    return tmp_path / "talk.srt"


def words_of(cues) -> list[str]:
    return " ".join(line for cue in cues for line in cue.lines).split()


def read_cues_of(text: str, folder):
    (folder / "printed.srt").write_text(text)
    return read_cues(folder / "printed.srt")


@pytest.mark.parametrize("policy", [(), ("--policy", "retranslate")])
@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_live_writes_what_it_says(tmp_path, kind, policy):
    file = tmp_path / f"talk.{kind}"
    done = run("live", "--subtitles", str(file), *policy, text=f"{SENTENCE} Thank you.\nYes\n")
    assert done.returncode == 0
    cues = read_cues(file)
    assert words_of(cues) == done.stdout.split()
    assert [file.name, str(len(cues))] == [
        SUMMARY.fullmatch(done.stderr)[1].split("/")[-1],
        SUMMARY.fullmatch(done.stderr)[2],
    ]


def test_json_stays_json(tmp_path):
    plain = run("live", "--json", text=SENTENCE).stdout
    done = run("live", "--json", "--subtitles", str(tmp_path / "talk.vtt"), text=SENTENCE)
    untimed = re.compile(r'"time_ms": [\d.]+')
    assert untimed.sub("", done.stdout) == untimed.sub("", plain)
    assert SUMMARY.fullmatch(done.stderr)


def test_no_input_gives_no_cues(tmp_path):
    done = run("live", "--subtitles", str(tmp_path / "talk.vtt"))
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"{tmp_path}/talk.vtt: no cues\n"
    assert (tmp_path / "talk.vtt").read_text() == "WEBVTT\n\n"


def test_a_kill_keeps_the_sentences_that_ended(tmp_path):
    file = tmp_path / "talk.srt"
    process = start("live", "--subtitles", str(file))
    process.stdin.write(f"{SENTENCE}\nThank you very".encode())
    deadline = time.monotonic() + TIMEOUT
    while not (file.exists() and b"mesa" in file.read_bytes()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait(timeout=TIMEOUT)
    assert words_of(read_cues(file))[-1] == "noite."


def test_an_interruption_keeps_all(tmp_path):
    file = tmp_path / "talk.srt"
    process = start("live", "--wait-k", "1", "--subtitles", str(file))
    process.stdin.write(b"I would like to go home ")
    assert process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130
    assert "".join(words_of(read_cues(file)))[1:] == "".join(out.decode().split())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_is_told_once_and_live_goes_on(tmp_path):
    file = tmp_path / "talk.srt"
    file.symlink_to("/dev/full")
    text = "Thank you.\nYes.\nGood morning.\n"
    done = run("live", "--subtitles", str(file), text=text)
    assert done.returncode == 1
    assert done.stdout == run("live", text=text).stdout
    assert done.stderr.splitlines() == [
        f"streamtrans: warning: {file}: No space left on device; its captions wait until they can be written",
        f"streamtrans: {file}: no space left on the device; what was written is kept",
    ]


def test_typing_writes_captions(tmp_path):
    import pexpect

    file = tmp_path / "talk.srt"
    child = pexpect.spawn(
        sys.executable, ["-m", "streamtrans", "live", "--subtitles", str(file)], timeout=TIMEOUT, dimensions=(24, 80)
    )
    child.send("Thank you very much.\r")
    child.expect("obrigado")
    child.send("\x04")
    child.expect("1 cue; reading speed")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert words_of(read_cues(file))[-1] == "obrigado."


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        ("live --subtitles talk.txt", 2, "talk.txt: --subtitles writes .srt or .vtt, by the name of the file"),
        ("live --subtitles no/such/talk.srt", 1, "no/such/talk.srt: No such file or directory"),
        ("live --subtitles pipe.srt", 2, "pipe.srt is a pipe; --subtitles needs a file"),
        ("translate talk.srt -o talk.txt", 2, "talk.txt: the captions of talk.srt are written as .srt or .vtt"),
        (
            "translate talk.txt -o talk.srt",
            2,
            "talk.txt is no file of captions; to write some, use --subtitles talk.srt",
        ),
        ("translate talk.srt --json", 2, "--json does not go with a file of captions"),
        ("translate talk.srt -o out.srt --resume", 2, "--resume does not go with a file of captions"),
        ("translate talk.srt --subtitles out.srt", 2, "--subtitles does not go with a file of captions"),
        ("translate talk.srt -o talk.srt", 2, "talk.srt is the input"),
        ("listen talk.srt --subtitles talk.srt", 2, "talk.srt is the input"),
        ("translate talk.txt -o out.txt --subtitles out.srt --resume", 2, "it does not go with --resume"),
        ("translate missing.vtt", 1, "missing.vtt: No such file or directory"),
        ("translate empty.vtt", 1, "empty.vtt is empty"),
        ("translate wrong.srt", 1, "wrong.srt has no captions"),
    ],
)
def test_errors_are_one_line(talk, tmp_path, arguments, code, complaint):
    (tmp_path / "talk.txt").write_text("Good morning.\n")
    (tmp_path / "wrong.srt").write_text("Good morning.\n")
    (tmp_path / "empty.vtt").touch()
    os.mkfifo(tmp_path / "pipe.srt")
    done = run(*arguments.split(), cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert complaint in done.stderr
    assert talk.read_text() == TALK


@pytest.mark.parametrize("arguments", ["live --subtitles talk.srt", "translate - --subtitles talk.srt"])
def test_captions_are_not_written_over_standard_input(talk, arguments):
    with talk.open() as source:
        done = subprocess.run([*COMMAND, *arguments.split()], stdin=source, capture_output=True, cwd=talk.parent)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"streamtrans: talk.srt is the input; write to another file\n"
    assert talk.read_text() == TALK


def test_captions_are_translated(talk, tmp_path):
    done = run("translate", str(talk), "-o", str(tmp_path / "talk.pt.vtt"))
    assert (done.returncode, done.stdout) == (0, "")
    assert SUMMARY.fullmatch(done.stderr)
    cues = read_cues(tmp_path / "talk.pt.vtt")
    assert (cues[0].start_ms, cues[1].end_ms) == (1000, 6000)
    assert [(cue.start_ms, cue.lines) for cue in cues[2:]] == [
        (6500, ("Sim. Eu sei.",)),
        (8200, ("- Como você está?", "- Muito bem, obrigado.")),
    ]
    assert words_of(cues) == words_of(read_cues_of(run("translate", str(talk)).stdout, tmp_path))


def test_a_sentence_is_translated_as_a_whole(talk, tmp_path):
    lines = "I have never seen a country where people had so much desire to learn new things every day.\nYes.\n"
    whole = run("translate", "-", text=lines).stdout
    run("translate", str(talk), "-o", str(tmp_path / "out.srt"), "--limit", "2")
    assert words_of(read_cues(tmp_path / "out.srt")) == whole.split()


def test_the_log_has_the_sentences(talk, tmp_path):
    done = run("translate", str(talk), "--save-log", str(tmp_path / "run"))
    assert done.returncode == 0
    assert (tmp_path / "run" / "instances.log").read_text().count("\n") == 5


def test_text_has_captions_at_a_steady_pace(tmp_path):
    (tmp_path / "talk.en").write_text("Good morning.\n\nThank you very much.\n")
    done = run("translate", "talk.en", "--subtitles", "talk.srt", "--wait-k", "inf", cwd=tmp_path)
    assert done.returncode == 0
    cues = read_cues(tmp_path / "talk.srt")
    assert words_of(cues) == done.stdout.split()
    assert [cue.start_ms for cue in cues] == [800, 2400]  # all is said when the last word has come, 400 ms a word
