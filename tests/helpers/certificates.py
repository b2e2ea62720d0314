"""Lies with certificates: sybils, one key under two ids, an old certificate beside the new one."""

from collections.abc import Callable

import msgspec

from secagg.identity.authority import issue
from secagg.keys import Transcript, framed, id_bytes
from secagg.messages import AdvertiseKeys, ConsistencyCheck, Roster, Signatures
from tests.helpers.dishonest import Coalition, harm
from tests.helpers.party import Party, identity, unsigned

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
    return Roster.of((party.hello[10], *(party.face(u) for u in (50, *SYBILS))))


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


def one_key_under_two_ids() -> Party:
    """A host that was enrolled twice takes part twice: the server has forwarded that, or not."""
    party = Party(6, ca=CA)
    party.keys[60], party.certificates[60] = identity(50), issue(CA, 60, public(50))
    party.clients[60] = party.client(60)
    return party.after(0)


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
    return true, Roster.of(tuple(old if e.u == VICTIM else e for e in true.entries))


def signs_by_the_old_key(party: Coalition, u: int) -> Signatures:
    """All signatures of u's U3 that there are, and 30's."""
    seen, message = party.seen[u], party.signatures(u)
    by = dict(zip(message.signers, message.signatures, strict=True))
    body = ConsistencyCheck.body(seen.U3)
    by[VICTIM] = Transcript(party.digest, seen.roster.digest).sign(identity(31), 3, VICTIM, body)
    return Signatures.of(tuple(sorted(by)), tuple(by[v] for v in sorted(by)))


def two_certificates() -> Coalition:
    """10, 20 and 30 are shown the true roster; 40 and 50 one in which 30's old key speaks for it.

    The keys in both are the same. 30 has signed the U3 that holds 10; its old key signs the other.
    """
    party = Coalition(7, bad=2, ca=CA)
    true, other = two_rosters(party, party.hello[VICTIM])
    misled = (40, 50)
    for u in party.honest:
        party.show_roster(u, other if u in misled else true)
    for u in party.honest:
        party.show_senders(u, set(party.ids) - {u})
        party.show_U3(u, party.ids[1:] if u in misled else party.ids)
    for u in party.honest:
        party.show_signatures(u, signs_by_the_old_key(party, u) if u in misled else None)
    return party


def two_U3() -> bool:
    return harm(two_certificates()) is not None
