"""A server and its corrupt clients that try everything, against honest clients' real code.

For every strategy: the coalition never opens both secrets of an honest client, at most one U3 is
opened in a roster, and every sum that it can compute is over min_survivors − corrupt honest inputs
at least.  With one corrupt client more than `Params` was told of, the same search finds attacks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, event, find, given, settings
from hypothesis import strategies as st

from secagg import Harary
from tests.helpers.dishonest import Coalition, harm

SETTINGS = settings(
    derandomize=True,
    deadline=None,
    max_examples=200,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class World:
    """A session's numbers, and how many of its clients are really corrupt."""

    n: int
    bad: int
    enrolled: int
    params: tuple[tuple[str, Any], ...] = ()

    def coalition(self) -> Coalition:
        return Coalition(self.n, bad=self.bad, enrolled=self.enrolled, **dict(self.params))


def world(n: int, bad: int, enrolled: int, **params: Any) -> World:
    return World(n, bad, enrolled, tuple(params.items()))


WORLDS = [
    world(5, 2, 5),
    world(6, 3, 6),
    world(7, 2, 7),
    world(5, 2, 7),
    world(5, 1, 8, t=4, corrupt=1, min_roster=4, min_survivors=4),
    world(6, 0, 6, t=4, corrupt=0),
]
SPARSE = [
    world(13, 1, 13, graph=Harary(8), t=7, corrupt=1, min_roster=11),
    world(14, 2, 14, graph=Harary(10), t=9, corrupt=2, min_roster=12),
]
TOO_MANY = [
    world(5, 3, 5, t=4, corrupt=2),
    world(7, 3, 7, t=5, corrupt=2),
    world(6, 1, 6, t=4, corrupt=0),
]


@dataclass(frozen=True)
class Strategy:
    """What each honest client is shown; by default what everybody is."""

    world: World
    roster_of: dict[int, int]
    left_out: tuple[frozenset[int], ...]
    side: dict[int, int]
    sees: dict[tuple[int, int], bool]
    hidden: dict[int, frozenset[int]]
    spoiled: frozenset[int]
    views: tuple[frozenset[int], ...]
    view_of: dict[int, int]
    silent: frozenset[int]

    def play(self) -> Coalition:
        coalition = self.world.coalition()
        rosters = [
            coalition.roster([u for u in coalition.honest if u not in out], faces=i)
            for i, out in enumerate(self.left_out)
        ]
        shown = {u: rosters[self.roster_of[u]] for u in coalition.honest}
        in_2 = [u for u in coalition.honest if coalition.show_roster(u, shown[u])]
        in_3 = [u for u in in_2 if coalition.show_senders(u, self._U2(coalition, u), self.spoiled)]
        signed = [u for u in in_3 if coalition.show_U3(u, self._U3(coalition, u))]
        for u in signed:
            if u not in self.silent:
                coalition.show_signatures(u)
        return coalition

    def _U2(self, coalition: Coalition, u: int) -> Iterable[int]:
        roster = coalition.seen[u].roster
        others = [roster.ids[i] for i in coalition.row(roster, u) if roster.ids[i] != u]
        side = self.side
        return [
            v
            for v in others
            if v not in self.hidden[u]
            and (v not in side or self.sees[side[u], side[v]])
        ]  # fmt: skip

    def _U3(self, coalition: Coalition, u: int) -> Iterable[int]:
        return set(coalition.seen[u].roster.ids) - self.views[self.view_of[u]]


@st.composite
def strategies(draw: st.DrawFn, worlds: list[World]) -> Strategy:
    """Mostly orderly sessions with a lie or two: chaos aborts before anything is at stake."""
    chosen = draw(st.sampled_from(worlds))
    ids = [10 * (i + 1) for i in range(chosen.enrolled)]
    honest = ids[: chosen.enrolled - chosen.bad]
    rare = st.integers(0, 3).map(lambda i: i == 3)
    subset = st.frozensets(st.sampled_from(honest), max_size=len(honest))
    few = st.one_of(st.just(frozenset()), st.frozensets(st.sampled_from(ids), max_size=2))
    sides = {u: draw(st.integers(0, 1)) for u in honest}
    split_rosters = chosen.enrolled > chosen.n or draw(rare)
    by_side = draw(st.booleans())
    left_out = (draw(subset), draw(subset)) if split_rosters else (frozenset(),) * 2
    return Strategy(
        chosen,
        {u: sides[u] if split_rosters else 0 for u in honest},
        left_out,
        sides,
        {(a, b): a == b or not draw(rare) for a in (0, 1) for b in (0, 1)},
        {u: draw(few) if draw(rare) else frozenset() for u in honest},
        draw(few),
        (draw(st.one_of(few, subset)), draw(st.one_of(few, subset))),
        {u: sides[u] if by_side else 0 for u in honest},
        draw(few) if draw(rare) else frozenset(),
    )


def true_combination(coalition: Coalition, factors: dict[int, int]) -> list[int]:
    """What the coalition should have found: computed from the inputs, mod 2^16."""
    total = sum(np.int64(factor) * coalition.inputs[u].astype(np.int64)
                for u, factor in factors.items())  # fmt: skip
    return [int(word) % 2**16 for word in total]


@SETTINGS
@given(strategies(WORLDS))
def test_no_strategy_learns_more_than_one_sum(strategy: Strategy) -> None:
    coalition = strategy.play()
    assert harm(coalition) is None
    for learned in coalition.learned():
        assert learned.total == true_combination(coalition, learned.factors)
    event(f"{len(coalition.learned())} sums learned")


@settings(SETTINGS, max_examples=60)
@given(strategies(SPARSE))
def test_no_strategy_on_a_sparse_graph_learns_more_than_one_sum(strategy: Strategy) -> None:
    coalition = strategy.play()
    assert harm(coalition) is None
    for learned in coalition.learned():
        assert learned.total == true_combination(coalition, learned.factors)


@pytest.mark.parametrize("world", [*WORLDS[:3], WORLDS[5], *SPARSE], ids=str)
def test_the_coalition_learns_what_everybody_may(world: World) -> None:
    """The harness is able: after an orderly session it has the honest sum, and only that."""
    coalition = world.coalition()
    coalition.play()
    [learned] = coalition.learned()
    assert learned.clients == coalition.honest
    assert learned.total == coalition.expected(coalition.honest)
    assert harm(coalition) is None


@pytest.mark.parametrize("world", TOO_MANY, ids=str)
def test_with_one_corrupt_client_more_than_declared_the_search_finds_an_attack(
    world: World,
) -> None:
    """The property above does not hold of itself: here it is false, and the search says how."""
    strategy = find(
        strategies([world]),
        lambda strategy: harm(strategy.play()) is not None,
        settings=settings(SETTINGS, max_examples=2000, phases=[Phase.generate]),
    )
    assert harm(strategy.play()) is not None
