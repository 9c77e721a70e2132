"""`streamtrans listen`: translates speech."""

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamtrans.cli.live.signals import SignalInbox
from streamtrans.cli.shared.event_text import Spoken, Writer, json_line
from streamtrans.cli.shared.model_choice import ModelChoice, takes_model
from streamtrans.cli.shared.opening import ConnectOption, SessionNameOption, TokenOption, opener
from streamtrans.cli.shared.options import JsonOption, PlainOption, PolicyChoice, takes_policy
from streamtrans.cli.shared.pipe import HearingPipe, PauseOption, StableWordsOption, words_of
from streamtrans.cli.shared.stderr import say
from streamtrans.cli.shared.subtitles import Subtitles, SubtitlesOption, subtitles_into
from streamtrans.engine.events import End, Event, Read, Write
from streamtrans.errors import StreamtransError, UsageError
from streamtrans.speech.agreement import UNSTABLE_WORDS, Agreement
from streamtrans.speech.lags import Lags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamtrans.engine.session import Session
    from streamtrans.speech.listener import Heed, Listener
    from streamtrans.speech.sound import Sound
    from streamtrans.speech.window import Recogniser


@takes_policy
@takes_model
def listen(
    *,
    choice: PolicyChoice,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE.wav|-]", help="Speech; - is standard input.")] = None,
    microphone: Annotated[bool, typer.Option("--microphone", help="Listen to the microphone.")] = False,
    asr_model: Annotated[
        str | None,
        typer.Option("--asr-model", metavar="NAME|DIR", help="A Whisper model; tiny.en or tiny if left out."),
    ] = None,
    realtime: Annotated[bool, typer.Option("--realtime", help="Take the file at the speed of speech.")] = False,
    stable_words: StableWordsOption = None,
    model: ModelChoice,
    pause: PauseOption = None,
    connect: ConnectOption = None,
    session_name: SessionNameOption = None,
    token: TokenOption = None,
    subtitles: SubtitlesOption = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Translate speech: a WAV file, sound from a pipe, or a microphone.

    A speech recogniser writes words once they stand; each is translated as soon as it is known, a line per sentence.

    \b
    Examples:
      streamtrans listen talk.wav
      streamtrans listen --microphone --subtitles talk.srt
      streamtrans listen talk.wav --realtime --json
      ffmpeg -i talk.mp4 -f wav - | streamtrans listen -
      streamtrans listen --microphone --connect http://127.0.0.1:8484 --session talk
    """
    from streamtrans.speech.sound import open_sound
    from streamtrans.speech.whisper import Whisper, find_whisper

    if microphone and (file or realtime):
        raise UsageError("--microphone takes no file, and is always at the speed of speech")
    _, start = opener(connect, session_name, token, choice, model)

    with subtitles_into(subtitles, file) as captions:
        session = start()
        language = session.settings.source_language or "en"
        folder = find_whisper(asr_model, language)
        if captions:
            captions.language = session.settings.target_language or ""
        shown = sys.stdout.isatty() and not plain
        write = json_line if as_json else Spoken() if shown else words_of(session)
        sound = open_sound(file, microphone, realtime)
        pipe = ListeningPipe(session, write, captions, pause)
        agreement = Agreement(UNSTABLE_WORDS if stable_words is None else stable_words)
        code = translate_sound(pipe, sound, lambda: Whisper(folder, language), agreement)
    if code:
        raise typer.Exit(code)


def translate_sound(
    pipe: "ListeningPipe", sound: "Sound", recogniser: "Callable[[], Recogniser]", agreement: Agreement
) -> int:
    """Translates a sound to its end, or until Ctrl-C; gives the exit code, and tells the lags on standard error.

    Raises the recogniser's error, if it failed, once what was heard is translated.
    """
    from streamtrans.speech.listener import Listener

    with SignalInbox(signal.SIGINT) as inbox:
        listener = Listener(sound, recogniser, agreement, inbox.notify)
        try:
            while not listener.ended.is_set() or listener.waiting:
                inbox.wait(None, 0.1 if inbox.caught else None)
                if inbox.caught:
                    listener.stop()
                for heed in listener.take():
                    pipe.heed(heed, sound)
        finally:
            listener.close()
        pipe.finish()
        if sound.live:
            pipe.tell_lags()
        raise_error(listener)
        return 130 if inbox.caught else 0


def raise_error(listener: "Listener") -> None:
    """Raises how the listener failed, if it did, as an error for people."""
    error = listener.error
    if error is None:
        return
    if isinstance(error, StreamtransError):
        raise error
    said = " ".join(str(error).split()) or type(error).__name__
    raise StreamtransError(
        f"the recogniser failed after {listener.heard_until:.1f} s of sound ({said}); what was heard is translated"
    ) from error


class ListeningPipe(HearingPipe):
    """A pipe that measures: how long after it was spoken a word stood, and how long after that it was translated."""

    def __init__(
        self, session: "Session", write: Writer, captions: Subtitles | None = None, pause: float | None = None
    ):
        super().__init__(session, write, captions, pause)
        self._recogniser, self._translation = Lags(), Lags()
        self._stood: list[float] = []  # of the words that nothing written covers yet, by time.perf_counter
        self._covered = 0  # source words of the sentence
        self._at = 0.0

    def heed(self, heed: "Heed", sound: "Sound") -> None:
        """Translates a step of the listener; its silence ends the sentence, by the time of the sound."""
        self._at = heed.at
        if sound.live:
            ends = [word.end for word in heed.step.words if word.end is not None]
            self._recogniser.seconds += [heed.at - sound.began - end for end in ends]
        self.hear(heed.step)
        if self._pause and self.open and self._last_end is not None and heed.until - self._last_end >= self._pause:
            self.end_sentence()

    def print(self, events: "Iterable[Event]") -> None:
        """Prints events as they come, and notes when words are covered."""
        for event in events:
            super().print([event])
            if isinstance(event, Read):
                self._stood.append(self._at)
            elif isinstance(event, Write | End):
                covered = event.delay - self._covered
                now = time.perf_counter()
                self._translation.seconds += [now - at for at in self._stood[:covered]]
                self._stood, self._covered = self._stood[covered:], 0 if isinstance(event, End) else event.delay

    def tell_lags(self) -> None:
        """Tells the lags on standard error."""
        say(self._recogniser.line("recogniser lag"))
        say(self._translation.line("translation lag"))
