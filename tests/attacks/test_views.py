"""A server that shows different clients different U1, U2 or U3."""

from itertools import product

import pytest

from tests.helpers.dishonest import Coalition, harm

VICTIM = 10


def coalition() -> Coalition:
    """5 honest clients, 2 corrupt ones, t = min_survivors = 5 of 7."""
    return Coalition(7, bad=2)


@pytest.mark.parametrize("told", list(product((True, False), repeat=4)))
def test_two_views_of_U3_never_both_gather_enough_signatures(told: tuple[bool, ...]) -> None:
    """The victim survived, says the server to some; to the others it says the contrary."""
    party = coalition()
    believes = dict(zip(party.honest, (True, *told), strict=True))
    party.play(U3=lambda u: party.ids if believes[u] else party.ids[1:])
    [views] = list(party.views().values()) or [set()]
    with_victim = sum(believes.values()) + len(party.corrupt)
    without = len(party.honest) - sum(believes.values()) + len(party.corrupt)
    expected = {tuple(party.ids)} if with_victim >= 5 else set()
    expected |= {tuple(party.ids[1:])} if without >= 5 else set()
    assert views == expected
    assert len(views) <= 1
    assert harm(party) is None


def test_a_client_of_the_smaller_view_aborts() -> None:
    party = coalition()
    party.play(U3=lambda u: party.ids[1:] if u == 50 else party.ids)
    assert [party.clients[u].state for u in party.honest] == ["Done"] * 4 + ["Aborted"]


def test_clients_with_different_rosters_share_no_key() -> None:
    """A corrupt client advertises twice; what crosses from one roster to the other is shut."""
    party = coalition()
    first, second = party.roster(faces=0), party.roster(faces=1)
    shown = {u: first if u < 30 else second for u in party.honest}
    for u in party.honest:
        assert party.show_roster(u, shown[u])
    for u in party.honest:
        assert party.show_senders(u, [v for v in party.ids if v != u])
    for u in party.honest:
        other = {v for v in party.honest if shown[v] is not shown[u]}
        assert set(party.seen[u].unopened) == other | set(
            party.corrupt
        )  # the corrupt dealt garbage
        assert party.show_U3(u, party.ids)
    for u in party.honest:
        assert party.show_signatures(u) == (u >= 30)  # 2 + 2 < 5, and 3 + 2 = 5
    assert party.learned() == []  # what 30, 40, 50 share with 10 and 20, these do not share


def test_signatures_do_not_cross_rosters() -> None:
    """The same U3, signed by all five honest clients, but of two rosters: neither has enough."""
    party = coalition()
    for u in party.honest:
        party.show_roster(u, party.roster(faces=int(u >= 30)))
        party.show_senders(u, [v for v in party.ids if v != u])
        party.show_U3(u, party.ids)
    message = party.signatures(10)
    everybody = {v: party.seen[v].signature for v in party.honest}
    everybody |= dict(zip(message.signers, message.signatures, strict=True))
    signers = tuple(sorted(everybody))
    forged = type(message)(signers, tuple(everybody[v] for v in signers))
    assert len(signers) == 7
    assert not party.show_signatures(10, forged)
    assert party.clients[10].state == "Aborted"


@pytest.mark.parametrize("blind", [(20,), (20, 30), (20, 30, 40, 50)])
def test_a_client_hidden_from_some_survives_for_nobody_else(blind: tuple[int, ...]) -> None:
    """U2 without the victim for some: who has no ciphertext of it does not sign it into U3."""
    party = coalition()
    for u in party.honest:
        party.show_roster(u, party.roster())
    for u in party.honest:
        hidden = {u, VICTIM} if u in blind else {u}
        assert party.show_senders(u, set(party.ids) - hidden)
    for u in party.honest:
        assert party.show_U3(u, party.ids) == (u not in blind)
    for u in set(party.honest) - set(blind):
        party.show_signatures(u)
    assert party.learned() == []
    assert harm(party) is None


def test_a_client_hidden_from_some_and_then_dropped_costs_nothing() -> None:
    """U2 differs, and U3 is without the victim: what each has masked with it can be removed."""
    party = coalition()
    for u in party.honest:
        party.show_roster(u, party.roster())
    for u in party.honest:
        hidden = {u, VICTIM} if u in (20, 30) else {u}
        party.show_senders(u, set(party.ids) - hidden)
    for u in party.honest:
        assert party.show_U3(u, party.ids[1:]) == (u != VICTIM)
    for u in party.honest[1:]:
        party.show_signatures(u)
    # 20 and 30 hold no share of s_sk of the victim: 40, 50 and two corrupt are 4, fewer than t = 5
    assert party.opened_s_sk(VICTIM) is None
    assert party.learned() == []


def test_the_graph_cut_in_two_opens_neither_part() -> None:
    """No mask crosses the cut; each side would have to reach t with itself and the corrupt."""
    party = coalition()
    left, right = {10, 20, 30}, {40, 50}
    for u in party.honest:
        party.show_roster(u, party.roster())
    for u in party.honest:
        side = left if u in left else right
        enough = party.show_senders(u, (side | set(party.corrupt)) - {u})
        assert enough == (u in left)  # 3 + 2 = t, and 2 + 2 < t
    for u in left:
        assert not party.show_U3(u, party.ids)
    assert party.learned() == []
