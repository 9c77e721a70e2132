"""Whisper, by faster-whisper, as a recogniser of a window; imported only where it is used."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from streamtrans.errors import ModelError, UsageError
from streamtrans.speech.hypotheses import UNSPOKEN, Heard, spaced_words
from streamtrans.speech.sound import RATE

_SHORTEST = 0.2  # seconds; less holds no word


class Whisper:
    """One core, 8-bit weights, greedy: `speech` and `words` as `window.Recogniser` wants them."""

    def __init__(self, folder: Path, language: str):
        """folder: a model for CTranslate2. Raises ModelError if it cannot be loaded."""
        from faster_whisper import WhisperModel
        from faster_whisper.vad import VadOptions, get_speech_timestamps

        try:
            self._model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1)
        except (RuntimeError, ValueError, OSError) as error:
            said = " ".join(str(error).split())
            raise ModelError(f"{folder} is no speech model for faster-whisper: {said}") from error
        self._language = language if self._model.model.is_multilingual else "en"
        if language != self._language:
            raise UsageError(f"{folder} recognises English only; choose another --asr-model for {language}")
        self._find, self._voice = get_speech_timestamps, VadOptions(min_silence_duration_ms=500, speech_pad_ms=100)

    def speech(self, samples: np.ndarray) -> list[tuple[float, float]]:
        """Where there is speech, in seconds."""
        return [(part["start"] / RATE, part["end"] / RATE) for part in self._find(samples, self._voice)]

    def words(self, samples: np.ndarray) -> list[Heard]:
        """The words, with times in seconds."""
        if len(samples) < _SHORTEST * RATE:
            return []
        segments, _ = self._model.transcribe(
            samples,
            language=self._language,
            beam_size=1,
            temperature=0,
            word_timestamps=True,
            condition_on_previous_text=False,
        )
        pieces = [w for segment in segments if segment.no_speech_prob <= UNSPOKEN for w in segment.words or []]
        return list(spaced_words([Heard(w.word, float(w.start), float(w.end)) for w in pieces]))


def find_whisper(model: str | None, language: str) -> Path:
    """The folder of a speech model by its name or path; without either, the smallest for the language.

    Nothing is downloaded. Raises UsageError if faster-whisper is missing, ModelError if there is no such model here.
    """
    if find_spec("faster_whisper") is None:
        raise UsageError("listen needs faster-whisper: pip install 'streamtrans[speech]'")
    name = model or ("tiny.en" if language == "en" else "tiny")
    if Path(name).is_dir():
        return Path(name)
    from faster_whisper import available_models
    from faster_whisper.utils import _MODELS, download_model

    names: Any = available_models()
    if name not in names and name.count("/") != 1:
        raise ModelError(f"no speech model {name!r}; give a directory, or one of {', '.join(names)}")
    try:
        return Path(download_model(name, local_files_only=True))
    except Exception:  # of huggingface_hub, by the version another one
        fetch = f"hf download {_MODELS.get(name, name)}"
        raise ModelError(f"the speech model {name} is not here; get it with: {fetch}, or give a directory") from None
