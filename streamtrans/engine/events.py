"""Events: each step of a stream, the same everywhere: Python, `--json`, logs."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Event:
    """One step of a stream.

    sentence: from 0. index: word number in its sentence, from 0. text: the word. delay: source words read in this
    sentence by then. time_ms: since the start of the stream, None where nothing was timed (batches). start_ms, end_ms:
    when the last source word read by then was spoken, since the start of the speech; None for words without times.
    """

    sentence: int
    index: int
    text: str
    delay: int
    time_ms: float | None = None
    start_ms: float | None = None
    end_ms: float | None = None
    type: ClassVar[str] = "event"

    def as_dict(self) -> dict[str, Any]:
        """The event as JSON has it, `type` first; the times of speech are there if they are known."""
        fields = {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(self).items()}
        spoken = {name: fields.pop(name) for name in ("start_ms", "end_ms")}
        return {"type": self.type, **fields, **{name: ms for name, ms in spoken.items() if ms is not None}}


class Read(Event):
    """A source word was read."""

    type = "read"


class Write(Event):
    """A target word was written; it is never taken back but by a Revise."""

    type = "write"


class Revise(Event):
    """The target word at `index` and all after it are replaced by `text`; only policies that say so revise."""

    type = "revise"


class End(Event):
    """A sentence is complete: `text` is its translation, `index` its number of target words, `delay` of source words.

    Source words read beyond these belong to the next sentence: where input runs on, an end is seen only afterwards.
    """

    type = "end"


class Notice(Event):
    """The model went astray: `text` says how, as `engine.guards` explains it; `index` words were written by then.

    Or a recogniser contradicts words that were read; they stay, and `text` says so.
    """

    type = "notice"


class Done(Event):
    """The stream is complete: `sentence` is the number of sentences."""

    type = "done"


KINDS: dict[str, type[Event]] = {kind.type: kind for kind in (Read, Write, Revise, End, Notice, Done)}
