"""Sound from a WAV file, a pipe or a microphone, as 16-kHz mono samples that arrive over time."""

import sys
import threading
import time
import wave
from collections import deque
from collections.abc import Iterator
from math import gcd
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from streamtrans.errors import DataError, UsageError

RATE = 16_000
"""Samples per second, for every recogniser."""

LONGEST_BACKLOG = 60 * RATE
"""Samples that wait; a pipe has to wait beyond them."""

_BLOCK = RATE
_TAPS = 16
"""Zero crossings of the resampling filter on each side."""


class Sound(Protocol):
    """Mono samples at `RATE`, float32 between -1 and 1; `began` is when the first was there, by `time.perf_counter`."""

    live: bool
    """Whether the samples come at the speed of speech."""
    began: float

    def read(self, least: int, most: int) -> np.ndarray:
        """Waits for `least` samples and gives those there are, `most` at most; fewer than `least` only at the end."""

    def stop(self) -> None:
        """Nothing more is wanted; `read` gives what there is."""


class FileSound:
    """A WAV file; with `real_time`, as if it were played."""

    def __init__(self, path: Path, real_time: bool = False):
        """Raises DataError if the file is no WAV of 8, 16, 24 or 32 bits; OSError if it cannot be read."""
        self._file = path.open("rb")
        self._blocks = wav_blocks(self._file, str(path))
        self._rest = np.zeros(0, np.float32)
        self.live, self.began = real_time, 0.0
        self._given, self._stopped = 0, threading.Event()

    def read(self, least: int, most: int) -> np.ndarray:
        """Gives samples, as a `Sound` does."""
        self.began = self.began or time.perf_counter()
        wanted = most
        if self.live:
            due = self.began + (self._given + least) / RATE
            self._stopped.wait(max(0.0, due - time.perf_counter()))
            wanted = min(most, int((time.perf_counter() - self.began) * RATE) - self._given)
        if self._stopped.is_set():
            return self._rest[:0]
        while len(self._rest) < wanted and (block := next(self._blocks, None)) is not None:
            self._rest = np.concatenate([self._rest, block])
        samples, self._rest = self._rest[:wanted], self._rest[wanted:]
        self._given += len(samples)
        return samples

    def stop(self) -> None:
        """Ends the sound."""
        self._stopped.set()


class _ArrivingSound:
    """Samples that another thread puts in."""

    live = True

    def __init__(self) -> None:
        self.began = 0.0
        self._blocks: deque[np.ndarray] = deque()
        self._changed = threading.Condition()
        self._count, self._ended = 0, False
        self._error: Exception | None = None

    def _put(self, samples: np.ndarray, wait: bool) -> None:
        with self._changed:
            self.began = self.began or time.perf_counter() - len(samples) / RATE
            self._blocks.append(samples)
            self._count += len(samples)
            self._changed.notify_all()
            while wait and self._count > LONGEST_BACKLOG and not self._ended:
                self._changed.wait()

    def _end(self, error: Exception | None = None) -> None:
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def read(self, least: int, most: int) -> np.ndarray:
        """Gives samples, as a `Sound` does; raises what the source raised, after its samples."""
        with self._changed:
            while self._count < least and not self._ended:
                self._changed.wait()
            if not self._count and self._error:
                raise self._error
            everything = np.concatenate([*self._blocks, np.zeros(0, np.float32)])
            samples, rest = everything[:most], everything[most:]
            self._blocks, self._count = deque([rest]), len(rest)
            self._changed.notify_all()
            return samples

    def stop(self) -> None:
        """Ends the sound."""
        self._end()


class PipeSound(_ArrivingSound):
    """A WAV, or raw 16-bit samples at 16 kHz, from a pipe."""

    def __init__(self, pipe: BinaryIO):
        super().__init__()
        self._pipe = pipe
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            for block in _pipe_blocks(self._pipe):
                self._put(block, wait=True)
                if self._ended:
                    return
            self._end()
        except Exception as error:
            self._end(error)


class Microphone(_ArrivingSound):
    """The default microphone. Raises UsageError where there is none, or sounddevice is missing."""

    def __init__(self) -> None:
        super().__init__()
        try:
            import sounddevice
        except ImportError:
            raise UsageError("--microphone needs sounddevice: pip install 'streamtrans[speech]'") from None
        except OSError as error:
            raise UsageError(f"--microphone needs PortAudio ({error}); on Debian: apt install libportaudio2") from None
        try:
            self._stream: Any = sounddevice.InputStream(RATE, RATE // 10, channels=1, callback=self._take)
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            said = " ".join(str(error).split())
            raise UsageError(f"no microphone can be opened: {said}; give a WAV file instead") from None

    def _take(self, samples: np.ndarray, *_: Any) -> None:
        self._put(samples[:, 0].astype(np.float32), wait=False)

    def stop(self) -> None:
        """Ends the sound."""
        self._stream.stop()
        super().stop()


class _Prefixed:
    """A pipe, and the bytes that were already read from it."""

    def __init__(self, begun: bytes, pipe: BinaryIO):
        self._begun, self._pipe = begun, pipe

    def read(self, size: int = -1) -> bytes:
        begun, self._begun = self._begun[:size], self._begun[size:]
        return begun + (self._pipe.read(size - len(begun)) if size > len(begun) else b"")

    def close(self) -> None:
        """Leaves the pipe open."""


def _pipe_blocks(pipe: BinaryIO) -> Iterator[np.ndarray]:
    begun = pipe.read(4)
    whole: Any = _Prefixed(begun, pipe)
    if begun == b"RIFF":
        yield from wav_blocks(whole, "standard input", _BLOCK // 10)
        return
    while data := whole.read(_BLOCK // 5):  # a tenth of a second
        yield _samples(data, 2, 1)


def wav_blocks(file: BinaryIO, name: str, frames: int = _BLOCK) -> Iterator[np.ndarray]:
    """The samples of a WAV in blocks, mono at `RATE`, shape (n,); `frames` of the file are read at a time.

    Raises DataError at once if it is no WAV that can be read.
    """
    convert = "convert it with: ffmpeg -i FILE -ar 16000 -ac 1 -c:a pcm_s16le talk.wav"
    try:
        sound = wave.open(file, "rb")  # noqa: SIM115
    except EOFError:
        raise DataError(f"{name} is empty or ends too soon to be a WAV file") from None
    except wave.Error as error:
        raise DataError(f"{name} is no WAV file that can be read ({error}); {convert}") from None
    width, channels, rate = sound.getsampwidth(), sound.getnchannels(), sound.getframerate()
    if not (1 <= width <= 4 and 1000 <= rate <= 400_000):
        raise DataError(f"{name} has {8 * width} bits at {rate} Hz; {convert}")
    resampler = Resampler(rate)

    def blocks() -> Iterator[np.ndarray]:
        while data := sound.readframes(frames):
            yield resampler.feed(_samples(data, width, channels))
        yield resampler.finish()

    return blocks()


def _samples(data: bytes, width: int, channels: int) -> np.ndarray:
    """Mono samples of little-endian frames, shape (n,), float32; the rest of a broken frame is left out."""
    data = data[: len(data) // (width * channels) * width * channels]
    if width == 1:
        samples = np.frombuffer(data, np.uint8).astype(np.float32) / 128 - 1
    elif width == 3:
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        samples = padded.view("<i4")[:, 0].astype(np.float32) / 2**31
    else:
        samples = np.frombuffer(data, f"<i{width}").astype(np.float32) / 2 ** (8 * width - 1)
    return samples.reshape(-1, channels).mean(axis=1, dtype=np.float32)


class Resampler:
    """Changes the rate of samples that arrive in blocks to `RATE`, by a windowed sinc; any cut gives the same."""

    def __init__(self, rate: int):
        self._up, self._down = RATE // gcd(RATE, rate), rate // gcd(RATE, rate)
        cutoff = min(1.0, RATE / rate)
        self._half = int(np.ceil(_TAPS / cutoff))
        # the taps of output n lie around input n * down / up, whose fraction repeats after `up` outputs
        offsets = np.arange(-self._half + 1, self._half + 1)
        distance = offsets[None, :] - np.arange(self._up)[:, None] / self._up
        window = np.cos(np.clip(distance / self._half, -1, 1) * np.pi / 2) ** 2
        self._taps = (cutoff * np.sinc(cutoff * distance) * window).astype(np.float32)
        self._waiting = np.zeros(self._half - 1, np.float32)
        self._begins = 1 - self._half  # input sample that `_waiting` begins with
        self._output = 0
        self._input = 0

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """The samples that are known now, shape (n,)."""
        if self._up == self._down:
            return samples
        self._input += len(samples)
        return self._advance(samples)

    def _advance(self, samples: np.ndarray) -> np.ndarray:
        waiting = np.concatenate([self._waiting, samples])
        last = self._begins + len(waiting) - 1 - self._half  # the last input that has all its taps
        count = max(0, ((last + 1) * self._up - 1) // self._down + 1 - self._output)
        positions = (np.arange(self._output, self._output + count)) * self._down
        whole = positions // self._up
        at = (whole - self._half + 1 - self._begins)[:, None] + np.arange(2 * self._half)[None, :]
        result = np.einsum("nt,nt->n", waiting[at], self._taps[positions % self._up])
        self._output += count
        kept = max(0, self._output * self._down // self._up - self._half + 1 - self._begins)
        self._waiting, self._begins = waiting[kept:], self._begins + kept
        return result.astype(np.float32)

    def finish(self) -> np.ndarray:
        """The samples at the end."""
        if self._up == self._down:
            return np.zeros(0, np.float32)
        wanted = -(-self._input * self._up // self._down) - self._output
        return self._advance(np.zeros(2 * self._half, np.float32))[: max(0, wanted)]


def open_sound(file: Path | None, microphone: bool, real_time: bool) -> Sound:
    """The sound that the command line names; "-" is standard input. Raises UsageError and DataError as its kinds do."""
    if microphone:
        return Microphone()
    if file and str(file) != "-":
        return FileSound(file, real_time)
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("nothing to listen to; give a WAV file, pipe sound in, or use --microphone")
    return PipeSound(sys.stdin.buffer)
