"""Certificates that are swapped, forged, missing, or true and a second one for the same client."""

from collections.abc import Callable
from typing import Any

import pytest

from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.identity.authority import issue
from secagg.messages import Roster
from tests.helpers.certificates import (
    CA,
    LIAR,
    OTHER_CA,
    VICTIM,
    Lie,
    anybody_signs,
    brings,
    one_key_for_all,
    one_key_under_two_ids,
    opened_by,
    public,
    self_certified,
    sybils,
    their_roster,
    two_certificates,
    uncertified,
)
from tests.helpers.dishonest import Coalition, alone, harm
from tests.helpers.party import Party, identity, unsigned

OF_THE_LIAR: dict[str, tuple[str, Lie]] = {
    "another of its author, put there by somebody else": (
        "client 50: the signature of round 0",
        lambda p, e: unsigned(e, certificate=issue(CA, LIAR, public(51))),
    ),
    "of another authority": (
        "a certificate of somebody else",
        brings(LIAR, issue(OTHER_CA, LIAR, public(LIAR))),
    ),
    "made by the liar itself": (
        "a certificate of somebody else",
        brings(LIAR, issue(identity(LIAR), LIAR, public(LIAR))),
    ),
    "of another client": (
        "a certificate of somebody else|client 50 has the identity key of another",
        brings(LIAR, issue(CA, 40, public(40))),
    ),
    "of its own key for another id": (
        "a certificate of somebody else",
        brings(LIAR, issue(CA, 51, public(LIAR))),
    ),
    "of another client's key for its own id": (
        "client 50: the signature of round 0",
        brings(LIAR, issue(CA, LIAR, public(51))),
    ),
    "none": ("client 50: a certificate of 0 bytes|384 bytes of", brings(LIAR, b"")),
    "cut short": (
        "client 50: a certificate of 95 bytes|479 bytes of certificates",
        lambda p, e: p.signed(e, certificate=e.certificate[:-1]),
    ),
    "of a key of small order": ("client 50: .* small order", anybody_signs),
}


@pytest.mark.parametrize(("seen", "lie"), OF_THE_LIAR.values(), ids=OF_THE_LIAR)
def test_the_server_refuses_it_and_the_session_goes_on(seen: str, lie: Lie) -> None:
    party = Party(5, ca=CA)
    party.collect(but=[LIAR])
    truth = party.clients[LIAR].start()
    with pytest.raises(RemoteProtocolError, match=seen):
        party.server.receive(LIAR, lie(party, truth))
    party.server.receive(LIAR, truth)
    party.close()
    assert party.finish().survivors == tuple(party.ids)


@pytest.mark.parametrize(("seen", "lie"), OF_THE_LIAR.values(), ids=OF_THE_LIAR)
def test_the_client_aborts_and_says_nothing_more(seen: str, lie: Lie) -> None:
    party = Party(5, ca=CA).after(0)
    victim = party.clients[VICTIM]
    truth: Any = party.outbox[VICTIM]
    entries = tuple(lie(party, e) if e.u == LIAR else e for e in truth.entries)
    with pytest.raises(RemoteProtocolError, match=seen):
        victim.receive(Roster.of(entries))
    assert victim.state == "Aborted"
    with pytest.raises(LocalProtocolError, match="Aborted"):
        victim.receive(truth)


def test_the_victims_own_certificate_is_swapped_for_another_of_its_own() -> None:
    party = Coalition(5, bad=1, ca=CA)
    party.hello[VICTIM] = unsigned(party.hello[VICTIM], certificate=issue(CA, VICTIM, public(31)))
    with pytest.raises(RemoteProtocolError, match="does not hold what client 30"):
        party.clients[VICTIM].receive(party.roster())


def test_a_certificate_where_keys_are_pinned() -> None:
    party = Party(5).after(0)
    roster: Any = party.outbox[VICTIM]
    *others, truth = roster.entries
    lie = party.signed(truth, certificate=issue(CA, LIAR, public(LIAR)))
    for receive in (
        lambda: party.clients[VICTIM].receive(Roster.of((*others, lie))),
        lambda: Party(5).server.receive(LIAR, lie),
    ):
        with pytest.raises(
            RemoteProtocolError, match=r"client 50: .* expected none|96 bytes of .*, expected none"
        ):
            receive()


@pytest.mark.parametrize(
    ("make", "seen"),
    [
        (self_certified, "client 60: a certificate of somebody else"),
        (uncertified, "192 bytes of certificates for 5 clients, expected none or 96 for each"),
        (one_key_for_all, "client 60 has the identity key of another client"),
    ],
)
def test_sybils_fill_no_roster(make: Callable[[], Coalition], seen: str) -> None:
    party = make()
    with pytest.raises(RemoteProtocolError, match=seen):
        party.clients[10].receive(their_roster(party))


def test_whom_the_authority_has_certified_counts() -> None:
    """An assumption, not a check: the authority's promise that few of those are corrupt."""
    assert opened_by(lambda: sybils(lambda u: issue(CA, u, public(u))))()


def test_the_server_refuses_one_key_under_two_ids() -> None:
    with pytest.raises(RemoteProtocolError, match="client 60 has the identity key of another"):
        one_key_under_two_ids()


def test_a_certificate_of_somebody_elses_key_is_of_no_use() -> None:
    """50 had 40's key certified for itself: it cannot sign by it, nor stand in 40's way."""
    party = Party(5, ca=CA)
    lie = issue(CA, LIAR, public(40))
    with pytest.raises(RemoteProtocolError, match="client 50: the signature of round 0"):
        party.server.receive(LIAR, party.signed(party.client(LIAR).start(), certificate=lie))
    assert party.finish().survivors == tuple(party.ids)


def test_clients_that_are_shown_different_certificates_of_one_client_share_nothing() -> None:
    """Both sides have their min_survivors = 5 signatures, and what they release does not add up."""
    party = two_certificates()
    assert all(party.seen[u].answered for u in party.honest)
    assert len(party.views()) == 2
    for u in party.honest:
        apart = {10, 20, 30} if u in (40, 50) else {40, 50}
        assert set(party.seen[u].unopened) - set(party.corrupt) == apart
    assert party.learned() == []


def test_an_old_key_in_wrong_hands_is_a_corrupt_client_of_the_rosters_that_hold_it() -> None:
    """An assumption, not a check: with 60, 70 and 30's old key there are 3 where `corrupt` is 2."""
    party = Coalition(7, bad=2, ca=CA)
    party.keys[VICTIM], party.certificates[VICTIM] = identity(31), issue(CA, VICTIM, public(31))
    party.honest, party.corrupt = (10, 20, 40, 50), (VICTIM, *party.corrupt)
    assert alone(party, (40, 50)) == [(40, 50)]
    assert harm(party) is not None
