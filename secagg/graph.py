"""Who shares a mask with whom: N(u), a pure function of the signed roster.

    Complete:   N(u) = everybody else                                (Bonawitz et al. 2017)
    Harary(k):  N(u) = the k clients next to u on a ring that SHA-256 orders   (Bell et al. 2020)

Clients are roster indices 0..m-1 here.  A graph is given as closed neighbourhoods, N(u) ∪ {u} in
ascending order, because that is who holds shares of b_u.  Nobody picks a position on the ring: the
order is a hash of the whole roster: of every key, and of every commitment, which is itself a hash
over the parameters.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from secagg.errors import LocalProtocolError
from secagg.keys import GRAPH, framed, sha256
from secagg.parameters import Adversary, Choice, least_ring_threshold

Indices = NDArray[np.int64]


class Graph(Protocol):
    """What a session needs to know of its graph."""

    def defaults(self, n: int, t: int | None, corrupt: int | None) -> tuple[int, int]:
        """(t, corrupt) where the caller gave none."""

    def check(self, *, n: int, t: int, corrupt: int, min_roster: int) -> None:
        """Raise LocalProtocolError unless these numbers keep the graph's guarantee."""

    def least_survivors(self, t: int) -> int:
        """The fewest survivors this graph can do with, whatever the quorum of signatures."""

    def describe(self) -> bytes:
        """The graph's part of the params digest."""

    def row(self, roster_digest: bytes, m: int, i: int) -> Indices:
        """N(i) ∪ {i} of one client among m, ascending."""

    def rows(self, roster_digest: bytes, m: int) -> Indices:
        """The rows of all m clients, stacked: shape [m, |N|+1]."""


@dataclass(frozen=True)
class Complete:
    """Everybody is everybody's neighbour: no failure probability and nothing to grind."""

    def defaults(self, n: int, t: int | None, corrupt: int | None) -> tuple[int, int]:
        """t = ⌊2n/3⌋+1; corrupt = 2t−n−1, the most that t withstands, if it leaves two honest."""
        t = 2 * n // 3 + 1 if t is None else t
        return t, max(min(2 * t - n - 1, t - 2), 0) if corrupt is None else corrupt

    def check(self, *, n: int, t: int, corrupt: int, min_roster: int) -> None:
        """2t > n + corrupt: Bonawitz et al. 2017, Theorem 6.5."""
        if not (t <= n and 2 * t > n + corrupt):
            raise LocalProtocolError(
                f"t={t} does not satisfy 2t > n + corrupt, t <= n for n={n}, corrupt={corrupt}; "
                f"the least that does is t={(n + max(corrupt, 0)) // 2 + 1}"
            )

    def least_survivors(self, t: int) -> int:
        """t: the survivors are the holders of every secret."""
        return t

    def describe(self) -> bytes:
        """The graph's part of the params digest."""
        return b"complete"

    def row(self, roster_digest: bytes, m: int, i: int) -> Indices:
        """0..m-1, whoever asks."""
        return np.arange(m, dtype=np.int64)

    def rows(self, roster_digest: bytes, m: int) -> Indices:
        """A read-only view that costs one row."""
        return np.broadcast_to(np.arange(m, dtype=np.int64), (m, m))


@dataclass(frozen=True)
class Harary:
    """The k nearest on a ring (k even), the ring ordered by SHA-256 of (roster digest, index).

    Args:
        k: neighbours of each client.
        privacy_bits: a ring is drawn that leaks with at most 2^-bits.
        grinding_bits: the server may try this many rosters, as log2, before it shows one.
        adversary: "active", or "curious" for a rule that only holds if the server follows the
            protocol (docs/decisions/0002-choosing-k-and-t.md).
    """

    k: int
    privacy_bits: int = field(default=40, kw_only=True)
    grinding_bits: int = field(default=64, kw_only=True)
    adversary: Adversary = field(default="active", kw_only=True)

    def defaults(self, n: int, t: int | None, corrupt: int | None) -> tuple[int, int]:
        """None: a sparse graph's t and corrupt are choices, `Params.choose` makes them."""
        if t is None or corrupt is None:
            raise LocalProtocolError("Harary(k) needs t and corrupt to be given")
        return t, corrupt

    def check(self, *, n: int, t: int, corrupt: int, min_roster: int) -> None:
        """t >= k/2+2+h, with h the corrupt among any k/2 in a row; curious: t > x, among any k."""
        k = self.k
        if k < 2 or k % 2 or k >= min_roster:
            raise LocalProtocolError(f"k={k} is not even and in 2..min_roster-1={min_roster - 1}")
        least = least_ring_threshold(
            k,
            n=n,
            corrupt=corrupt,
            min_roster=min_roster,
            adversary=self.adversary,
            privacy_bits=self.privacy_bits,
            grinding_bits=self.grinding_bits,
        )
        if not least <= t <= k:
            raise LocalProtocolError(f"t={t} is not in {least}..k={k} for corrupt={corrupt}")

    def least_survivors(self, t: int) -> int:
        """Nothing beyond the quorum."""
        return 1

    def describe(self) -> bytes:
        """The graph's part of the params digest."""
        numbers = (self.k, self.privacy_bits, self.grinding_bits)
        packed = (number.to_bytes(8, "little") for number in numbers)
        return framed(b"harary", *packed, self.adversary.encode())

    def row(self, roster_digest: bytes, m: int, i: int) -> Indices:
        """N(i) ∪ {i} of one client among m, ascending."""
        ring, position = _ring(roster_digest, m)
        return np.sort(ring[(position[i] + self._offsets()) % m])

    def rows(self, roster_digest: bytes, m: int) -> Indices:
        """The rows of all m clients, stacked: shape [m, k+1]."""
        ring, position = _ring(roster_digest, m)
        return np.sort(ring[(position[:, None] + self._offsets()) % m], axis=1)

    def _offsets(self) -> Indices:
        return np.arange(-(self.k // 2), self.k // 2 + 1)


def graph_of(choice: Choice) -> Graph:
    """The graph that was chosen, with the bits it was chosen for."""
    if choice.k is None:
        return Complete()
    return Harary(
        choice.k,
        privacy_bits=choice.privacy_bits,
        grinding_bits=choice.grinding_bits,
        adversary=choice.adversary,
    )


@lru_cache(maxsize=8)
def _ring(roster_digest: bytes, m: int) -> tuple[Indices, Indices]:
    """The clients in ring order, and the position of each."""
    hashes = [sha256(GRAPH, roster_digest, i.to_bytes(8, "little")) for i in range(m)]
    ring = np.array(sorted(range(m), key=hashes.__getitem__), np.int64)
    position = np.empty(m, np.int64)
    position[ring] = np.arange(m)
    ring.flags.writeable = position.flags.writeable = False  # one copy serves all callers
    return ring, position


def slots(rows: Indices) -> Indices:
    """Where i stands in the row of rows[i, j]: rows[rows[i, j], slots[i, j]] == i.

    This is the holder's column when per-owner tables are kept as rows.
    """
    m, width = rows.shape
    if rows.strides[0] == 0:  # complete: every row is 0..m-1
        return np.broadcast_to(np.arange(m)[:, None], (m, m))
    keys = (np.arange(m)[:, None] * m + rows).ravel()
    found = np.searchsorted(keys, (rows * m + np.arange(m)[:, None]).ravel())
    placed: Indices = found.reshape(m, width) - rows * width
    return placed
