"""Nobody picks a position on the ring, and trying again buys what `choose` has paid for.

The order is SHA-256 of everything in the roster and of the parameters.  A server can still draw
many rings, by having corrupt clients advertise again and again, and keep the best: grinding.  That
is why the parameters are chosen for privacy_bits + grinding_bits = 40 + 64.
"""

import hashlib
from collections import Counter
from math import comb, log2

import msgspec
import numpy as np
import pytest

import secagg
from secagg.graph import Complete, Harary
from secagg.messages import AdvertiseKeys, Roster
from secagg.roster import CheckedRoster
from tests.helpers.dishonest import Coalition

M = 20
RING = Harary(4)


def ring_rows(digest: bytes) -> bytes:
    """All neighbourhoods, as one value."""
    return RING.rows(digest, M).tobytes()


def roster(n: int = M) -> list[AdvertiseKeys]:
    """n clients under fresh-looking keys; which is enough to be hashed."""
    names = (b"c_pk", b"s_pk", b"commitment", b"certificate")
    fields = [[hashlib.sha256(b"%d %s" % (u, name)).digest() for name in names] for u in range(n)]
    return [
        AdvertiseKeys(u, *three, 3 * certificate, bytes(64))
        for u, (*three, certificate) in enumerate(fields)
    ]


def digest(entries: list[AdvertiseKeys]) -> bytes:
    return CheckedRoster(Roster.of(entries), secagg.Pinned({})).digest


@pytest.mark.parametrize("field", ["u", "c_pk", "s_pk", "commitment", "certificate"])
@pytest.mark.parametrize("client", [0, M // 2, M - 1])
def test_the_ring_depends_on_every_field_of_every_client(field: str, client: int) -> None:
    entries = roster()
    value = getattr(entries[client], field)
    other = value + M if field == "u" else bytes([value[0] ^ 1]) + value[1:]
    changed = list(entries)
    changed[client] = msgspec.structs.replace(entries[client], **{field: other})
    changed.sort(key=lambda entry: entry.u)
    assert ring_rows(digest(changed)) != ring_rows(digest(entries))


def test_a_signature_buys_no_new_ring() -> None:
    """Its author could sign one thing in many ways; the ring does not depend on it."""
    entries = roster()
    resigned = [msgspec.structs.replace(entry, signature=b"\1" * 64) for entry in entries]
    assert digest(resigned) == digest(entries)


def test_the_ring_depends_on_the_parameters_through_the_commitments() -> None:
    """c_pk, s_pk and b_u the same, another session: the commitments are others, so is the ring."""
    first, second = (
        Coalition(5, bad=0, session=session, streams="same") for session in (bytes(16), bytes(17))
    )
    for u in first.honest:
        a, b = first.hello[u], second.hello[u]
        assert (a.c_pk, a.s_pk) == (b.c_pk, b.s_pk)
        assert a.commitment != b.commitment
    a, b = (digest([party.hello[u] for u in party.honest]) for party in (first, second))
    assert a != b


def test_every_position_is_as_likely_as_any_other() -> None:
    """Chi-square over 2000 rings: who is next to client 0 when client 7 advertises anew."""
    entries, seen = roster(), Counter[int]()
    for trial in range(2000):
        key = hashlib.sha256(b"trial %d" % trial).digest()
        entries[7] = msgspec.structs.replace(entries[7], s_pk=key)
        rows = RING.rows(digest(entries), M)
        seen.update(int(v) for v in rows[0] if v != 0)
    expected = 2000 * RING.k / (M - 1)
    statistic = sum((seen[v] - expected) ** 2 / expected for v in range(1, M))
    assert statistic < 45  # 18 degrees of freedom: exceeded with probability 0.0005


def tail(m: int, corrupt: int, drawn: int, more_than: int) -> float:
    """Pr[Hyp(m, corrupt, drawn) > more_than]."""
    ways = sum(
        comb(corrupt, x) * comb(m - corrupt, drawn - x)
        for x in range(more_than + 1, min(corrupt, drawn) + 1)
    )
    return ways / comb(m, drawn)


@pytest.mark.parametrize("wanted", [2, 3])
def test_what_trials_buy(wanted: int) -> None:
    """`wanted` of the victim's 4 neighbours corrupt (5 of 20 are): 1 ring in 1/p has it.

    2^g trials find a row whose probability is 2^−g, no more: the allowance is an addition to σ.
    """
    corrupt = set(range(15, 20))
    entries, hits, trials = roster(), 0, 3000
    for trial in range(trials):
        key = hashlib.sha256(b"grind %d" % trial).digest()
        entries[19] = msgspec.structs.replace(entries[19], c_pk=key)
        row = set(RING.row(digest(entries), M, 0).tolist())
        hits += len(row & corrupt) >= wanted
    p = tail(M - 1, 5, RING.k, wanted - 1)
    assert abs(hits - trials * p) < 4 * (trials * p * (1 - p)) ** 0.5


@pytest.mark.parametrize(
    ("n", "corrupt", "k", "t"),
    [(1000, 50, 154, 116), (10_000, 500, 202, 151)],
)
def test_the_allowance_of_2_64_trials_is_in_the_parameters(
    n: int, corrupt: int, k: int, t: int
) -> None:
    """With h = t − k/2 − 2: n rows a ring, 2^64 rings, and still 2^−41 for the whole attack."""
    h = t - k // 2 - 2
    bad_ring = log2(n) + log2(tail(n, corrupt, k // 2, h))
    assert bad_ring <= -(40 + 64 + 1)
    smaller = log2(n) + log2(tail(n, corrupt, k // 2, h - 1))
    assert smaller > -(40 + 64 + 1)  # no larger than it has to be


def test_there_is_nothing_to_grind_on_the_complete_graph() -> None:
    rows = {Complete().rows(hashlib.sha256(b"%d" % i).digest(), M).tobytes() for i in range(9)}
    assert rows == {np.tile(np.arange(M), (M, 1)).tobytes()}
