import xml.etree.ElementTree as ET

from streamtrans.evaluation import grid
from streamtrans.evaluation.instances import Instance

CAT = Instance(
    index=17,
    source=("the", "cat", "sleeps", "&"),
    source_length=4,
    prediction="o gato <dorme>",
    delays=(1, 2, 3),
    reference="o gato dorme",
    elapsed_ms=(450, 850.4, 1300),
)


def test_grid():
    assert grid.grid(CAT).splitlines() == [
        "sentence 17: 4 read, 3 written, 3 in the reference   AL 0.67  LAAL 0.67  DAL 1.00  YAAL 0.67",
        "      o  ■···     450 ms  the",
        "   gato  ■■··     850 ms  cat",
        "<dorme>  ■■■·    1300 ms  sleeps",
        "         ■■■■  &",
    ]


def test_grid_without_words_times_and_output():
    unknown = Instance(0, None, 3, "x y", (2, 3))
    assert grid.grid(unknown).splitlines()[1:] == ["x  ■■·  1 2", "y  ■■■  3"]
    nothing = grid.grid(Instance(0, ("a", "b"), 2, "", (), "x"))
    assert nothing.splitlines() == [
        "sentence 0: 2 read, 0 written, 1 in the reference   AL –  LAAL –  DAL –  YAAL –",
        "  ■■  a b",
    ]


def test_grid_of_wide_characters_is_aligned():
    mixed = Instance(0, tuple("猫睡"), 2, "ねa", (1, 2), unit="char", source_unit="char")
    assert grid.grid(mixed).splitlines()[1:] == ["ね  ■·  猫", " a  ■■  睡"]


def test_grid_of_a_long_sentence_has_cells_for_several_words():
    delays = tuple(range(1, 201))
    drawn = grid.grid(Instance(0, None, 200, " ".join("t" for _ in delays), delays), width=100)
    assert "(a cell is 5 words)" in drawn.splitlines()[0]
    assert drawn.splitlines()[5].startswith("t  ■" + "·" * 39 + "  5")
    assert drawn.splitlines()[6].startswith("t  ■■" + "·" * 38 + "  6")


def test_svg_is_well_formed_and_shows_every_word():
    image = grid.grid_svg(CAT)
    texts = [e.text for e in ET.fromstring(image.replace(' xmlns="http://www.w3.org/2000/svg"', "")).iter("text")]
    assert texts[1:] == ["the", "cat", "sleeps", "&", "o", "450 ms", "gato", "850 ms", "<dorme>", "1300 ms"]
    assert image == grid.grid_svg(CAT)
    assert image.count('fill="#9ecae1"') == 6
    ET.fromstring(grid.grid_svg(Instance(0, None, 3, "", ())))
