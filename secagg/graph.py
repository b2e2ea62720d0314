"""Who shares a mask with whom: N(u), a pure function of the signed roster.

    Complete:   N(u) = everybody else                                (Bonawitz et al. 2017)
    Harary(k):  N(u) = the k clients next to u on a ring that SHAKE-256 orders  (Bell et al. 2020)

Clients are roster indices 0..m-1 here.  A graph is given as closed neighbourhoods, N(u) ∪ {u} in
ascending order, because that is who holds shares of b_u.  Nobody picks a position on the ring: the
order is a hash of the whole roster: of every key, and of every commitment, which is itself a hash
over the parameters.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from secagg.errors import LocalProtocolError
from secagg.keys import GRAPH, expanded, framed
from secagg.parameters import (
    LEAST_GRINDING_BITS,
    LEAST_PRIVACY_BITS,
    Adversary,
    Choice,
    check_bits,
    curious_leak,
    least_ring_threshold,
    ring_leak,
    sample_bits,
    sample_size,
)

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

    def neighbours(self, n: int) -> int:
        """|N(u)| among n clients."""

    def leak(self, *, n: int, t: int, corrupt: int, min_roster: int) -> float:
        """log2 of the most with which a server learns more than the sum; −inf for never."""

    def quorum_checks(self, signers: int, needed: int, n: int) -> int:
        """How many of so many signatures of U3 a client checks, to know that `needed` are valid."""

    def row(self, roster_digest: bytes, m: int, i: int) -> Indices:
        """N(i) ∪ {i} of one client among m, ascending."""

    def rows(self, roster_digest: bytes, m: int) -> Indices:
        """The rows of all m clients, stacked: shape [m, |N|+1]."""


@dataclass(frozen=True)
class Complete:
    """Everybody is everybody's neighbour: no failure probability and nothing to grind.

    >>> secagg.Complete().defaults(10, None, None)  # t and corrupt of ten clients
    (7, 3)
    """

    def defaults(self, n: int, t: int | None, corrupt: int | None) -> tuple[int, int]:
        """t = ⌊2n/3⌋+1; corrupt = 2t−n−1, the most that t withstands, if it leaves two honest."""
        t = 2 * n // 3 + 1 if t is None else t
        return t, max(min(2 * t - n - 1, t - 2), 0) if corrupt is None else corrupt

    def check(self, *, n: int, t: int, corrupt: int, min_roster: int) -> None:
        """2t > n + corrupt: Bonawitz et al. 2017, Theorem 6.5."""
        if not (t <= n and 2 * t > n + corrupt):
            raise LocalProtocolError(
                f"t={t} for n={n}, corrupt={corrupt}, expected 2t > n + corrupt and t <= n: "
                f"at least t={(n + max(corrupt, 0)) // 2 + 1}"
            )

    def least_survivors(self, t: int) -> int:
        """t: the survivors are the holders of every secret."""
        return t

    def describe(self) -> bytes:
        """The graph's part of the params digest."""
        return b"complete"

    def neighbours(self, n: int) -> int:
        """Everybody else."""
        return n - 1

    def leak(self, *, n: int, t: int, corrupt: int, min_roster: int) -> float:
        """Never: nothing is drawn."""
        return -math.inf

    def quorum_checks(self, signers: int, needed: int, n: int) -> int:
        """All that are needed, so that nothing is left to chance."""
        return needed

    def row(self, roster_digest: bytes, m: int, i: int) -> Indices:
        """0..m-1, for every i."""
        return np.arange(m, dtype=np.int64)

    def rows(self, roster_digest: bytes, m: int) -> Indices:
        """A read-only view that costs one row."""
        return np.broadcast_to(np.arange(m, dtype=np.int64), (m, m))


@dataclass(frozen=True)
class Ring(ABC):
    """The k nearest on a ring (k even), ordered by 128 bits each of SHAKE-256 of the roster digest.

    What it takes of k and t to be private depends on the server: that is `Harary`, for an active
    one, or `CuriousOnlyHarary`.
    """

    adversary: ClassVar[Adversary]
    k: int
    privacy_bits: int = field(default=LEAST_PRIVACY_BITS, kw_only=True)

    def __post_init__(self) -> None:
        if type(self.k) is not int:
            raise LocalProtocolError(f"k={self.k!r} is a {type(self.k).__name__}, expected int")
        check_bits("privacy_bits", self.privacy_bits, LEAST_PRIVACY_BITS)

    @property
    @abstractmethod
    def trials(self) -> int:
        """log2 of the rosters that the server may try before it shows one."""

    def defaults(self, n: int, t: int | None, corrupt: int | None) -> tuple[int, int]:
        """None: a sparse graph's t and corrupt are choices, `Params.choose` makes them."""
        if t is None or corrupt is None:
            raise LocalProtocolError("Harary(k) without t or corrupt, expected both")
        return t, corrupt

    def check(self, *, n: int, t: int, corrupt: int, min_roster: int) -> None:
        """least_threshold <= t <= k, for an even k below min_roster."""
        k = self.k
        if k < 2 or k % 2 or k >= min_roster:
            raise LocalProtocolError(
                f"k={k}, expected an even k in 2..min_roster-1={min_roster - 1}"
            )
        least = self.least_threshold(n=n, corrupt=corrupt, min_roster=min_roster)
        if not least <= t <= k:
            raise LocalProtocolError(f"t={t} for corrupt={corrupt}, expected one in {least}..k={k}")

    def least_threshold(self, *, n: int, corrupt: int, min_roster: int) -> int:
        """The least t that keeps the inputs private: `parameters.least_ring_threshold`."""
        return least_ring_threshold(
            self.k,
            n=n,
            corrupt=corrupt,
            min_roster=min_roster,
            adversary=self.adversary,
            privacy_bits=self.privacy_bits,
            grinding_bits=self.trials,
        )

    def describe(self) -> bytes:
        """The graph's part of the params digest."""
        numbers = (self.k, self.privacy_bits, self.trials)
        encoded = (number.to_bytes(8, "little") for number in numbers)
        return framed(b"harary", *encoded, self.adversary.encode())

    @abstractmethod
    def leak(self, *, n: int, t: int, corrupt: int, min_roster: int) -> float:
        """log2 of the most with which the server learns more than the sum."""

    def neighbours(self, n: int) -> int:
        """k, of however many."""
        return self.k

    def least_survivors(self, t: int) -> int:
        """Nothing beyond the quorum."""
        return 1

    def quorum_checks(self, signers: int, needed: int, n: int) -> int:
        """A sample that misses with at most 2^-(privacy_bits + 1) in n clients together."""
        return sample_size(signers, needed, sample_bits(self.privacy_bits), n)

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


@dataclass(frozen=True)
class Harary(Ring):
    """A ring that no part can be cut out of, whatever the server does (Bell et al. 2020).

    Args:
        k: neighbours of each client.
        privacy_bits: a ring is drawn that leaks with at most 2^-bits; 40 at least.
        grinding_bits: the server may try this many rosters, as log2, before it shows one; 64 at
            least. docs/decisions/0002-choosing-k-and-t.md says why not fewer of either.

    Raises:
        LocalProtocolError: for fewer bits, or none that are an int.

    >>> spec = secagg.VectorSpec("x", 2, 32)
    >>> sparse = {"graph": secagg.Harary(156), "t": 118, "corrupt": 50}  # of `Params.choose`
    >>> secagg.Params(1000, [spec], min_survivors=900, **sparse).min_roster
    900
    """

    adversary = "active"
    grinding_bits: int = field(default=LEAST_GRINDING_BITS, kw_only=True)

    def __post_init__(self) -> None:
        Ring.__post_init__(self)
        check_bits("grinding_bits", self.grinding_bits, LEAST_GRINDING_BITS)

    @property
    def trials(self) -> int:
        """As many as it was made for."""
        return self.grinding_bits

    def leak(self, *, n: int, t: int, corrupt: int, min_roster: int) -> float:
        """Of one ring, times the 2^grinding_bits that the server may try; and of the samples."""
        one = ring_leak(self.k, t, n=n, corrupt=corrupt, min_roster=min_roster)
        samples = -sample_bits(self.privacy_bits)
        return min(float(np.logaddexp2(one + self.grinding_bits, samples)), 0.0)


@dataclass(frozen=True)
class CuriousOnlyHarary(Ring):
    """A ring for a server that is known to follow the protocol, and no other (Bell et al. 2020).

    An active server, which picks who drops and what it tells whom, opens parts of it alone. The
    claim of docs/security.md does not hold for it. `secagg.parameters.choose_curious_only` chooses.

    Args:
        k: neighbours of each client.
        privacy_bits: a ring is drawn that leaks with at most 2^-bits; 40 at least.

    Raises:
        LocalProtocolError: for fewer bits, or none that are an int.
    """

    adversary = "curious"

    @property
    def trials(self) -> int:
        """One roster, log2: this server does not choose."""
        return 0

    def leak(self, *, n: int, t: int, corrupt: int, min_roster: int) -> float:
        """That some client's secret can be opened; that dropouts cut the ring comes on top."""
        leak = curious_leak(self.k, t, n=n, corrupt=corrupt, min_roster=min_roster)
        return min(leak, 0.0)


def graph_of(choice: Choice) -> Graph:
    """The graph that was chosen, with the bits it was chosen for."""
    if choice.k is None:
        return Complete()
    if choice.adversary == "curious":
        return CuriousOnlyHarary(choice.k, privacy_bits=choice.privacy_bits)
    return Harary(choice.k, privacy_bits=choice.privacy_bits, grinding_bits=choice.grinding_bits)


@lru_cache(maxsize=8)
def _ring(roster_digest: bytes, m: int) -> tuple[Indices, Indices]:
    """The clients in ring order, and the position of each."""
    drawn = np.frombuffer(expanded(GRAPH, roster_digest, size=16 * m), ">u8").reshape(m, 2)
    ring = np.lexsort((drawn[:, 1], drawn[:, 0]))  # as 128-bit numbers; equal ones by index
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
