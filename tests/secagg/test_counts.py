"""The work of a session, counted: a regression shows here without a clock.

n clients with k neighbours each, some of them gone after ShareKeys, and vectors of B bytes with
their tally words.  Survivors mask with all k neighbours; the server removes one self mask for each
survivor, and one pairwise mask for each edge from the dropped to the survivors.
"""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

import secagg
from secagg import keys, masks, roster, server_sealing
from secagg.client import rounds
from secagg.identity import authority
from secagg.roster import RosterChecks
from secagg.server import recovery, unmasking
from secagg.server import rounds as server_rounds
from secagg.simulation import setup
from tests.helpers.party import Party, identity


class CountedIdentity:
    """An Ed25519 public key that notes each verification."""

    counts: Counter[str]

    def __init__(self, key: Ed25519PublicKey) -> None:
        self.key = key

    @classmethod
    def from_public_bytes(cls, raw: bytes) -> "CountedIdentity":
        return cls(Ed25519PublicKey.from_public_bytes(raw))

    def verify(self, signature: bytes, body: bytes) -> None:
        self.counts["signatures checked"] += 1
        self.key.verify(signature, body)


class CountedSecret:
    """An X25519 private key that notes each exchange."""

    counts: Counter[str]

    def __init__(self, key: X25519PrivateKey) -> None:
        self.key = key

    @classmethod
    def from_private_bytes(cls, raw: bytes) -> "CountedSecret":
        return cls(X25519PrivateKey.from_private_bytes(raw))

    def public_key(self) -> Any:
        return self.key.public_key()

    def exchange(self, peer: Any) -> bytes:
        self.counts["exchanges"] += 1
        return self.key.exchange(peer)


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What a session does from here on."""
    seen: Counter[str] = Counter()
    adder, combine, derive = masks.AesCtr.adder, recovery.combine_digits, HKDF

    def counted_adder(prg: masks.AesCtr, vectors: Any) -> Any:
        add = adder(prg, vectors)

        def counted_add(seed: bytes, direction: int) -> None:
            seen["bytes expanded"] += sum(vector.nbytes for vector in vectors)
            add(seed, direction)

        return counted_add

    def counted_combine(xs: Any, shares: Any) -> Any:
        seen["shares interpolated"] += shares.shape[0] * shares.shape[1]
        return combine(xs, shares)

    def counted_derive(*args: Any, **kwargs: Any) -> HKDF:
        seen["derivations"] += 1
        return derive(*args, **kwargs)

    monkeypatch.setattr(CountedIdentity, "counts", seen, raising=False)
    monkeypatch.setattr(CountedSecret, "counts", seen, raising=False)
    monkeypatch.setattr(masks.AesCtr, "adder", counted_adder)
    monkeypatch.setattr(recovery, "combine_digits", counted_combine)
    monkeypatch.setattr(keys, "HKDF", counted_derive)
    for module in (roster, server_rounds):
        monkeypatch.setattr(module, "Ed25519PublicKey", CountedIdentity)
    for module in (rounds, unmasking, server_sealing):
        monkeypatch.setattr(module, "X25519PrivateKey", CountedSecret)
    return seen


COMPLETE = [(5, 0), (5, 1), (9, 2)]
D = 10
B = 4 * (D + 1)


def play(n: int, dropped: int, **params: Any) -> secagg.Params:
    agreed = secagg.Params(n, [secagg.VectorSpec("x", D, 32)], **params)
    inputs = {u: np.full(D, u, np.uint32) for u in range(n)}
    result = secagg.run(agreed, inputs, drop=dict.fromkeys(range(dropped), 2))
    assert result.sum.tolist() == [sum(range(dropped, n))] * D
    return agreed


def expected(n: int, k: int, dropped: int, orphaned: int, params: secagg.Params) -> dict[str, int]:
    """`orphaned`: edges from the dropped to the survivors."""
    survivors = n - dropped
    removed = survivors + orphaned
    quorum = params.graph.quorum_checks(survivors, params.min_survivors, n)
    return {
        "bytes expanded": (survivors * (k + 1) + removed) * B,
        # each client with each neighbour by both its keys, but the dropped by one; and with the
        # server, for the end of the session and to seal the shares of round 4
        "exchanges": n * k + survivors * k + orphaned + n + survivors,
        # the keys of k ciphertexts sealed, of k opened, k pairwise seeds, one self seed; of what is
        # sealed for the server, on both sides; and of the end of each client's session
        "derivations": n * k + survivors * (2 * k + 1) + removed + 2 * survivors + n,
        "shares interpolated": params.t * (survivors + (dropped if orphaned else 0)),
        # rounds 0 and 1 from all, 2 to 4 from survivors; by clients N(u) ∪ {u} and the quorum
        "signatures checked": 2 * n + 3 * survivors + n * (k + 1) + survivors * quorum,
    }


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every client as in a process of its own: nothing that another has checked is known."""
    monkeypatch.setattr(setup, "RememberedChecks", RosterChecks)


@pytest.mark.parametrize(("n", "dropped"), COMPLETE)
@pytest.mark.usefixtures("alone")
def test_complete_graph(counts: Counter[str], n: int, dropped: int) -> None:
    params = play(n, dropped)
    assert counts == expected(n, n - 1, dropped, dropped * (n - dropped), params)


@pytest.mark.parametrize("dropped", [0, 1])
@pytest.mark.usefixtures("alone")
def test_sparse_graph(counts: Counter[str], dropped: int) -> None:
    n, k = 20, 8
    params = play(n, dropped, graph=secagg.Harary(k), t=6, corrupt=0)
    assert counts == expected(n, k, dropped, dropped * k, params)


def test_an_authority_costs_one_signature_more_for_each_entry_and_reader(
    counts: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authority, "Ed25519PublicKey", CountedIdentity)
    Party(5).finish()
    pinned = counts.pop("signatures checked")
    Party(5, ca=identity(1000)).finish()
    # by the server; by each client when it is made, its own, and in round 1 its neighbours'
    assert counts["signatures checked"] == pinned + 5 + 5 + 5 * 5


def test_in_one_process_the_roster_and_the_quorum_are_checked_once(counts: Counter[str]) -> None:
    params = play(9, 2)
    assert counts["signatures checked"] == 2 * 9 + 3 * 7 + 9 + params.min_survivors


def test_reconstruction_takes_t_shares_whoever_else_sent_some(counts: Counter[str]) -> None:
    params = play(9, 0)
    assert (params.t, counts["shares interpolated"]) == (7, 7 * 9)
