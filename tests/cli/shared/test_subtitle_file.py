"""The file of `--subtitles` while the disk fills up and gets room again."""

import errno

import pytest

from streamtrans.captions.reading import read_cues
from streamtrans.cli.shared.subtitles import Subtitles
from streamtrans.engine.events import End, Write


class Full:
    """A file that takes half of what it is given and then has no room, while `full`."""

    def __init__(self, file):
        self._file, self.full = file, False

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def write(self, data):
        if self.full and len(data) < 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._file.write(data[: len(data) // 2] if self.full else data)


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_what_could_not_be_written_is_written_when_there_is_room(tmp_path, kind):
    subtitles, warnings = Subtitles(tmp_path / f"talk.{kind}", "pt"), []
    subtitles.warn = warnings.append
    subtitles._file = disk = Full(subtitles._file)
    for number, word in enumerate("Um. Dois. Três. Quatro. Cinco. Seis.".split()):
        disk.full = number in (2, 3)
        subtitles.take([Write(number, 0, word, 1, 100.0 * number), End(number, 1, word, 1, 100.0 * number)])
        if not disk.full:
            assert len(read_cues(tmp_path / f"talk.{kind}")) == number + 1
    subtitles.close()
    cues = read_cues(tmp_path / f"talk.{kind}")
    assert [cue.lines[0] for cue in cues] == ["Um.", "Dois.", "Três.", "Quatro.", "Cinco.", "Seis."]
    assert [cue.start_ms for cue in cues] == [0, 1000, 2000, 3000, 4000, 5000]
    assert len(warnings) == 1
    assert "No space left" in warnings[0]
