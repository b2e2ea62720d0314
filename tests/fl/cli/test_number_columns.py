"""Rows of numbers in any width: nothing is cut, nothing is lost, nothing but numbers moves."""

from hypothesis import given
from hypothesis import strategies as st

from fl.cli.number_columns import Columns, folded

THREE = Columns((("round", 5), ("test\nloss", 8), ("kB up", 6)), "dropped")


def test_one_line_where_there_is_room():
    assert THREE.head().splitlines() == ["           test", "round      loss   kB up  dropped"]
    assert THREE.row([1, "0.2500", "17.3"], "3@2") == "    1    0.2500    17.3  3@2"


def test_one_space_before_a_second_line():
    assert THREE.row([1, "0.2500", "17.3"], "", 21) == "    1   0.2500   17.3"


def test_it_goes_on_in_the_next_line():
    assert THREE.row([1, "0.2500", "17.3"], "3@2, 7@4, 8@0", 15).splitlines() == [
        "    1   0.2500",
        "        17.3",
        "      3@2, 7@4,",
        "      8@0",
    ]


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 999999999)), min_size=1, max_size=12),
    st.lists(st.from_regex(r"[a-z@0-9]{1,12}", fullmatch=True), max_size=8),
    st.integers(20, 120),
)
def test_whatever_the_width_every_cell_is_there_in_order(columns, words, room):
    heads = tuple((f"c{i}", max(width, len(str(cell)))) for i, (width, cell) in enumerate(columns))
    row = Columns(heads).row([cell for _, cell in columns], " ".join(words), room)
    assert row.split() == [*(str(cell) for _, cell in columns), *words]
    assert max(map(len, row.split("\n"))) <= room


def test_folded_text_keeps_its_words():
    assert folded("secure beside plain", 14) == "secure beside\n      plain"
    assert folded("secure beside plain", None) == "secure beside plain"
