"""Sound of every kind becomes 16-kHz mono samples; what is no sound is one line."""

import io
import struct
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrans.errors import DataError
from streamtrans.speech.sound import RATE, FileSound, PipeSound, Resampler, wav_blocks


def tone(rate: int, seconds: float = 0.5, hertz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def wav(samples: np.ndarray, rate: int, width: int = 2, channels: int = 1) -> bytes:
    whole = np.round(samples.astype(np.float64) * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    frames = (whole + 128 if width == 1 else whole).astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width]
    frames = np.repeat(frames[:, None], channels, axis=1)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.setframerate(rate)
        out.writeframes(frames.tobytes())
    return file.getvalue()


def read(data: bytes) -> np.ndarray:
    return np.concatenate(list(wav_blocks(io.BytesIO(data), "talk.wav")))


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_width_and_number_of_channels(width, channels):
    assert np.abs(read(wav(tone(RATE), RATE, width, channels)) - tone(RATE)).max() < 0.02


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000])
def test_any_rate(rate):
    samples = read(wav(tone(rate), rate))
    assert len(samples) == RATE // 2
    assert np.abs(samples - tone(RATE))[200:-200].max() < 0.01


def test_tones_that_16_khz_cannot_hold_are_silenced():
    assert np.abs(read(wav(tone(48000, hertz=12000), 48000)))[200:-200].max() < 0.01


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 3000), max_size=8), st.sampled_from([8000, 22050, 44100]))
def test_any_cut_gives_the_same_samples(sizes, rate):
    samples = tone(rate, 0.3)
    whole, cut, at, parts = Resampler(rate), Resampler(rate), 0, []
    for size in [*sizes, len(samples)]:
        parts.append(cut.feed(samples[at : at + size]))
        at += size
    together = np.concatenate([whole.feed(samples), whole.finish()])
    np.testing.assert_allclose(np.concatenate([*parts, cut.finish()]), together, atol=1e-6)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty or ends too soon"),
        (b"RIFF", "empty or ends too soon"),
        (b"Good morning, my friend.", "no WAV file that can be read"),
        (b"RIFF\xff\0\0\0WAVEfmt \x10\0\0\0" + struct.pack("<HHIIHH", 3, 1, RATE, 4 * RATE, 4, 32), "ffmpeg"),
        (b"RIFF\xff\0\0\0WAVEfmt \x10\0\0\0" + struct.pack("<HHIIHH", 1, 1, 1, 2, 2, 16) + b"data\0\0\0\0", "at 1 Hz"),
    ],
)
def test_what_is_no_sound_is_one_line(tmp_path, data, said):
    (tmp_path / "talk.wav").write_bytes(data)
    with pytest.raises(DataError, match=said):
        FileSound(tmp_path / "talk.wav")


def test_a_file_comes_in_the_pieces_asked_for_until_it_ends(tmp_path):
    (tmp_path / "talk.wav").write_bytes(wav(tone(RATE), RATE))
    sound = FileSound(tmp_path / "talk.wav")
    assert [len(sound.read(3000, 3000)) for _ in range(4)] == [3000, 3000, 2000, 0]
    sound.stop()
    assert not len(sound.read(1, 1))


def drained(data: bytes) -> np.ndarray:
    sound, parts = PipeSound(io.BytesIO(data)), []
    while len(part := sound.read(1000, 5000)):
        parts.append(part)
    return np.concatenate([*parts, np.zeros(0, np.float32)])


def test_a_pipe_is_a_wav_even_of_unknown_length_or_raw_samples():
    sound = wav(tone(RATE), RATE)
    endless = sound[:4] + b"\xff" * 4 + sound[8:40] + b"\xff" * 4 + sound[44:]
    for data in (sound, endless, sound[44:]):
        assert np.abs(drained(data) - tone(RATE)).max() < 0.001
    assert not len(drained(b""))


def test_a_pipe_that_breaks_is_said_after_its_samples():
    sound = PipeSound(io.BytesIO(b"RIFFnothing"))
    with pytest.raises(DataError, match="standard input"):
        sound.read(1, 1)
