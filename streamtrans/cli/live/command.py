"""`streamtrans live`: translates standard input while it arrives."""

import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamtrans.cli.live.signals import SignalInbox
from streamtrans.cli.shared.event_text import json_line
from streamtrans.cli.shared.model_choice import ModelChoice, takes_model
from streamtrans.cli.shared.opening import ConnectOption, SessionNameOption, TokenOption, opener
from streamtrans.cli.shared.options import JsonOption, PlainOption, PolicyChoice, takes_policy
from streamtrans.cli.shared.pipe import PauseOption, Pipe, StableWordsOption, words_of
from streamtrans.cli.shared.subtitles import Subtitles, SubtitlesOption, subtitles_into
from streamtrans.errors import UsageError
from streamtrans.speech.agreement import UNSTABLE_WORDS, Agreement

if TYPE_CHECKING:
    from streamtrans.engine.session import Session


class InputKind(StrEnum):
    """The kind of standard input."""

    TEXT = "text"
    JSONL = "jsonl"


@takes_policy
@takes_model
def live(
    choice: PolicyChoice,
    model: ModelChoice,
    input_kind: Annotated[
        InputKind, typer.Option("--input", help="text, or a recogniser's hypotheses: a JSON object per line.")
    ] = InputKind.TEXT,
    stable_words: StableWordsOption = None,
    pause: PauseOption = None,
    connect: ConnectOption = None,
    session: SessionNameOption = None,
    token: TokenOption = None,
    subtitles: SubtitlesOption = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Translate typed or piped text while it comes.

    On a terminal, words are translated as you type them. Backspace works in the word that has not been read yet, Enter
    ends the sentence, Ctrl-D ends. In a pipe, each word is written as soon as it is known, a line per sentence.

    \b
    Examples:
      streamtrans live
      streamtrans live --wait-k 5
      streamtrans live --from English --to German
      streamtrans live --model mlx-community/Qwen2.5-7B-Instruct-4bit --from en --to ja
      echo "How are you?" | streamtrans live
      recogniser | streamtrans live --pause 1.5 --json
      recogniser | streamtrans live --subtitles talk.srt
      vosk-script | streamtrans live --input jsonl --stable-words 2
      recogniser | streamtrans live --connect http://127.0.0.1:8484 --session talk
    """
    if stable_words is not None and input_kind is InputKind.TEXT:
        raise UsageError("--stable-words needs --input jsonl; text is never revised")
    if sys.stdin is None:
        raise UsageError("standard input is closed; type into live, or pipe text into it")

    title, start = opener(connect, session, token, choice, model)

    def open_session() -> "Session":
        opened = start()
        if captions:
            captions.language = opened.settings.target_language or ""
        return opened

    with subtitles_into(subtitles, Path("-")) as captions:
        if sys.stdin.isatty() and input_kind is InputKind.TEXT:
            from streamtrans.cli.live.terminal import translate_typing

            code = translate_typing(open_session, title, pause, as_json, plain, captions)
        else:
            agreement = Agreement(UNSTABLE_WORDS if stable_words is None else stable_words)
            recogniser = agreement if input_kind is InputKind.JSONL else None
            pipe = open_pipe(open_session(), as_json, captions, pause, recogniser)
            code = translate_pipe(pipe, pause)
    if code:
        raise typer.Exit(code)


def open_pipe(
    session: "Session", as_json: bool, captions: Subtitles | None, pause: float | None, recogniser: Agreement | None
) -> Pipe:
    """The pipe for text, or for the hypotheses of a recogniser."""
    write = json_line if as_json else words_of(session)
    if recogniser is None:
        return Pipe(session, write, captions)
    from streamtrans.cli.live.recogniser import RecogniserPipe

    return RecogniserPipe(session, write, captions, pause, recogniser)


def translate_pipe(pipe: Pipe, pause: float | None) -> int:
    """Feeds standard input to the pipe as it arrives; gives the exit code."""
    with SignalInbox(signal.SIGINT) as inbox:
        while not inbox.caught:
            if inbox.wait(0, pause if pipe.open else None):
                data = os.read(0, 65536)
                if not data:
                    break
                pipe.feed(data, inbox)
            elif not inbox.caught:
                pipe.fall_silent()
        pipe.finish()
        return 130 if inbox.caught else 0
