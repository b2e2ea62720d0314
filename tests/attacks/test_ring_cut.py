"""A server that sees the ring cuts it in two places, to open the sum of a part alone.

Pure combinatorics: positions on a ring, who holds which share, who answers; no keys and no masks.
The server withholds ciphertexts so that no mask crosses the cut, lets a few clients beside it drop,
and needs t shares of every b_u inside the part.  It may show different clients different survivors.

    whole roster    a client answers after min_survivors signatures on the U3 it signed   (ours)
    neighbourhood   a client answers once t of N(u)∪{u} signed that u survived  (Bell et al. 2020)
"""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secagg.parameters import choose
from tests.helpers.ring import (
    WEAK,
    Flags,
    Indices,
    Lies,
    Ring,
    Rule,
    arc,
    arc_and_gaps,
    cut,
    fullest_row,
    neighbourhood,
    opened,
    random_ring,
    two_views,
    whole_roster,
)

# --- two views of one session -----------------------------------------------------------------


def test_signatures_of_the_neighbourhood_let_a_part_be_opened_alone() -> None:
    """294 of 1000 inputs are summed alone; the server lets 23 clients drop beside the two cuts."""
    ring = random_ring(*WEAK, seed=1)
    part, gone = arc_and_gaps(ring, first=400, length=310, gap=13)
    (alone,) = opened(ring, two_views(ring, part, gone, far=0), neighbourhood)
    assert set(alone) == set(np.flatnonzero(part & ~ring.corrupt))
    assert len(alone) == 294
    assert np.count_nonzero(gone) == 23


def test_signatures_of_the_whole_roster_stop_the_same_lies() -> None:
    ring = random_ring(*WEAK, seed=1)
    part, gone = arc_and_gaps(ring, first=400, length=310, gap=13)
    for far in range(0, 1000, 50):
        assert opened(ring, two_views(ring, part, gone, far), whole_roster) == []


def test_two_sets_of_survivors_never_both_gather_enough_signatures() -> None:
    """However the server divides the clients, corrupt ones signing both: 2·526 > 1000 + 50."""
    ring = random_ring(*WEAK, seed=1)
    part, gone = arc_and_gaps(ring, first=400, length=310, gap=13)
    everybody = np.ones(1000, bool)
    gathered = set()
    for far in range(0, 700, 5):
        lies = two_views(ring, part, gone, far)
        answers = whole_roster(ring, lies, everybody)
        gathered.add(tuple(answers[lies.shown == view].any() for view in (0, 1)))
    assert gathered == {(False, True), (True, False), (False, False)}


def test_one_signer_fewer_and_both_gather() -> None:
    """525 is not enough: 475 honest signers for each view, and 50 corrupt for both."""
    ring = random_ring(*WEAK, seed=1)
    everybody = np.ones(1000, bool)
    shown = np.zeros(1000, np.int64)
    shown[np.flatnonzero(~ring.corrupt)[:475]] = 1
    lies = Lies(np.ones_like(ring.rows, dtype=bool), (everybody, everybody.copy()), shown)
    assert not whole_roster(ring, lies, everybody).any()
    assert whole_roster(replace(ring, min_survivors=525), lies, everybody).all()


def every_cut(ring: Ring, rule: Rule, *, step: int) -> list[Indices]:
    """What is opened by cutting where most corrupt clients stand together, over all gaps."""
    found = []
    for gap in range(0, ring.k // 2 + 1, step):
        part, gone = arc_and_gaps(ring, fullest_row(ring) + gap, 310, gap)
        for far in (0, 1000):
            found += opened(ring, two_views(ring, part, gone, far), rule)
        found += [p for p in opened(ring, cut(ring, part, gone), rule) if len(p) < 500]
    return found


def test_our_parameters_are_never_cut() -> None:
    """(154, 116) holds where the corrupt stand closest, under either rule of signatures."""
    choice = choose(1000, corrupt=0.05, dropout=0.1, min_roster=1000)
    assert choice.k is not None
    ring = random_ring(choice.k, choice.t, seed=1)
    assert every_cut(ring, whole_roster, step=7) == []
    assert every_cut(ring, neighbourhood, step=7) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_our_parameters_are_never_cut_on_many_rings(seed: int) -> None:
    choice = choose(1000, corrupt=0.05, dropout=0.1, min_roster=1000)
    assert choice.k is not None
    ring = random_ring(choice.k, choice.t, seed)
    assert every_cut(ring, whole_roster, step=1) == []
    assert every_cut(ring, neighbourhood, step=1) == []
    weak = random_ring(*WEAK, seed)
    assert every_cut(weak, whole_roster, step=1) == []
    assert every_cut(weak, neighbourhood, step=1) != []


# --- one view: the rule t ≥ k/2+2+h is needed, and is enough ----------------------------------


def planted(t: int, corrupt: set[int], m: int = 60, k: int = 12) -> Ring:
    """A small ring whose corrupt clients stand where the server would like them."""
    return Ring(k, t, 1, np.isin(np.arange(m), list(corrupt)))


def test_one_share_below_the_rule_a_part_is_opened_alone() -> None:
    """k=12, two corrupt in each gap, so h=2: t=9 is cut, though 2t=18 > k+1+x=17; t=10 is not."""
    part, gap = arc(60, 20, 25), arc(60, 15, 5) | arc(60, 45, 5)
    for t, sums in ((9, [list(range(20, 45))]), (10, [])):
        ring = planted(t, corrupt={16, 18, 46, 48})
        lies = cut(ring, part, gap & ~ring.corrupt)
        assert [list(p) for p in opened(ring, lies, whole_roster)] == sums


def test_one_victim_is_opened_alone_when_2t_is_k_plus_1_plus_x() -> None:
    """x=3 corrupt neighbours, k=12: t=8 opens one input, t=9 does not, the rule asks for t≥10."""
    victim, gone = arc(60, 30, 1), np.isin(np.arange(60), [24, 25, 35, 36])
    for t, sums in ((8, [[30]]), (9, [])):
        ring = planted(t, corrupt={28, 29, 31})
        lies = cut(ring, victim, gone)
        assert [list(p) for p in opened(ring, lies, whole_roster)] == sums


def most_in_a_row(corrupt: Flags, length: int) -> int:
    """h: the most corrupt among `length` clients in a row."""
    m = len(corrupt)
    return int(corrupt[(np.arange(m)[:, None] + np.arange(length)) % m].sum(axis=1).max())


@st.composite
def runs(draw: st.DrawFn) -> tuple[str, int]:
    """A ring as runs of part, outside, gone and corrupt clients, and k."""
    run = st.tuples(st.sampled_from("POGC"), st.integers(1, 6))
    text = "".join(kind * length for kind, length in draw(st.lists(run, min_size=5, max_size=12)))
    k = 2 * draw(st.integers(1, max(1, (len(text) - 1) // 2 - 1)))
    return text, k


def survivors_opened(text: str, k: int, t: int) -> list[set[int]]:
    kinds = np.array(list(text))
    ring = Ring(k, t, 1, kinds == "C")
    lies = cut(ring, kinds == "P", kinds == "G")
    return [set(map(int, p)) for p in opened(ring, lies, whole_roster)]


@settings(max_examples=300, deadline=None)
@given(runs())
def test_under_the_rule_all_survivors_are_opened_or_none(case: tuple[str, int]) -> None:
    """The theorem of docs/decisions/0002, on rings of every shape: h is counted, not bounded."""
    text, k = case
    t = k // 2 + 2 + most_in_a_row(np.array(list(text)) == "C", k // 2)
    everybody = {i for i, kind in enumerate(text) if kind in "PO"}
    assert survivors_opened(text, k, t) in ([], [everybody])


@pytest.mark.parametrize(
    ("m", "corrupt"),
    [(9, {0, 4}), (10, {0, 3}), (10, {0, 5}), pytest.param(9, set(), marks=pytest.mark.slow)],
)
def test_the_rule_is_exact_on_every_partition_of_a_small_ring(m: int, corrupt: set[int]) -> None:
    """k=4: under the rule no partition opens a part; with one share less some partition does."""
    k = 4
    t = k // 2 + 2 + most_in_a_row(np.isin(np.arange(m), list(corrupt)), k // 2)
    partial = {t: 0, t - 1: 0}
    for kinds in product("POG", repeat=m - len(corrupt)):
        honest = iter(kinds)
        text = "".join("C" if i in corrupt else next(honest) for i in range(m))
        everybody = {i for i, kind in enumerate(text) if kind in "PO"}
        for threshold in partial:
            partial[threshold] += survivors_opened(text, k, threshold) not in ([], [everybody])
    assert partial[t] == 0
    assert partial[t - 1] > 0
