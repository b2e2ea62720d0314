"""The lies of one client, by the round in which it tells them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import secagg
from secagg.messages import CIPHERTEXT_BYTES
from secagg.sharing.shamir import SHARE_BYTES
from tests.helpers.lying_server import keys
from tests.helpers.party import Party, unsigned

LIAR = 50
Lie = Callable[[Party, Any], Any]


@dataclass(frozen=True)
class Story:
    """In this round the liar sends this instead of the truth, and the server says that."""

    round: int
    says: str
    lie: Lie


def flipped(raw: Any, at: int = 0) -> memoryview:
    """One bit changed."""
    octets = bytearray(raw)
    octets[at] ^= 1
    return memoryview(bytes(octets))


STORIES = {
    "a low-order key": Story(0, "low order", lambda p, m: p.signed(m, s_pk=bytes(32))),
    "a key of somebody else": Story(
        0, "a second time", lambda p, m: p.signed(m, s_pk=p.replies[10].s_pk)
    ),
    "one key for both uses": Story(0, "a second time", lambda p, m: p.signed(m, s_pk=m.c_pk)),
    "a key that is not signed": Story(0, "signature", lambda p, m: unsigned(m, c_pk=keys(7))),
    "another session": Story(
        0, "signature", lambda p, m: p.client(LIAR, session=b"another session ").start()
    ),
    "another model": Story(0, "signature", lambda p, m: p.client(LIAR, context=b"x").start()),
    "somebody else's id": Story(0, "a message of client 10", lambda p, m: p.replies[10]),
    "a round too early": Story(0, "sent a MaskedInput", lambda p, m: masked_input()),
    "a ciphertext missing": Story(
        1,
        "expected 112 for each of 4",
        lambda p, m: p.signed(m, ciphertexts=m.ciphertexts[CIPHERTEXT_BYTES:]),
    ),
    "ciphertexts that are not signed": Story(
        1, "signature", lambda p, m: unsigned(m, ciphertexts=flipped(m.ciphertexts))
    ),
    "a vector too many": Story(
        2, "2 vectors, expected 1", lambda p, m: p.signed(m, vectors=m.vectors * 2)
    ),
    "a vector too long": Story(
        2, "10 bytes, expected 8", lambda p, m: p.signed(m, vectors=(memoryview(bytes(10)),))
    ),
    "a vector that is not signed": Story(
        2, "signature", lambda p, m: unsigned(m, vectors=(flipped(m.vectors[0]),))
    ),
    "a complaint about a stranger": Story(
        2, "was not sent as unopened", lambda p, m: p.signed(m, unopened=(60,))
    ),
    "a complaint about itself": Story(
        2, "was not sent as unopened", lambda p, m: p.signed(m, unopened=(LIAR,))
    ),
    "a complaint twice": Story(
        2, "was not sent as unopened", lambda p, m: p.signed(m, unopened=(10, 10))
    ),
    "a signature of another U3": Story(
        3, "signature", lambda p, m: unsigned(m, signature=p.replies[10].signature)
    ),
    "a share missing": Story(
        4, "bytes of sealed shares", lambda p, m: p.resealed(m, lambda s: s[SHARE_BYTES:])
    ),
    "a share whose digit is no field element": Story(
        4,
        "a digit out of range",
        lambda p, m: p.resealed(m, lambda s: b"\xff\xff" + s[2:]),
    ),
    "shares that are not signed": Story(
        4,
        "signature",
        lambda p, m: unsigned(p.resealed(m, lambda s: bytes(len(s))), signature=m.signature),
    ),
    "shares that are sealed to nobody": Story(
        4, "do not open", lambda p, m: p.signed(m, sealed=flipped(m.sealed))
    ),
    "an ephemeral key of low order": Story(
        4, "low order", lambda p, m: p.signed(m, sealed=memoryview(bytes(32) + m.sealed[32:]))
    ),
}


def masked_input() -> Any:
    """A masked input from a session that has come further."""
    further = Party(5).after(1)
    further.collect()
    return further.replies[LIAR]


def opened(
    party: Party, u: int, change: Callable[[bytes], bytes], gone: int | None = None
) -> secagg.Aggregate:
    """Finish, u's shares of round 4 changed and signed again, and one client gone."""
    party.after(3)
    party.collect(but=[u, gone] if gone else [u])
    truth = party.answer(u)
    party.server.receive(u, party.resealed(truth, change))
    party.close()
    return party.server.result
