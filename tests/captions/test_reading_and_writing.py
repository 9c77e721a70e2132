"""SRT and VTT: read as they are found, written as they should be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrans.captions.cues import Cue
from streamtrans.captions.reading import parse, read_cues
from streamtrans.captions.writing import block, header, stamp
from streamtrans.errors import DataError, UsageError

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Hello</i> there,
{\\an8}my <font color="#ff0000">friend</font>

2
00:01:00,040 --> 01:00:00,000 X1:10 Y1:3
1 < 2 <3
"""
CUES = [
    Cue(1, 1000, 2500, ("Hello there,", "my friend")),
    Cue(2, 60040, 3600000, ("1 < 2 <3",)),
]
VTT = """WEBVTT - a talk
Kind: captions

STYLE
::cue { color: red }

REGION
id:fred

NOTE This is no cue:
00:00:00.000 --> 00:00:01.000

intro
00:01.000 --> 00:02.500 align:start position:0%
<v Mary Ann>Tom &amp; Jerry</v>

00:00:03.000 --> 00:00:04.000
<00:00:03.200><c.loud>hello</c> &lt;b&gt;
"""
VTT_CUES = [Cue(1, 1000, 2500, ("Tom & Jerry",)), Cue(2, 3000, 4000, ("hello <b>",))]


def parsed(text: str, kind: str = "srt") -> list[Cue]:
    return parse(text.split("\n"), kind, "talk")


def test_srt():
    assert parsed(SRT) == CUES


def test_vtt():
    assert parsed(VTT, "vtt") == VTT_CUES


def test_written_srt():
    assert "".join(block(cue, "srt") for cue in CUES) == (
        "1\n00:00:01,000 --> 00:00:02,500\nHello there,\nmy friend\n\n2\n00:01:00,040 --> 01:00:00,000\n1 < 2 <3\n\n"
    )


def test_written_vtt():
    assert header("vtt") + "".join(block(cue, "vtt") for cue in VTT_CUES) == (
        "WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.500\nTom &amp; Jerry\n\n"
        "2\n00:00:03.000 --> 00:00:04.000\nhello &lt;b&gt;\n\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        SRT.replace("\n\n", "\n"),
        SRT.replace("1\n00", "00").replace("2\n00", "00"),
        SRT.replace("\n", "\n\n"),
        SRT.replace(",", "."),
        SRT.replace("00:00:01,000 --> 00:00:02,500", "0:1,0-->0:0:2.5"),
        f"Some title\n{SRT}",
    ],
    ids=["no blank lines", "no numbers", "blank lines everywhere", "dots", "short times", "a title"],
)
def test_srt_that_is_nearly_right(text):
    assert [(cue.start_ms, cue.end_ms) for cue in parsed(text)] == [(cue.start_ms, cue.end_ms) for cue in CUES]
    assert [len(cue.lines) for cue in parsed(text)] == [2, 1]


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + SRT.encode(),
        SRT.encode("utf-16"),
        b"\xfe\xff" + SRT.encode("utf-16-be"),
        SRT.replace("\n", "\r\n").encode(),
        SRT.replace("\n", "\r").encode(),
        SRT.replace("\n", "\r\r\n").encode(),
        SRT.rstrip().encode(),
    ],
)
def test_marks_and_line_ends(tmp_path, data):
    (tmp_path / "talk.SRT").write_bytes(data)
    assert read_cues(tmp_path / "talk.SRT") == CUES


def test_a_line_of_figures_is_text():
    assert parsed("1\n00:00:01,000 --> 00:00:02,000\n42\n\n2\n00:00:03,000 --> 00:00:04,000\n7\n") == [
        Cue(1, 1000, 2000, ("42",)), Cue(2, 3000, 4000, ("7",)),
    ]  # fmt: skip


def test_times_that_go_backwards():
    text = "00:00:05,000 --> 00:00:04,000\nlater\n\n00:00:01,000 --> 00:00:02,000\nearlier\n"
    assert parsed(text) == [Cue(1, 1000, 2000, ("earlier",)), Cue(2, 5000, 5000, ("later",))]


def test_a_cue_without_text_is_none():
    assert parsed(f"1\n00:00:00,000 --> 00:00:00,500\n<i></i>\n\n{SRT}") == CUES


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "talk.srt is empty"),
        (b"\xef\xbb\xbf\n \n", "talk.srt is empty"),
        (b"Just a text.\nOf two lines.\n", "talk.srt has no captions"),
        (b"1\n00:00:01,000 --> 00:00:02,000\n\n", "talk.srt has no captions"),
        (SRT.encode() + b"3\n00:00:xx --> 00:00:05\nhi\n", "talk.srt:10: no times; write them as"),
        (SRT.encode() + b"3\n00:00:05 --> \nhi\n", "talk.srt:10: no times"),
        (SRT.encode() + b"caf\xe9\n", "talk.srt:9: not UTF-8 (byte 0xe9 at column 4); convert the file to UTF-8"),
        (SRT.encode("utf-16-le"), "talk.srt is UTF-16, not UTF-8"),
        (bytes(range(256)), "talk.srt:"),
    ],
)
def test_bad_files_are_told_in_a_line(tmp_path, data, complaint):
    (tmp_path / "talk.srt").write_bytes(data)
    with pytest.raises(DataError) as told:
        read_cues(tmp_path / "talk.srt")
    assert complaint in str(told.value)
    assert "\n" not in str(told.value)


def test_names_of_files(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_cues(tmp_path / "talk.vtt")
    with pytest.raises(UsageError, match=r"talk.txt: captions are read from .srt or .vtt"):
        read_cues(tmp_path / "talk.txt")


def test_stamps():
    assert stamp(0, "srt") == "00:00:00,000"
    assert stamp(3599999.6, "vtt") == "01:00:00.000"
    assert stamp(360000000 + 61001, "srt") == "100:01:01,001"


line = st.text("aé.,&<>-> 今;", min_size=1).map(lambda text: " ".join(text.split())).filter(bool)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**5), st.lists(line, min_size=1, max_size=2))))
def test_what_is_written_in_vtt_is_read_again(given_cues):
    cues = [
        Cue(number, start, start + length, tuple(lines))
        for number, (start, length, lines) in enumerate(
            sorted(given_cues, key=lambda cue: (cue[0], cue[0] + cue[1])), 1
        )
    ]
    if cues:
        text = header("vtt") + "".join(block(cue, "vtt") for cue in cues)
        assert parsed(text, "vtt") == cues
