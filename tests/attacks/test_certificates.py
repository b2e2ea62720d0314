"""Certificates that are swapped, forged, missing, or true and a second one for the same client."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.identity.authority import issue
from secagg.keys import Transcript, framed, id_bytes
from secagg.messages import AdvertiseKeys, ConsistencyCheck, Roster, Signatures
from tests.attacks.dishonest import Coalition, harm, unsigned
from tests.attacks.test_sybils import alone
from tests.helpers.party import Party, identity

CA, OTHER_CA = identity(1000), identity(1001)
VICTIM, LIAR = 30, 50
ANYBODYS = (1).to_bytes(32, "little")
"""A key of small order: R = 1, S = 0 is its signature of everything."""


def public(seed: int) -> bytes:
    return identity(seed).public_key().public_bytes_raw()


# One advertisement of a roster is another.

Lie = Callable[[Party, AdvertiseKeys], AdvertiseKeys]


def brings(u: int, certificate: bytes) -> Lie:
    """u signs, by the key that it has, that this is its certificate."""
    return lambda party, entry: party.signed(entry, u=u, certificate=certificate)


def anybody_signs(party: Party, entry: AdvertiseKeys) -> AdvertiseKeys:
    """The authority has certified a key of small order; no private key is needed."""
    certificate = ANYBODYS + CA.sign(framed(b"secagg/v1/enrolment", id_bytes(LIAR), ANYBODYS))
    return unsigned(entry, certificate=certificate, signature=ANYBODYS + bytes(32))


OF_THE_LIAR: dict[str, tuple[str, Lie]] = {
    "another of its author, put there by somebody else": (
        "client 50: the signature of round 0",
        lambda p, e: unsigned(e, certificate=issue(CA, LIAR, public(51))),
    ),
    "of another authority": ("not signed by", brings(LIAR, issue(OTHER_CA, LIAR, public(LIAR)))),
    "made by the liar itself": (
        "not signed by",
        brings(LIAR, issue(identity(LIAR), LIAR, public(LIAR))),
    ),
    "of another client": ("not signed by", brings(LIAR, issue(CA, 40, public(40)))),
    "of its own key for another id": ("not signed by", brings(LIAR, issue(CA, 51, public(LIAR)))),
    "of another client's key for its own id": (
        "client 50: the signature of round 0",
        brings(LIAR, issue(CA, LIAR, public(51))),
    ),
    "none": ("client 50: a certificate of 0 bytes", brings(LIAR, b"")),
    "cut short": (
        "client 50: a certificate of 95 bytes",
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
        victim.receive(Roster(entries))
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
        lambda: party.clients[VICTIM].receive(Roster((*others, lie))),
        lambda: Party(5).server.receive(LIAR, lie),
    ):
        with pytest.raises(RemoteProtocolError, match=r"client 50: .* expected none"):
            receive()


# One client under many ids: as in test_sybils, t of them would open the victim alone.

SYBILS = (60, 70, 80)


def sybils(certificate: Callable[[int], bytes], key: int | None = None) -> Coalition:
    """Corrupt 50 under four ids, with these certificates; `key`: one identity key for all."""
    party = Coalition(5, bad=1, t=4, corrupt=1, ca=CA)
    for u in SYBILS:
        party.keys[u], party.certificates[u] = identity(key or u), certificate(u)
    return party


def their_roster(party: Coalition) -> Roster:
    """The victim, and nobody but 50."""
    return Roster((party.hello[10], *(party.face(u) for u in (50, *SYBILS))))


def opened_by(make: Callable[[], Coalition]) -> Callable[[], bool]:
    """Whether the victim deals all of them their shares, and both its secrets open."""

    def attack() -> bool:
        party = make()
        party.show_roster(10, their_roster(party))
        return party.both_opened() == (10,)

    return attack


def self_certified() -> Coalition:
    return sybils(lambda u: issue(identity(50), u, public(u)))


def uncertified() -> Coalition:
    return sybils(lambda u: b"")


def one_key_for_all() -> Coalition:
    return sybils(lambda u: issue(CA, u, public(50)), 50)


@pytest.mark.parametrize(
    ("make", "seen"),
    [
        (self_certified, "client 60: the certificate is not signed by"),
        (uncertified, "client 60: a certificate of 0 bytes"),
        (one_key_for_all, "clients 50 and 60 have the same identity key"),
    ],
)
def test_sybils_fill_no_roster(make: Callable[[], Coalition], seen: str) -> None:
    party = make()
    with pytest.raises(RemoteProtocolError, match=seen):
        party.clients[10].receive(their_roster(party))


def test_whom_the_authority_has_certified_counts() -> None:
    """An assumption, not a check: the authority's promise that few of those are corrupt."""
    assert opened_by(lambda: sybils(lambda u: issue(CA, u, public(u))))()


def one_key_under_two_ids() -> Party:
    """A host that was enrolled twice takes part twice: the server has forwarded that, or not."""
    party = Party(6, ca=CA)
    party.keys[60], party.certificates[60] = identity(50), issue(CA, 60, public(50))
    party.clients[60] = party.client(60)
    return party.after(0)


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


# 30 has a new key. Its old one was certified too, and it is the server's.


def under_the_old_key(party: Coalition, hello: AdvertiseKeys) -> AdvertiseKeys:
    """What 30 would have advertised under its old key."""
    hello = msgspec.structs.replace(hello, certificate=issue(CA, VICTIM, public(31)))
    signature = Transcript(party.digest).sign(identity(31), 0, VICTIM, hello.body())
    return unsigned(hello, signature=signature)


def two_rosters(party: Coalition, hello: AdvertiseKeys) -> tuple[Roster, Roster]:
    """The true one, and the one in which 30 has its old certificate and says `hello`."""
    true = party.roster()
    old = under_the_old_key(party, hello)
    return true, Roster(tuple(old if e.u == VICTIM else e for e in true.entries))


def signs_by_the_old_key(party: Coalition, u: int) -> Signatures:
    """All signatures of u's U3 that there are, and 30's."""
    seen, message = party.seen[u], party.signatures(u)
    by = dict(zip(message.signers, message.signatures, strict=True))
    body = ConsistencyCheck.body(seen.U3)
    by[VICTIM] = Transcript(party.digest, seen.roster.digest).sign(identity(31), 3, VICTIM, body)
    return Signatures(tuple(sorted(by)), tuple(by[v] for v in sorted(by)))


def two_certificates() -> Coalition:
    """10, 20 and 30 are shown the true roster; 40 and 50 one in which 30's old key speaks for it.

    The keys in both are the same. 30 has signed the U3 that holds 10; its old key signs the other.
    """
    party = Coalition(7, bad=2, ca=CA)
    true, other = two_rosters(party, party.hello[VICTIM])
    misled = (40, 50)
    for u in party.honest:
        assert party.show_roster(u, other if u in misled else true)
    for u in party.honest:
        party.show_senders(u, set(party.ids) - {u})
        party.show_U3(u, party.ids[1:] if u in misled else party.ids)
    for u in party.honest:
        assert party.show_signatures(u, signs_by_the_old_key(party, u) if u in misled else None)
    return party


def two_U3() -> bool:
    return harm(two_certificates()) is not None


def test_clients_that_are_shown_different_certificates_of_one_client_share_nothing() -> None:
    """Both sides have their min_survivors = 5 signatures, and what they release does not add up."""
    party = two_certificates()
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
