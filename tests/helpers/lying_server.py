"""The lies of a server to one of its clients, by the message that it lies in."""

from collections.abc import Callable
from typing import Any

import msgspec

from secagg.curve import LOW_ORDER_U, P
from secagg.keys import Transcript
from secagg.messages import (
    CIPHERTEXT_BYTES,
    Ciphertexts,
    ConsistencyCheck,
    Roster,
    Signatures,
    Survivors,
)
from tests.helpers.party import Party

VICTIM = 30
Lie = Callable[[Party, Any], Any]


def keys(seed: int) -> bytes:
    """32 bytes that pass for a public key."""
    return bytes([seed]) * 31 + b"\x01"


def entry(party: Party, message: Roster, u: int, **changes: Any) -> Roster:
    """The roster in which corrupt u advertised something else, signed by u."""
    entries = [party.signed(e, **changes) if e.u == u else e for e in message.entries]
    return Roster.of(tuple(entries))


def tampered(message: Roster, u: int, **changes: Any) -> Roster:
    """The roster in which the server changed what u advertised."""
    replace = msgspec.structs.replace
    return Roster.of(tuple(replace(e, **changes) if e.u == u else e for e in message.entries))


def outsider(party: Party, u: int) -> Any:
    """An advertisement by an enrolled client that nobody invited."""
    return party.advertisement(u, keys(61), keys(62), bytes(32))


def stranger(party: Party) -> Any:
    """An advertisement that is well formed, by an id nobody enrolled."""
    return msgspec.structs.replace(outsider(party, 60), u=70)


def own_key_again(party: Party, message: Roster) -> Roster:
    own = next(e for e in message.entries if e.u == VICTIM)
    return entry(party, message, 50, s_pk=own.s_pk)


def of_another_session(party: Party, message: Roster, **params: Any) -> Roster:
    """Everybody else advertised under other parameters."""
    others = tuple(
        party.client(e.u, **params).start() if e.u != VICTIM else e for e in message.entries
    )
    return Roster.of(others)


ROSTER_LIES: dict[str, tuple[str, Lie]] = {
    "not ascending": ("ascending", lambda p, m: Roster.of(m.entries[::-1])),
    "one client twice": (
        "ascending",
        lambda p, m: Roster.of((m.entries[0], m.entries[0], *m.entries[2:])),
    ),
    "too few": ("3 clients, expected 4", lambda p, m: Roster.of(m.entries[:3])),
    "too many": ("6 clients", lambda p, m: Roster.of((*m.entries, outsider(p, 60)))),
    "without the victim": (
        "does not hold what client 30",
        lambda p, m: Roster.of(tuple(e for e in m.entries if e.u != VICTIM)),
    ),
    "the victim's keys changed": (
        "does not hold what client 30",
        lambda p, m: entry(p, m, VICTIM, c_pk=keys(9)),
    ),
    "a client nobody enrolled": (
        "70 is not in the directory",
        lambda p, m: Roster.of((*m.entries[:4], stranger(p))),
    ),
    "a key changed under its signature": (
        "client 50: the signature",
        lambda p, m: tampered(m, 50, c_pk=keys(9)),
    ),
    "a commitment changed under its signature": (
        "client 50: the signature",
        lambda p, m: tampered(m, 50, commitment=bytes(32)),
    ),
    "a signature of another client": (
        "client 50: the signature",
        lambda p, m: tampered(m, 50, signature=m.entries[0].signature),
    ),
    "another session": (
        "signature of round 0",
        lambda p, m: of_another_session(p, m, session=b"an older session"),
    ),
    "another model": (
        "signature of round 0",
        lambda p, m: of_another_session(p, m, context=b"zero learning rate"),
    ),
    "another threshold": (
        "signature of round 0",
        lambda p, m: of_another_session(p, m, t=3, corrupt=0, min_survivors=4),
    ),
    "a non-canonical c_pk": (
        "canonical",
        lambda p, m: entry(p, m, 50, c_pk=(P + 9).to_bytes(32, "little")),
    ),
    "an s_pk with the top bit set": (
        "canonical",
        lambda p, m: entry(p, m, 50, s_pk=keys(9)[:31] + b"\x80"),
    ),
    "the victim's s_pk advertised again": ("public key that stands twice", own_key_again),
    "one key as c_pk and s_pk": (
        "client 50 advertises a public key that stands twice",
        lambda p, m: entry(p, m, 50, c_pk=keys(9), s_pk=keys(9)),
    ),
    **{
        f"a low-order {name} {u % 1000}": (
            "low order",
            lambda p, m, name=name, u=u: entry(p, m, 50, **{name: u.to_bytes(32, "little")}),
        )
        for name in ("c_pk", "s_pk")
        for u in sorted(LOW_ORDER_U)
    },
}

CIPHERTEXT_LIES: dict[str, tuple[str, Lie]] = {
    "not ascending": ("ascending", lambda p, m: Ciphertexts(m.senders[::-1], m.ciphertexts)),
    "one sender twice": (
        "ascending",
        lambda p, m: Ciphertexts((10, 10, 20, 40), m.ciphertexts),
    ),
    "the victim as a sender": (
        "neighbours",
        lambda p, m: Ciphertexts((10, 20, 30, 40), m.ciphertexts),
    ),
    "a sender outside the roster": (
        "neighbours",
        lambda p, m: Ciphertexts((10, 20, 40, 60), m.ciphertexts),
    ),
    "fewer than t": (
        "2 senders and client 30, expected t=4 at least",
        lambda p, m: Ciphertexts(m.senders[:2], m.ciphertexts[: 2 * CIPHERTEXT_BYTES]),
    ),
    "a ciphertext too few": (
        "bytes of ciphertexts",
        lambda p, m: Ciphertexts(m.senders, m.ciphertexts[:-CIPHERTEXT_BYTES]),
    ),
    "a byte too many": (
        "bytes of ciphertexts",
        lambda p, m: Ciphertexts(m.senders, memoryview(bytes(m.ciphertexts) + b"\0")),
    ),
}

SURVIVOR_LIES: dict[str, tuple[str, Lie]] = {
    "not ascending": ("ascending", lambda p, m: Survivors(m.U3[::-1])),
    "one client twice": ("ascending", lambda p, m: Survivors((10, 20, 20, 30, 40))),
    "too few": ("3 clients, expected at least 4", lambda p, m: Survivors((10, 20, 30))),
    "without the victim": ("U3 without client 30", lambda p, m: Survivors((10, 20, 40, 50))),
    "somebody outside the roster": (
        "U3 is not a part of the roster",
        lambda p, m: Survivors((10, 20, 30, 40, 60)),
    ),
}


def forged(party: Party, message: Signatures) -> Signatures:
    return Signatures.of(message.signers, (message.signatures[1], *message.signatures[1:]))


def signed_by_all(party: Party, message: Signatures, round: int, U3: list[int]) -> Signatures:
    """What the signers would have signed in another round or of another U3."""
    digest, body = party.params.digest(party.directory.digest), ConsistencyCheck.body(U3)
    return Signatures.of(
        message.signers,
        tuple(
            Transcript(digest, party.roster_digest()).sign(party.keys[v], round, v, body)
            for v in message.signers
        ),
    )


SIGNATURE_LIES: dict[str, tuple[str, Lie]] = {
    "too few": (
        "bytes of signatures by 3 signers, expected 64 by each of at least 4",
        lambda p, m: Signatures.of(m.signers[:3], m.signatures[:3]),
    ),
    "one signer twice": (
        "ascending",
        lambda p, m: Signatures.of((10, 10, 20, 30), (m.signatures[0], *m.signatures[:3])),
    ),
    "a signer outside U3": (
        "members of U3",
        lambda p, m: Signatures.of((*m.signers[:3], 60), m.signatures),
    ),
    "a signature too many": (
        "320 bytes of signatures by 4 signers",
        lambda p, m: Signatures.of(m.signers, (*m.signatures, m.signatures[0])),
    ),
    "a signature missing": (
        "192 bytes of signatures by 4 signers",
        lambda p, m: Signatures.of(m.signers, m.signatures[:3]),
    ),
    "somebody else's signature": ("client 10: the signature of round 3", forged),
    "signatures of another U3": (
        "client 10: the signature of round 3",
        lambda p, m: signed_by_all(p, m, 3, p.ids[:4]),
    ),
    "signatures of another round": (
        "client 10: the signature of round 3",
        lambda p, m: signed_by_all(p, m, 4, p.ids),
    ),
}

LIES: dict[str, tuple[int, str, Lie]] = {
    f"{kind}: {name}": (round, says, lie)
    for round, kind, lies in (
        (0, "roster", ROSTER_LIES),
        (1, "ciphertexts", CIPHERTEXT_LIES),
        (2, "U3", SURVIVOR_LIES),
        (3, "signatures", SIGNATURE_LIES),
    )
    for name, (says, lie) in lies.items()
}
"""The round after which each is told, and what the client says to it."""
