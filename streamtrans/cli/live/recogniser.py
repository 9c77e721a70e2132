"""`live --input jsonl`: the hypotheses of a recogniser, one JSON object per line."""

from typing import TYPE_CHECKING

from streamtrans.cli.live.signals import SignalInbox
from streamtrans.cli.shared.event_text import Writer
from streamtrans.cli.shared.pipe import HearingPipe
from streamtrans.cli.shared.stderr import warn
from streamtrans.cli.shared.subtitles import Subtitles
from streamtrans.errors import DataError
from streamtrans.speech.agreement import Agreement, Step
from streamtrans.speech.hypotheses import read_hypothesis

if TYPE_CHECKING:
    from streamtrans.engine.session import Session

LONGEST_LINE = 1 << 18
"""Bytes; over an hour of speech in one hypothesis with times."""


class RecogniserPipe(HearingPipe):
    """Takes lines of JSON in any pieces; one that cannot be read is warned of, and the stream goes on."""

    def __init__(
        self,
        session: "Session",
        write: Writer,
        captions: Subtitles | None,
        pause: float | None,
        agreement: Agreement,
    ):
        super().__init__(session, write, captions, pause)
        self._agreement = agreement
        self._line, self._number, self._too_long = b"", 0, False

    def feed(self, data: bytes, inbox: SignalInbox) -> None:
        """Takes the lines that are complete, or as many as are done when a signal comes."""
        *lines, rest = data.split(b"\n")
        for line in lines:
            if inbox.caught:
                return
            self._add(line)
            self._end_line(inbox)
        self._add(rest)

    def _add(self, part: bytes) -> None:
        if len(self._line) + len(part) > LONGEST_LINE:
            self._line, self._too_long = b"", True
        elif not self._too_long:
            self._line += part

    def _end_line(self, inbox: SignalInbox | None) -> None:
        line, too_long, self._line, self._too_long = self._line, self._too_long, b"", False
        self._number += 1
        try:
            if too_long:
                raise DataError(f"more than {LONGEST_LINE} bytes")
            if line.strip():
                self.hear(self._agreement.take(read_hypothesis(line)), inbox)
        except DataError as error:
            warn(f"line {self._number} of the recogniser is left out: {error}")
        self.open = self.open or self._agreement.pending

    def end_sentence(self) -> None:
        """Writes everything owed."""
        super().end_sentence()
        self.open = self._agreement.pending

    def fall_silent(self) -> None:
        """Ends the sentence with the words that were held back: nobody has changed them for long."""
        self.hear(Step(self._agreement.flush()))
        self.end_sentence()

    def finish(self) -> None:
        """Ends the stream: what the recogniser held last counts."""
        if self._line or self._too_long:
            self._end_line(None)
        self.fall_silent()
        super().finish()
