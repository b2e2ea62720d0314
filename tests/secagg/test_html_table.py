"""What notebooks show of a session: who, how many, and nothing of an input."""

import re
from html.parser import HTMLParser

import numpy as np

import secagg
from secagg.html_table import html_table, listed


class Cells(HTMLParser):
    """The text of the cells of a page, by rows; its tags must be closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.rows and self._open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_a_table_is_html_and_escapes_what_it_holds() -> None:
    page = html_table("<i>", [("a & b", "<script>alert(1)</script>")], ["<b>", 2])
    assert Cells(page).rows == [["<b>", "2"], ["a & b", "<script>alert(1)</script>"]]
    assert "<script" not in page
    assert "<i>" not in page


def test_a_long_list_is_cut_and_counted() -> None:
    assert listed([]) == "none"
    assert listed(range(3)) == "0, 1, 2"
    assert listed(range(100)).endswith("18, 19, … (100 in all)")


def test_an_aggregate_says_who_and_no_word_of_the_sum() -> None:
    params = secagg.Params(3, [secagg.VectorSpec("x<1>", 2, 32)], t=2, corrupt=0)
    inputs = {u: np.array([81_231, u], np.uint32) for u in (4, 7, 9)}
    total = secagg.run(params, inputs, drop={7: 1})
    page = total._repr_html_()
    assert Cells(page).rows == [
        ["vector x<1>", "uint32[2]"],
        ["survivors", "4, 9"],
        ["dropped, from round", "7 @ 1"],
        ["disputes, owner and holder", "none"],
    ]
    assert str(2 * 81_231) not in page


def test_params_say_what_was_agreed() -> None:
    params = secagg.Params(10, [secagg.VectorSpec("x", 1000, 32)])
    rows = dict(Cells(params._repr_html_()).rows)
    assert (rows["n"], rows["t"], rows["corrupt"], rows["suite"]) == ("10", "7", "3", "aes128-ctr")
    assert rows["more than the sum is learned"] == "never"
    assert rows["vector x"] == "1,000 words of 32 bits, 4,004 B"
    sparse = secagg.Params.choose(1000, [secagg.VectorSpec("x", 10, 32)], corrupt=0.05, dropout=0.1)
    assert re.search(r"at most 2\^-\d+\.\d", sparse._repr_html_())
