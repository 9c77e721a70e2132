"""What hears needs no model of translation, and a recogniser only where one is used."""

import subprocess
import sys


def test_the_core_of_speech_imports_neither_mlx_nor_a_recogniser():
    modules = "agreement, hypotheses, listener, lags, sound, whisper, window"
    code = f"import sys; from streamtrans.speech import {modules}; print(*{{m.split('.')[0] for m in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"mlx", "faster_whisper", "ctranslate2", "onnxruntime", "sounddevice", "av"}
