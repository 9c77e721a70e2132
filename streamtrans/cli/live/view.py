"""The lines of the live view, from typed text and events. Pure: the same state gives the same lines.

    I would like to book a table for │tw
  → Eu gostaria de reservar uma mesa
    1 word behind · wait-k 3

The bar is the read mark: what is left of it the model has read, what is right of it can still be taken back.
"""

from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from streamtrans.engine.events import End, Event, Read, Revise, Write
from streamtrans.text.words import join, stream_units

READ_MARK = "│"
_INDENT, _ARROW = "  ", "→ "
_MARK_STYLE, _UNREAD_STYLE, _TARGET_STYLE, _QUIET = "bold yellow", "yellow", "bold green", "dim"
_HINTS = ("type; Enter ends the sentence, Ctrl-D the session", "Enter ends a sentence, Ctrl-D quits", "Ctrl-D quits")


@dataclass(frozen=True)
class Sentence:
    """A finished sentence and its translation."""

    source: str
    target: str


@dataclass
class LiveState:
    """The sentence being typed: words read, text that is not read yet, words written.

    covered: source words that what is written stands for. kept_back: by the policy, see `kept_back`. `untouched` until
    the first key: so long, the status line tells what to do.
    """

    status: str = ""
    loading: bool = True
    untouched: bool = True
    source_language: str = ""
    target_language: str = ""
    read: list[str] = field(default_factory=list)
    unread: str = ""
    target: list[str] = field(default_factory=list)
    covered: int = 0
    kept_back: int = 0

    @property
    def lag(self) -> int:
        """Source words read that nothing written stands for yet, by the delays of the policy.

        A word that was written when d source words had been read stands for none beyond d, less the words that the
        policy keeps back on purpose. Numbers of words are not compared: languages differ in how many they need.
        """
        return len(self.read) - self.covered

    def type(self, text: str) -> None:
        """Text was typed."""
        self.unread += text
        self.untouched = False

    def erase(self, characters: int = 1) -> None:
        """The last characters typed were taken back."""
        self.unread = self.unread[:-characters]

    def apply(self, event: Event) -> Sentence | None:
        """Something happened; gives the sentence if that completed it."""
        if isinstance(event, Read):
            self.read.append(event.text)
            self.unread = self.unread.lstrip().removeprefix(event.text.lstrip())
        elif isinstance(event, Write):
            self.target.append(event.text)
            self._cover(event.delay)
        elif isinstance(event, Revise):
            self._cover(event.delay)
            self.target[event.index :] = stream_units(event.text, self.target_language)
        elif isinstance(event, End):
            read, target = self.read[: event.delay], join(self.target, self.target_language)
            finished = Sentence(join(read, self.source_language).strip(), target)
            self.read, self.target, self.unread = self.read[event.delay :], [], self.unread.lstrip()
            self.covered = 0
            return finished
        return None

    def _cover(self, delay: int) -> None:
        self.covered = max(self.covered, delay - self.kept_back)


@dataclass(frozen=True)
class Frame:
    """Lines to draw, and where the cursor goes: (line, column)."""

    lines: list[Text]
    cursor: tuple[int, int]


def frame(state: LiveState, width: int, height: int) -> Frame:
    """The live block in at most `width` columns and `height` lines; of a long sentence the end is shown."""
    width, most = max(width, 8), max(1, (height - 1) // 2)
    source = _wrapped(_source(state), _INDENT, width)[-most:]
    target = _wrapped(Text(join(state.target, state.target_language), _TARGET_STYLE), _ARROW, width)[-most:]
    status = Text(_INDENT + _status(state, width - len(_INDENT)), _QUIET)
    cursor = (len(source) - 1, min(source[-1].cell_len, width - 1))
    return Frame([*source, *target, status], cursor)


def warning_lines(message: str, width: int) -> list[Text]:
    """A warning as it stays in the scrollback."""
    return _wrapped(Text(message, _QUIET), _INDENT, max(width, 8))


def finished_lines(sentence: Sentence, width: int) -> list[Text]:
    """A finished sentence as it stays in the scrollback: the source, quiet, above its translation."""
    width = max(width, 8)
    source = _wrapped(Text(sentence.source, _QUIET), _INDENT, width)
    return [*source, *_wrapped(Text(sentence.target, _TARGET_STYLE), _ARROW, width), Text()]


def _source(state: LiveState) -> Text:
    read = join(state.read, state.source_language)
    gap = join(["", ""], state.source_language) if read else ""
    unread = state.unread.lstrip().replace("\n", "↵ ")
    return Text.assemble(read + gap, (READ_MARK, _MARK_STYLE), (unread, _UNREAD_STYLE))


def _status(state: LiveState, width: int) -> str:
    if state.loading:
        return state.status[:width]
    if state.untouched:
        return next((hint for hint in _HINTS if len(hint) <= width), "")
    lag = f"{state.lag} word{'' if state.lag == 1 else 's'} behind"
    whole = f"{lag} · {state.status}"
    return (whole if len(whole) <= width else lag)[:width]


def _wrapped(text: Text, first: str, width: int) -> list[Text]:
    """Lines of at most `width` columns: `first` in front of the first one, the others under it."""
    console = Console(width=width, color_system=None)
    lines = text.wrap(console, width - len(first)) or [Text()]
    for line in lines:
        line.rstrip()
    return [Text.assemble((first if number == 0 else _INDENT, _QUIET), line) for number, line in enumerate(lines)]
