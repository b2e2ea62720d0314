"""`choose`: exact tails, the published values, the refusals, and its own rules re-checked."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secagg.errors import LocalProtocolError
from secagg.parameters import Choice, choose, choose_curious_only, ring_leak
from secagg.parameters.tails import Hypergeometric


def exact_above(population: int, marked: int, drawn: int, x: int) -> Fraction:
    """Pr[X > x] by counting: how many of all draws hold more than x marked."""
    ways = sum(
        math.comb(marked, i) * math.comb(population - marked, drawn - i)
        for i in range(max(x + 1, 0), drawn + 1)
    )
    return Fraction(ways, math.comb(population, drawn))


def log2(p: Fraction) -> float:
    """log2 of a fraction far below the smallest float."""
    if not p:
        return -math.inf
    shift = p.denominator.bit_length() - p.numerator.bit_length()
    return math.log2(p * 2**shift) - shift


def exact_log2_above(population: int, marked: int, drawn: int, x: int) -> float:
    return log2(exact_above(population, marked, drawn, x))


# --- tails ------------------------------------------------------------------------------------


def test_tails_by_hand() -> None:
    """Two of four are marked, two are drawn: 1/6 none, 4/6 one, 1/6 both."""
    two_of_four = Hypergeometric(population=4, marked=2, drawn=2)
    assert two_of_four.log2_above(1) == pytest.approx(math.log2(1 / 6))
    assert two_of_four.log2_above(0) == pytest.approx(math.log2(5 / 6))
    assert two_of_four.log2_below(1) == pytest.approx(math.log2(1 / 6))
    assert two_of_four.log2_above(2) == -math.inf
    assert two_of_four.log2_above(-1) == two_of_four.log2_below(3) == 0


@st.composite
def draws(draw: st.DrawFn) -> tuple[int, int, int, int]:
    population = draw(st.integers(1, 300))
    marked = draw(st.integers(0, population))
    drawn = draw(st.integers(0, population))
    return population, marked, drawn, draw(st.integers(-2, drawn + 2))


@given(draws())
def test_tails_are_exact(case: tuple[int, int, int, int]) -> None:
    population, marked, drawn, x = case
    h = Hypergeometric(population, marked, drawn)
    assert h.log2_above(x) == pytest.approx(exact_log2_above(*case), abs=1e-6)
    below = 1 - exact_above(population, marked, drawn, x - 1)
    assert h.log2_below(x) == pytest.approx(log2(below), abs=1e-6)


@pytest.mark.parametrize(
    ("population", "marked", "drawn", "x"),
    [
        (1000, 50, 154, 45),
        (10_000, 500, 202, 65),
        (65_520, 3_276, 230, 70),
        (65_520, 6_552, 720, 240),
    ],
)
def test_deep_tails_are_exact(population: int, marked: int, drawn: int, x: int) -> None:
    """Around 2^-120, far below what 1 − cdf can represent."""
    exact = exact_log2_above(population, marked, drawn, x)
    assert exact < -100
    assert Hypergeometric(population, marked, drawn).log2_above(x) == pytest.approx(exact, abs=1e-6)


@given(draws(), st.floats(-200, -0.01))
def test_the_quantiles_are_the_tightest(case: tuple[int, int, int, int], limit: float) -> None:
    population, marked, drawn, _ = case
    h = Hypergeometric(population, marked, drawn)
    x, y = h.least_bound(limit), h.largest_floor(limit)
    assert h.log2_above(x) <= limit < h.log2_above(x - 1)
    assert h.log2_below(y) < limit <= h.log2_below(y + 1)


# --- the values others have published ---------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "corrupt", "dropout", "k", "t"),
    [
        (100, 0.05, 0.05, 12, 6),
        (1000, 0.05, 0.05, 30, 17),
        (10_000, 0.05, 0.05, 34, 20),
        (1000, 0.05, 0.33, 72, 24),
    ],
)
def test_curious_is_the_published_rule(
    n: int, corrupt: float, dropout: float, k: int, t: int
) -> None:
    c = choose_curious_only(n, corrupt=corrupt, dropout=dropout)
    assert (c.k, c.t, c.min_roster) == (k, t, n)
    assert c.label == "honest-but-curious: does not hold against an active server"


@pytest.mark.parametrize(
    ("n", "corrupt", "dropout", "k", "t"),
    [
        (100, 0.05, 0.1, 32, 23),
        (200, 0.05, 0.1, 58, 41),
        (500, 0.05, 0.1, 112, 83),
        (1000, 0.05, 0.1, 154, 116),
        (5000, 0.05, 0.1, 194, 145),
        (10_000, 0.05, 0.1, 202, 151),
        (1000, 0.1, 0.2, 362, 253),
        (10_000, 0.1, 0.2, 562, 388),
    ],
)
def test_active_ring_when_nobody_is_missing_from_the_roster(
    n: int, corrupt: float, dropout: float, k: int, t: int
) -> None:
    c = choose(n, corrupt=corrupt, dropout=dropout, graph="harary", min_roster=n)
    assert (c.k, c.t) == (k, t)


def test_a_roster_that_may_shrink_needs_more_neighbours() -> None:
    """With 100 of 1000 absent the same 50 corrupt are a larger part of the ring."""
    full = choose(1000, corrupt=50, dropout=0.1, min_roster=1000)
    shrunk = choose(1000, corrupt=50, dropout=0.1)
    assert shrunk.min_roster == 900
    assert (full.k, full.t) == (154, 116)
    assert (shrunk.k, shrunk.t) == (156, 118)


# --- every choice obeys its own rules ---------------------------------------------------------


def least_slack(population: int, corrupt: int, drawn: int, limit: Fraction) -> int:
    """The least x with Pr[more than x corrupt among drawn] ≤ limit, by exact counting."""
    x = drawn
    while x >= 0 and exact_above(population, corrupt, drawn, x - 1) <= limit:
        x -= 1
    return x


def assert_private(c: Choice) -> None:
    """Both inequalities of the design, from exact fractions."""
    assert c.k is not None
    limit = Fraction(1, 2 ** (c.privacy_bits + c.grinding_bits + 1) * c.n)
    x = least_slack(c.min_roster, c.corrupt, c.k, limit)
    h = least_slack(c.min_roster, c.corrupt, c.k // 2, limit)
    assert 2 * c.t > c.k + 1 + x
    assert c.t >= c.k // 2 + 2 + h


def assert_correct(c: Choice) -> None:
    """A union over survivors (who hold their own share) and dropped clients, exactly."""
    assert c.k is not None
    alive = c.n - c.dropped
    too_many_for_survivor = exact_above(c.n - 1, c.dropped, c.k, c.k + 1 - c.t)
    failure = alive * too_many_for_survivor
    if c.dropped:
        failure += c.dropped * exact_above(c.n - 1, c.dropped - 1, c.k, c.k - c.t)
    assert failure <= Fraction(1, 2**c.correctness_bits)


wishes = st.fixed_dictionaries(
    {
        "n": st.integers(100, 180),
        "corrupt": st.floats(0, 0.05),
        "dropout": st.floats(0, 0.1),
        "privacy_bits": st.integers(40, 60),
        "grinding_bits": st.integers(64, 100),
        "correctness_bits": st.integers(5, 20),
    }
)


@settings(max_examples=60, deadline=None)
@given(wishes)
def test_every_ring_obeys_its_rules(wish: dict[str, float]) -> None:
    c = choose(**wish, graph="harary")  # type: ignore[arg-type]
    assert c.k is not None
    assert c.k % 2 == 0
    assert 2 <= c.k < c.min_roster
    assert_private(c)
    assert_correct(c)
    assert all(bound.met <= bound.required for bound in c.bounds)
    assert_quorum(c)


@settings(max_examples=60, deadline=None)
@given(st.integers(20, 2000), st.floats(0, 0.3), st.floats(0, 0.3))
def test_every_complete_choice_obeys_theorem_6_5(n: int, corrupt: float, dropout: float) -> None:
    c = choose(n, corrupt=corrupt, dropout=dropout, graph="complete")
    assert c.k is None
    assert 2 * c.t > c.n + c.corrupt
    assert c.min_survivors >= c.t
    assert_quorum(c)


def assert_quorum(c: Choice) -> None:
    """Two sets of min_survivors signers among n share more clients than are corrupt."""
    assert 2 * c.min_survivors - c.n > c.corrupt
    assert c.min_survivors <= c.n - c.dropped
    assert c.min_survivors <= c.min_roster <= c.n


def test_the_least_k_is_found_though_the_search_leaps() -> None:
    """No smaller even k leaves room for any t: checked one by one."""
    c = choose(150, corrupt=0.05, dropout=0.1, graph="harary")
    assert c.k is not None
    for k in range(2, c.k, 2):
        for t in range(1, k + 1):
            leak = ring_leak(k, t, n=150, corrupt=7, min_roster=135)
            dead = Hypergeometric(149, 135, k).log2_below(t) + math.log2(150)
            assert leak > -105 or dead >= -20


def test_a_weaker_threshold_is_seen_to_leak() -> None:
    """k=78, t=52 at n=1000 meets the random-dropout bounds; one ring in 2^14 breaks the rule."""
    assert -15 < ring_leak(78, 52, n=1000, corrupt=50, min_roster=1000) < -13


# --- monotone ---------------------------------------------------------------------------------


def test_more_of_anything_costs_neighbours() -> None:
    asked = {"corrupt": 0.05, "dropout": 0.1, "privacy_bits": 40, "correctness_bits": 20}
    more = {"corrupt": 0.08, "dropout": 0.15, "privacy_bits": 60, "correctness_bits": 40}
    base = choose(2000, **asked)  # type: ignore[arg-type]
    for name, value in more.items():
        c = choose(2000, **{**asked, name: value})  # type: ignore[arg-type]
        assert c.neighbours > base.neighbours, name


def test_neighbours_grow_slower_than_clients() -> None:
    ks = [choose(n, corrupt=0.05, dropout=0.1).neighbours for n in (1000, 10_000, 65_520)]
    assert ks == sorted(ks)
    assert ks[-1] < 2 * ks[0]


# --- which graph ------------------------------------------------------------------------------


def test_auto_is_complete_up_to_50_clients() -> None:
    assert choose(50, corrupt=0.05, dropout=0.1).k is None
    assert choose(51, corrupt=0.05, dropout=0.1).k == 16


@given(st.integers(51, 2000), st.floats(0, 0.25), st.floats(0, 0.35))
def test_auto_takes_the_fewest_masks(n: int, corrupt: float, dropout: float) -> None:
    wish = {"corrupt": corrupt, "dropout": dropout}
    complete = choose(n, **wish, graph="complete")
    try:
        ring = choose(n, **wish, graph="harary")
    except LocalProtocolError:
        ring = complete
    assert choose(n, **wish) == min(complete, ring, key=lambda c: c.neighbours)


def test_of_as_many_masks_auto_takes_the_complete_graph() -> None:
    """51 clients, 23 corrupt, nobody missing: the only ring has k = 50."""
    assert choose(51, corrupt=23, dropout=0.0, graph="harary").k == 50
    assert choose(51, corrupt=23, dropout=0.0).k is None


def test_auto_is_complete_where_there_is_no_ring() -> None:
    c = choose(1000, corrupt=0.2, dropout=0.3)
    assert (c.k, c.t, c.min_survivors) == (None, 601, 601)


def test_a_choice_says_with_what_probability_it_fails() -> None:
    """Privacy is that of one ring times 2^64 that a server may try, and of the samples: 2^-41."""
    c = choose(1000, corrupt=0.05, dropout=0.1)
    privacy, sums = c.bounds
    assert (c.leak, c.no_sum) == (np.logaddexp2(privacy.met + 64, -41), sums.met)
    assert -41 < c.leak <= -40
    assert -25 < c.no_sum <= -20
    never = choose(1000, corrupt=0.05, dropout=0.1, graph="complete")
    assert (never.leak, never.no_sum) == (-math.inf, -math.inf)
    curious = choose_curious_only(1000, corrupt=0.05, dropout=0.05)
    assert max(b.met for b in curious.bounds[:2]) <= curious.leak <= -40


def test_complete_by_hand() -> None:
    """n=10, 3 corrupt: 2t > 13 gives t=7, and 3 may be missing."""
    c = choose(10, corrupt=3, dropout=0.3)
    assert (c.k, c.t, c.min_survivors, c.min_roster, c.dropped) == (None, 7, 7, 7, 3)
    assert c.neighbours == 9


# --- sizes and refusals -----------------------------------------------------------------------


def test_the_largest_session() -> None:
    c = choose(65_520, corrupt=0.05, dropout=0.1)
    assert c.k is not None
    assert c.k < 300


def test_one_client_more_is_told_to_shard() -> None:
    with pytest.raises(LocalProtocolError, match=r"n=65521 .*2\.\.65520; shard"):
        choose(65_521, corrupt=0.05, dropout=0.1)


def test_what_cannot_be_met_says_what_could_be() -> None:
    """n=100, 20 corrupt: 61 must survive, so 39 may be missing; with 45 missing, 9 corrupt."""
    with pytest.raises(LocalProtocolError) as refused:
        choose(100, corrupt=20, dropout=0.45)
    assert "55 survivors of n=100, expected at least min_survivors=61" in str(refused.value)
    assert "with 20 corrupt, 39 (39 %) could be missing" in str(refused.value)
    assert "with 45 missing, 9 (9 %) could be corrupt" in str(refused.value)
    assert choose(100, corrupt=20, dropout=0.39).t == 61
    assert choose(100, corrupt=9, dropout=0.45).t == 55
    with pytest.raises(LocalProtocolError):
        choose(100, corrupt=10, dropout=0.45)


def test_an_impossible_ring_says_what_could_be() -> None:
    with pytest.raises(LocalProtocolError, match="no ring of 100 clients") as refused:
        choose(100, corrupt=20, dropout=0.3, graph="harary")
    assert "with 20 corrupt, 19 (19 %) could be missing" in str(refused.value)
    assert choose(100, corrupt=20, dropout=0.19, graph="harary").dropped == 19
    with pytest.raises(LocalProtocolError):
        choose(100, corrupt=20, dropout=0.2, graph="harary")


def test_where_nothing_could_be_met_the_refusal_says_so() -> None:
    with pytest.raises(LocalProtocolError, match="with 50 missing, not even 0 corrupt"):
        choose(100, corrupt=20, dropout=0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 1}, "n=1 clients"),
        ({"corrupt": 1.0}, "corrupt=1.0, expected a fraction"),
        ({"corrupt": -1}, "corrupt=-1 clients"),
        ({"dropout": 1.5}, "dropout=1.5, expected a fraction"),
        ({"dropout": math.nan}, "dropout=nan, expected a fraction"),
        ({"corrupt": 99}, "expected two honest"),
        ({"n": 100.0}, "n=100.0 clients"),
        ({"privacy_bits": 39}, r"privacy_bits=39, expected an int in 40\.\.1024"),
        ({"privacy_bits": -200}, r"privacy_bits=-200, expected an int in 40\.\.1024"),
        ({"privacy_bits": 2**64}, r"expected an int in 40\.\.1024"),
        ({"privacy_bits": 40.0}, r"privacy_bits=40\.0, expected an int in"),
        ({"privacy_bits": True}, "privacy_bits=True, expected an int in"),
        ({"grinding_bits": 63}, r"grinding_bits=63, expected an int in 64\.\.1024"),
        ({"grinding_bits": None}, "grinding_bits=None, expected an int in"),
        ({"correctness_bits": 0}, r"correctness_bits=0, expected an int in 1\.\.1024"),
        ({"min_roster": 10}, "min_roster=10, expected"),
        ({"min_roster": 101}, "min_roster=101, expected"),
        ({"graph": "star"}, "'star', expected one of"),
    ],
)
def test_nonsense_is_refused(change: dict[str, object], message: str) -> None:
    wish = {"n": 100, "corrupt": 5, "dropout": 0.1} | change
    with pytest.raises(LocalProtocolError, match=message):
        choose(**wish)  # type: ignore[arg-type]


def test_fractions_are_the_decimals_that_were_written() -> None:
    """0.29 · 100 is 28.999999999999996 in floats."""
    assert choose(100, corrupt=0.29, dropout=0.0).corrupt == 29
    assert choose(100, corrupt=29, dropout=0.0) == choose(100, corrupt=0.29, dropout=0.0)


def test_a_choice_is_a_value() -> None:
    c = choose(100, corrupt=5, dropout=0.1)
    assert replace(c) == c
    with pytest.raises(AttributeError):
        c.t = 3  # type: ignore[misc]
