"""Neighbours: symmetric, as many as promised, the same from every place, and nobody's choice."""

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import secagg
from secagg import Complete, Harary, LocalProtocolError
from secagg.graph import CuriousOnlyHarary, Graph, slots
from secagg.server.neighbourhoods import Neighbourhoods

digests = st.binary(min_size=32, max_size=32)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, int]:
    """A graph and a number of clients it is for."""
    m = draw(st.integers(1, 40))
    if m < 3 or draw(st.booleans()):
        return Complete(), m
    return Harary(2 * draw(st.integers(1, (m - 1) // 2))), m


def neighbours(graph: Graph, digest: bytes, m: int) -> list[set[int]]:
    return [set(row) - {i} for i, row in enumerate(graph.rows(digest, m).tolist())]


@given(graphs(), digests)
def test_neighbours_are_mutual(drawn: tuple[Graph, int], digest: bytes) -> None:
    graph, m = drawn
    N = neighbours(graph, digest, m)
    assert all((v in N[u]) == (u in N[v]) for u in range(m) for v in range(m))


@given(graphs(), digests)
def test_a_row_is_the_closed_neighbourhood_in_ascending_order(
    drawn: tuple[Graph, int], digest: bytes
) -> None:
    graph, m = drawn
    rows = graph.rows(digest, m)
    degree = graph.k if isinstance(graph, Harary) else m - 1
    assert rows.shape == (m, degree + 1)
    for i in range(m):
        row = graph.row(digest, m, i).tolist()
        assert row == rows[i].tolist()
        assert row == sorted(set(row))
        assert i in row
        assert set(row) <= set(range(m))


@given(graphs(), digests)
def test_slots_find_the_owner_in_the_holders_row(drawn: tuple[Graph, int], digest: bytes) -> None:
    graph, m = drawn
    rows = graph.rows(digest, m)
    found = slots(rows)
    assert found.shape == rows.shape
    for i in range(m):
        for j, holder in enumerate(rows[i].tolist()):
            assert rows[holder, found[i, j]] == i


@given(graphs(), digests, st.data())
def test_transposing_flags_turns_every_pair_around(
    drawn: tuple[Graph, int], digest: bytes, data: st.DataObject
) -> None:
    graph, m = drawn
    hoods = Neighbourhoods.of(graph, digest, m)
    flags = hoods.flags()
    assert not flags.any()
    width = flags.shape[1]
    places = st.tuples(st.integers(0, m - 1), st.integers(0, width - 1))
    chosen = data.draw(st.sets(places, max_size=20))
    for i, j in chosen:
        flags[i, j] = True
    turned = hoods.transposed(flags)
    pairs = {(i, int(hoods.members[i, j])) for i, j in np.argwhere(flags).tolist()}
    assert {(int(hoods.members[i, j]), i) for i, j in np.argwhere(turned).tolist()} == pairs
    assert (hoods.transposed(turned) == flags).all()
    assert ((hoods.members == np.arange(m)[:, None]).sum(axis=1) == 1).all()


def ring_by_hand(digest: bytes, m: int) -> list[int]:
    """Clients by 16 bytes each of SHAKE-256 of (label, roster digest), each behind its length."""
    parts = (b"secagg/v1/graph", digest)
    framed = b"".join(len(p).to_bytes(8, "little") + p for p in parts)
    drawn = hashlib.shake_256(framed).digest(16 * m)
    return sorted(range(m), key=lambda i: drawn[16 * i : 16 * (i + 1)])


@given(digests, st.integers(3, 30), st.data())
def test_the_harary_graph_is_the_nearest_on_the_ring(
    digest: bytes, m: int, data: st.DataObject
) -> None:
    half = data.draw(st.integers(1, (m - 1) // 2))
    ring = ring_by_hand(digest, m)
    N = neighbours(Harary(2 * half), digest, m)
    for place, u in enumerate(ring):
        near = {ring[(place + d) % m] for d in range(-half, half + 1) if d}
        assert N[u] == near


def test_the_ring_depends_on_every_bit_of_the_roster_digest() -> None:
    seen = {tuple(Harary(4).rows(bytes(32), 64).ravel().tolist())}
    for bit in range(256):
        digest = (1 << bit).to_bytes(32, "little")
        seen.add(tuple(Harary(4).rows(digest, 64).ravel().tolist()))
    assert len(seen) == 257


def test_the_ring_is_not_the_order_of_the_roster() -> None:
    """Neighbours of client 0 in 2000 rings: every other client about as often, χ² of 50 cells."""
    m, k = 51, 10
    counts = np.zeros(m)
    for number in range(2000):
        row = Harary(k).row(number.to_bytes(32, "little"), m, 0)
        counts[row] += 1
    assert counts[0] == 2000
    expected = 2000 * k / (m - 1)
    assert 20 < ((counts[1:] - expected) ** 2 / expected).sum() < 90


def test_a_larger_degree_adds_neighbours() -> None:
    digest = hashlib.sha256(b"roster").digest()
    for k in range(2, 30, 2):
        small, large = neighbours(Harary(k), digest, 40), neighbours(Harary(k + 2), digest, 40)
        assert all(a < b for a, b in zip(small, large, strict=True))


@pytest.mark.parametrize("m", [3, 5, 9])
def test_a_harary_graph_of_everybody_is_complete(m: int) -> None:
    digest = bytes(32)
    assert Harary(m - 1).rows(digest, m).tolist() == Complete().rows(digest, m).tolist()
    assert slots(Harary(m - 1).rows(digest, m)).tolist() == (
        slots(Complete().rows(digest, m)).tolist()
    )


def test_descriptions_are_distinct() -> None:
    described = [Complete().describe(), *(Harary(k).describe() for k in range(2, 600, 2))]
    assert len(set(described)) == len(described)


# What a ring can be made of.


@pytest.mark.parametrize("bits", [39, 1, 0, -200, 0.5, 40.0, True, None, "40", 2**64])
@pytest.mark.parametrize("ring", [Harary, CuriousOnlyHarary])
def test_fewer_bits_of_privacy_than_40_are_no_ring(ring: type, bits: Any) -> None:
    with pytest.raises(LocalProtocolError, match=r"privacy_bits=.*, expected an int in 40\.\."):
        ring(4, privacy_bits=bits)


@pytest.mark.parametrize("bits", [63, 0, -1, 64.0, True, None])
def test_fewer_rosters_than_a_server_can_try_are_no_ring(bits: Any) -> None:
    with pytest.raises(LocalProtocolError, match=r"grinding_bits=.*, expected an int in 64\.\."):
        Harary(4, grinding_bits=bits)


@pytest.mark.parametrize("k", [4.0, True, "4", None])
def test_neighbours_are_an_int(k: Any) -> None:
    with pytest.raises(LocalProtocolError, match=r"k=.*, expected int"):
        Harary(k)


def test_no_argument_of_a_ring_says_whom_it_holds_against() -> None:
    """Its name does: what holds against a curious server alone cannot be had by a switch."""
    with pytest.raises(TypeError, match="adversary"):
        Harary(4, adversary="curious")  # type: ignore[call-arg]
    assert not issubclass(CuriousOnlyHarary, Harary)
    assert not hasattr(secagg, "CuriousOnlyHarary")
