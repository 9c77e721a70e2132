"""`streamtrans live --input jsonl`, as a process: hypotheses of a recogniser become a translation."""

import json
import signal

import pytest
from processes import TIMEOUT, run, start

VOSK = [
    {"partial": ""},
    {"partial": "good"},
    {"partial": "good morning"},
    {"partial": "good morning my friend"},
    {"text": "good morning my dear friends."},
]


def lines(*hypotheses) -> str:
    return "".join(json.dumps(hypothesis) + "\n" for hypothesis in hypotheses)


def events(done) -> list[dict]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def texts(done, kind: str) -> list[str]:
    return [event["text"] for event in events(done) if event["type"] == kind]


def recognised(*hypotheses, options=()):
    done = run("live", "--input", "jsonl", "--json", *options, text=lines(*hypotheses))
    assert (done.returncode, done.stderr) == (0, "")
    return done


def test_hypotheses_give_the_translation_of_their_words():
    done = run("live", "--input", "jsonl", text=lines(*VOSK))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run("live", text="good morning my dear friends.").stdout


def test_a_contradiction_is_a_notice_and_nothing_is_read_twice():
    done = recognised(*VOSK, options=["--stable-words", "0"])
    assert texts(done, "read") == "good morning my dear friends.".split()
    done = recognised(*VOSK[:4], {"text": "good evening my friend."}, options=["--stable-words", "0"])
    assert texts(done, "notice") == ["revised: fed 'morning', recogniser now says 'evening'"]
    assert texts(done, "read") == "good morning my friend.".split()


def test_events_have_the_times_of_the_speech():
    words = [{"word": " Good", "start": 0.5, "end": 0.8}, {"word": " morning.", "start": 0.8, "end": 1.4}]
    reads = [e for e in events(recognised({"text": " Good morning.", "words": words})) if e["type"] == "read"]
    assert [(e["text"], e["start_ms"], e["end_ms"]) for e in reads] == [("Good", 500, 800), ("morning.", 800, 1400)]


def test_a_pause_in_the_speech_ends_a_sentence():
    said = {"words": [["good", 0, 300], ["morning", 300, 800], ["thank", 2900, 3200], ["you", 3200, 3500]]}
    assert texts(recognised(said), "end") == texts(recognised(said, options=["--pause", "2.2"]), "end")
    assert len(texts(recognised(said, options=["--pause", "2"]), "end")) == 2


def test_silence_of_the_recogniser_ends_a_sentence_with_the_words_it_held():
    process = start("live", "--input", "jsonl", "--pause", "0.2")
    process.stdin.write(lines({"partial": "good morning my friend"}).encode())
    line = process.stdout.readline()  # blocks for ever if silence ends nothing
    assert len(line.split()) >= 3
    process.stdin.write(lines({"text": "good morning my friend"}).encode())
    out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out, err) == (0, b"", b"")


def test_lines_that_say_nothing_are_warned_of_and_the_stream_goes_on():
    text = lines(VOSK[3]) + "no json\n\n[1]\n" + lines({"confidence": 1}, VOSK[4]).rstrip("\n")
    done = run("live", "--input", "jsonl", text=text)
    assert done.returncode == 0
    assert done.stdout == run("live", text="good morning my dear friends.").stdout
    assert done.stderr.splitlines() == [
        f"streamtrans: warning: line {number} of the recogniser is left out: {said}"
        for number, said in [(2, "no JSON"), (4, "no JSON object"), (5, "no text")]
    ]


def test_a_line_that_is_too_long_is_refused():
    text = lines({"text": "good morning."}, {"text": "x" * (1 << 20)}, {"text": "Thank you."})
    done = run("live", "--input", "jsonl", text=text)
    assert done.stdout == run("live", text="good morning. Thank you.").stdout
    assert done.stderr == ("streamtrans: warning: line 2 of the recogniser is left out: more than 262144 bytes\n")


def test_bytes_that_are_not_utf8():
    done = run("live", "--input", "jsonl", text=b'{"text": "caf\xff"}\n{"text": "Thank you."}')
    assert done.stdout == run("live", text="Thank you.").stdout
    assert done.stderr.endswith("line 1 of the recogniser is left out: no JSON\n")


def test_what_a_recogniser_held_when_it_ended_is_translated():
    assert texts(recognised(*VOSK[:4]), "read") == "good morning my friend".split()


def test_control_c_writes_what_was_heard():
    process = start("live", "--input", "jsonl", "--json")
    process.stdin.write(lines({"partial": "good"}, {"partial": "good morning my friend"}).encode())
    assert b'"good"' in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, err) == (130, b"")
    assert [json.loads(line)["type"] for line in out.splitlines()[-2:]] == ["end", "done"]
    assert b'"friend"' in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--stable-words", "2"], "streamtrans: --stable-words needs --input jsonl; text is never revised\n"),
        (["--input", "xml"], "'xml' is not one of"),
        (["--input", "jsonl", "--stable-words", "-1"], "invalid value for '--stable-words'"),
    ],
)
def test_options_of_a_recogniser_that_cannot_be(arguments, said):
    done = run("live", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr
