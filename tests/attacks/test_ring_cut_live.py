"""A server that sees the ring cuts it in two places: test_ring_cut.py, played on real clients.

    round 0   everybody advertises; on their ring the server picks the cut with the fewest drops
    round 1   everybody deals its shares
    round 2   the part inside is handed no ciphertext from beyond the cuts; a few beside them drop
    round 3   the part is shown a U3 without its neighbours beyond the cuts, the others one with all
    round 4   it tries to have both views answered

A `Client` asks for min_survivors signatures of the U3 it signed, from the whole roster: nothing
opens.  With the check of Bell et al. 2020 in its place, t of one's neighbours have signed that one
survived, the server reads the exact sum of a small part.  A session is played to round 2 once, and
each test goes on from there in its own way.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pytest

from secagg.client import rounds
from secagg.client.member import Member
from secagg.client.states import Checked
from secagg.errors import RemoteProtocolError
from secagg.graph import Harary, _ring
from secagg.keys import Transcript
from secagg.messages import ConsistencyCheck, Signatures
from secagg.params import Params
from secagg.simulation.checks import RememberedChecks
from tests.helpers.dishonest import Coalition
from tests.helpers.held import Learned
from tests.helpers.party import SPECS
from tests.helpers.ring import (
    WEAK,
    Flags,
    Ring,
    arc,
    neighbourhood,
    opened,
    random_ring,
    two_views,
)

OPENED = {
    (36, 24): [(22, 7)],
    (78, 52): [(57, 12)],
    (32, 23): [(21, 9)],
    (156, 118): [],
}
"""(k, t) → inputs summed alone, and clients dropped, where only neighbours sign.

The last two are what `Params.choose` gives for 100 and 1000 clients: not made as a second line of
defence, and none for 100.
"""

U3s = list[tuple[int, ...]]


@dataclass
class Cut:
    """A session whose server has cut the ring; flags are in ring order, which is `order`."""

    party: Coalition
    order: tuple[int, ...]
    ring: Ring
    part: Flags
    gone: Flags

    def ids(self, flags: Flags) -> tuple[int, ...]:
        """The clients at these positions."""
        return tuple(sorted(self.order[i] for i in np.flatnonzero(flags)))

    @cached_property
    def victims(self) -> tuple[int, ...]:
        """The honest clients of the part."""
        return self.ids(self.part & ~self.ring.corrupt)

    @cached_property
    def asked(self) -> tuple[int, ...]:
        """The honest clients that the server does not let drop."""
        return self.ids(~self.gone & ~self.ring.corrupt)

    def states(self, clients: Iterable[int]) -> set[str]:
        """The states in which these are."""
        return {self.party.clients[u].state for u in clients}

    def play_to_round_2(self) -> "Cut":
        """Everybody deals; then no mask of the part is shared with anybody beyond the cuts."""
        party, roster = self.party, self.party.roster()
        for u in party.honest:
            assert party.show_roster(u, roster)
        U2 = two_views(self.ring, self.part, self.gone, far=0).U2
        for u in self.asked:
            i = self.order.index(u)
            senders = {self.order[j] for j in self.ring.rows[i, U2[i]]}
            assert party.show_senders(u, senders - {u})
        return self

    def again(self) -> "Cut":
        """The same session, to be played on in another way: what a client is, is immutable."""
        party = copy.copy(self.party)
        party.clients = {u: copy.copy(client) for u, client in party.clients.items()}
        party.seen = {u: replace(seen) for u, seen in party.seen.items()}
        party.shares, party.secrets = copy.deepcopy(party.shares), dict(party.secrets)
        return replace(self, party=party)

    def sign_two_views(self, *, evenly: bool = False) -> U3s:
        """Round 3: the part is shown the first of two U3, the others the second; all sign.

        `evenly`: so many others, far from the cuts, are shown the first that half of all sign it.
        """
        far = len(self.asked) // 2 - len(self.victims) if evenly else 0
        lies = two_views(self.ring, self.part, self.gone, far)
        views = [self.ids(view) for view in lies.views]
        shown = dict(zip(self.order, lies.shown.tolist(), strict=True))
        for u in self.asked:
            assert self.party.show_U3(u, views[shown[u]])
        return views

    def answer_whole_roster(self, views: U3s) -> None:
        """Round 4: all signatures of a view and, where too few signed it, of the other."""
        party = self.party
        for view in views:
            members = [u for u, seen in party.seen.items() if view == seen.U3]
            message = party.signatures(members[0])
            signatures = dict(zip(message.signers, message.signatures, strict=True))
            if len(signatures) < self.ring.min_survivors:
                others = set(self.asked) & set(view) - signatures.keys()
                signatures |= {v: party.seen[v].signature for v in others}
            assert len(signatures) >= self.ring.min_survivors
            for u in members:
                party.show_signatures(u, ascending(signatures))

    def answer_neighbourhoods(self, views: U3s) -> None:
        """Round 4: to each client, its neighbours' signatures of whichever U3 holds it: up to t."""
        party, digest = self.party, self.party.parsed(self.party.roster()).digest
        everybody = views[1]
        signed = {u: (party.seen[u].signature, set(party.seen[u].U3)) for u in self.asked}
        signed |= {v: (party.sign_U3(v, digest, everybody), set(everybody)) for v in party.corrupt}
        for u in self.asked:
            row = [self.order[j] for j in self.ring.rows[self.order.index(u)]]
            signers = [v for v in row if v in signed and u in signed[v][1]]
            message = ascending({v: signed[v][0] for v in signers[: self.ring.t]})
            party.show_signatures(u, message)

    def sums(self) -> list[Learned]:
        """Every sum that the coalition can compute: as `learned`, but fast for many clients.

        A mask is an unknown of one y_u or, with opposite signs, of two.  So a sum is free of them
        if it is over all of those that unknown masks connect, and none has an unknown of its own.
        """
        party = self.party
        unknown, known = {}, {}
        for u, seen in party.seen.items():
            if seen.y is not None:
                unknown[u], known[u] = party._strip(u, seen)
        holders: dict[object, list[int]] = {}
        for u, masks in unknown.items():
            for mask in masks:
                holders.setdefault(mask, []).append(u)
        found, left = [], set(unknown)
        while left:
            reached = [left.pop()]
            for u in reached:
                new = {v for mask in unknown[u] for v in holders[mask]} & left
                left -= new
                reached += new
            if all(len(holders[mask]) == 2 for u in reached for mask in unknown[u]):
                found.append(party._compute(dict.fromkeys(sorted(reached), 1), known))
        return found


def ascending(signatures: Mapping[int, bytes]) -> Signatures:
    signers = tuple(sorted(signatures))
    return Signatures.of(signers, tuple(signatures[v] for v in signers))


def cuts(ring: Ring, length: int) -> list[tuple[Flags, Flags]]:
    """(part, gone) for an arc at every place, those that cost the fewest drops first.

    Beside the arc just so many drop that its outermost clients are left with t in U2(u) ∪ {u}.
    """
    m, half, honest = len(ring.corrupt), ring.k // 2, ~ring.corrupt
    room = ring.k + 1 - ring.t

    def gap(edge: int, step: int) -> int:
        farthest_first = (edge + step * np.arange(half, 0, -1)) % m
        return half - int(np.count_nonzero(honest[farthest_first].cumsum() <= room))

    found = []
    for first in range(m):
        before, behind = gap(first, -1), gap(first + length - 1, 1)
        gaps = arc(m, first - before, before) | arc(m, first + length, behind)
        found.append((arc(m, first, length), gaps & honest))
    return sorted(found, key=lambda cut: np.count_nonzero(cut[1]))


def opens(ring: Ring, part: Flags, gone: Flags) -> bool:
    """Whether this cut opens the part if a client answers after signatures of its neighbours."""
    return opened(ring, two_views(ring, part, gone, far=0), neighbourhood) != []


def session(params: Params) -> Cut:
    """n clients, 5 % of them corrupt, on the ring that SHA-256 draws; cut, and after round 2."""
    graph = params.graph
    assert isinstance(graph, Harary)
    names = ("t", "corrupt", "min_roster", "min_survivors", "graph")
    party = Coalition(
        params.n,
        bad=params.corrupt,
        checks=RememberedChecks(),
        **{name: getattr(params, name) for name in names},
    )
    roster = party.parsed(party.roster())
    order = tuple(roster.ids[i] for i in _ring(roster.digest, params.n)[0])
    ring = Ring(graph.k, params.t, params.min_survivors, np.isin(order, party.corrupt))
    return Cut(party, order, ring, *place(ring)).play_to_round_2()


def place(ring: Ring) -> tuple[Flags, Flags]:
    """The shortest arc that some cut opens; if none does, a long one where the cut is cheapest."""
    m = len(ring.corrupt)
    for length in range(ring.k // 2, m // 2, m // 100):
        for cut in cuts(ring, length)[:5]:
            if opens(ring, *cut):
                return cut
    return cuts(ring, m // 3)[0]


class InsecureHarary(Harary):
    """With bits below the floors: the package has no such ring, so the attack brings its own."""

    def __post_init__(self) -> None:
        """Nothing is checked."""


def weak(n: int) -> Cut:
    """t = ⌊2k/3⌋, and as many `privacy_bits` as the rule gives for that: few, but no patch."""
    k, t, privacy_bits = {100: (36, 24, 5), 1000: (*WEAK, 12)}[n]
    graph = InsecureHarary(k, privacy_bits=privacy_bits, grinding_bits=0)
    params = Params(n, SPECS, t=t, corrupt=n // 20, min_roster=n, graph=graph)
    return session(params)


def chosen(n: int) -> Cut:
    """The k and t of `Params.choose`."""
    return session(Params.choose(n, SPECS, corrupt=0.05, dropout=0.1, graph="harary"))


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest) -> Cut:
    """A session after round 2, shared by the tests that go on from it."""
    make, n = request.param
    cut: Cut = make(n)
    return cut


@pytest.fixture
def cut(played: Cut) -> Cut:
    return played.again()


def of(*kinds: Callable[[int], Cut]) -> pytest.MarkDecorator:
    """Parametrizes `cut`: sessions of 100 clients, and of 1000, 5 % of them corrupt."""
    sessions = [
        pytest.param((make, n), marks=[pytest.mark.slow] * (n == 1000), id=f"{make.__name__}-{n}")
        for make in kinds
        for n in (100, 1000)
    ]
    return pytest.mark.parametrize("played", sessions, indirect=True)


def t_of_the_neighbours(views: U3s) -> Callable[[Member, Checked, Transcript, Signatures], None]:
    """The check of Bell et al. 2020: t of N(u) ∪ {u} have signed one of `views` that holds u."""
    known = [(frozenset(view), ConsistencyCheck.body(view)) for view in views]

    def check(client: Member, state: Checked, transcript: Transcript, message: Signatures) -> None:
        roster, params = state.roster, client.params
        row = params.graph.row(roster.digest, len(roster.ids), roster.index[client.u])

        def says_so(v: int, signature: bytes) -> bool:
            key = roster.identities[roster.index[v]]
            for members, body in known:
                with suppress(RemoteProtocolError):
                    if {client.u, v} <= members:
                        transcript.verify(key, signature, 3, v, body)
                        return True
            return False

        signatures = dict(zip(message.signers, message.signatures, strict=True))
        neighbours = signatures.keys() & {roster.ids[i] for i in row}
        signed = sum(says_so(v, signatures[v]) for v in neighbours)
        if signed < params.t:
            raise RemoteProtocolError(f"{signed} neighbours signed, expected {params.t}")

    return check


@of(weak, chosen)
def test_signatures_of_the_neighbourhood_open_a_small_part_alone(
    cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exact, and far below the min_survivors − corrupt inputs that a sum is promised to hold."""
    views = cut.sign_two_views()
    monkeypatch.setattr(rounds, "_check_signatures", t_of_the_neighbours(views))
    cut.answer_neighbourhoods(views)
    sums = cut.sums()
    dropped = len(cut.party.honest) - len(cut.asked)
    found = [(len(alone.clients), dropped) for alone in sums]
    assert found == OPENED[cut.ring.k, cut.ring.t]
    for alone in sums:
        assert alone.clients == cut.victims
        assert alone.total == cut.party.expected(cut.victims)
        assert len(alone.clients) < cut.ring.min_survivors - cut.party.params.corrupt
    if len(cut.order) == 100:  # the search that knows nothing of cuts finds the same
        assert cut.party.learned() == sums


def test_what_is_chosen_for_200_clients_is_cut_too_where_only_neighbours_sign() -> None:
    """In the simulation alone; a ring of 200 is had by asking for one, `graph="harary"`."""
    choice = Params.choose(200, SPECS, corrupt=0.05, dropout=0.1, graph="harary")
    assert (choice.graph.describe(), choice.t) == (Harary(58).describe(), 41)
    ring = random_ring(58, 41, seed=1, m=200, corrupt=10)
    assert opens(ring, *place(ring))


@of(weak, chosen)
def test_the_views_divided_evenly_all_abort(cut: Cut) -> None:
    """Neither U3 has min_survivors signatures; those of the other U3 do not count for it."""
    cut.answer_whole_roster(cut.sign_two_views(evenly=True))
    assert cut.states(cut.asked) == {"Aborted"}
    assert cut.sums() == []


@of(weak, chosen)
def test_the_part_aborts_where_the_others_gather_enough(cut: Cut) -> None:
    """They answer for a U3 that the part is in; without the part's answers nothing opens."""
    cut.answer_whole_roster(cut.sign_two_views())
    assert cut.states(cut.victims) == {"Aborted"}
    assert cut.states(set(cut.asked) - set(cut.victims)) == {"Done"}
    assert cut.sums() == []
