"""A ring that an active server cuts: who holds which share, who answers, which sums open.

Pure combinatorics: positions on a ring, no keys and no masks.  What is asked of it stands in
tests/attacks/test_ring_cut.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Ring:
    """Clients in ring order; `corrupt` ones do and say whatever the server wants."""

    k: int
    t: int
    min_survivors: int
    corrupt: Flags

    @cached_property
    def rows(self) -> Indices:
        """N(u) ∪ {u}, one row a client; u stands in the middle, and in column k−j of rows[u, j]."""
        half = self.k // 2
        m = len(self.corrupt)
        rows: Indices = (np.arange(m)[:, None] + np.arange(-half, half + 1)) % m
        return rows

    def of(self, table: Flags) -> Flags:
        """Entry [u, j] becomes what rows[u, j] has in its own row about u."""
        turned: Flags = table[self.rows, np.arange(self.k, -1, -1)]
        return turned


@dataclass(frozen=True)
class Lies:
    """What an active server tells: U2 to each client, and one of `views` as U3."""

    U2: Flags
    views: tuple[Flags, ...]
    shown: Indices

    def included(self, ring: Ring) -> Flags:
        """Whether u's U3 contains rows[u, j]."""
        return np.stack(self.views)[self.shown[:, None], ring.rows]


Rule = Callable[[Ring, Lies, Flags], Flags]


def whole_roster(ring: Ring, lies: Lies, signed: Flags) -> Flags:
    """Answer after min_survivors signatures, from anybody in U3, on the U3 that one signed."""
    signatures = [
        np.count_nonzero(view & (ring.corrupt | (signed & (lies.shown == i))))
        for i, view in enumerate(lies.views)
    ]
    gathered: Flags = np.array(signatures) >= ring.min_survivors
    return gathered[lies.shown]


def neighbourhood(ring: Ring, lies: Lies, signed: Flags) -> Flags:
    """Answer once t of N(u) ∪ {u} signed a view in which u survived."""
    says_so = ring.of(lies.included(ring)) & signed[ring.rows]
    enough: Flags = np.count_nonzero(says_so | ring.corrupt[ring.rows], axis=1) >= ring.t
    return enough


def opened(ring: Ring, lies: Lies, rule: Rule) -> list[Indices]:
    """The sets of honest clients whose sum the server learns, each without the others."""
    m, half = len(ring.corrupt), ring.k // 2
    others = np.arange(ring.k + 1) != half
    sent = ~ring.corrupt & (np.count_nonzero(lies.U2, axis=1) >= ring.t)
    included = lies.included(ring)
    signed = sent & included[:, half] & (lies.U2 | ~included).all(axis=1)
    signed &= np.array([np.count_nonzero(v) for v in lies.views])[lies.shown] >= ring.min_survivors
    answers = signed & rule(ring, lies, signed)
    give_b = answers[:, None] & included & lies.U2
    give_s = answers[:, None] & ~included & lies.U2 & others
    holds = ring.corrupt[ring.rows]
    b_open = np.count_nonzero(ring.of(give_b) | holds, axis=1) >= ring.t
    s_open = np.count_nonzero(ring.of(give_s) | holds, axis=1) >= ring.t
    known = ring.corrupt | s_open
    masked = lies.U2 & others & ~(known[:, None] | known[ring.rows])
    hidden = ~b_open | ~sent | (masked & ~ring.of(masked)).any(axis=1)
    parts = components(ring, masked & ring.of(masked))
    return [
        part
        for part in (np.flatnonzero(parts == p) for p in range(m))
        if len(part) and not ring.corrupt[part].any() and not hidden[part].any()
    ]


def components(ring: Ring, edges: Flags) -> Indices:
    """The smallest position in each client's component."""
    label = np.arange(len(ring.corrupt))
    while True:
        least = np.where(edges, label[ring.rows], len(label)).min(axis=1)
        lower = np.minimum(label, least)
        if (lower == label).all():
            return label
        label = lower


# --- the server's ways to cut -----------------------------------------------------------------


def cut(ring: Ring, part: Flags, gone: Flags) -> Lies:
    """One view: `gone` dropped, and no mask of `part` is shared with the other survivors."""
    outside = ~part & ~gone & ~ring.corrupt
    U2 = ~((part & ~ring.corrupt)[:, None] & outside[ring.rows])
    survivors = ~gone | ring.corrupt
    return Lies(U2, (survivors,), np.zeros(len(part), np.int64))


def two_views(ring: Ring, part: Flags, gone: Flags, far: int) -> Lies:
    """The part is told that its neighbours beyond the cut dropped; those are told that it survives.

    `far` of the clients that border on neither are told what the part is told.
    """
    one = cut(ring, part, gone)
    outside = ~part & ~gone & ~ring.corrupt
    border = outside & part[ring.rows].any(axis=1)
    shown = np.where(part, 0, 1)
    shown[np.flatnonzero(outside & ~border)[:far]] = 0
    everybody = one.views[0]
    return Lies(one.U2, (everybody & ~border, everybody), shown)


def arc(m: int, first: int, length: int) -> Flags:
    """`length` positions in a row, from `first` on."""
    flags = np.zeros(m, bool)
    flags[(first + np.arange(length)) % m] = True
    return flags


def arc_and_gaps(ring: Ring, first: int, length: int, gap: int) -> tuple[Flags, Flags]:
    """A part of `length` clients, and `gap` honest-or-not positions dropped on either side."""
    m = len(ring.corrupt)
    gone = arc(m, first - gap, gap) | arc(m, first + length, gap)
    return arc(m, first, length), gone & ~ring.corrupt


def random_ring(k: int, t: int, seed: int, m: int = 1000, corrupt: int = 50) -> Ring:
    """A ring as a hash would draw it, with the quorum of signatures that n = m needs."""
    order = np.random.default_rng(seed).permutation(m)
    return Ring(k, t, (m + corrupt) // 2 + 1, order < corrupt)


def fullest_row(ring: Ring) -> int:
    """Where the k/2 positions in a row with the most corrupt clients begin."""
    half = ring.k // 2
    rows = (np.arange(len(ring.corrupt))[:, None] + np.arange(half)) % len(ring.corrupt)
    return int(np.argmax(ring.corrupt[rows].sum(axis=1)))


WEAK = (78, 52)
"""(k, t) for 5 % corrupt that only counts on random dropouts: 2t > k+1+x, t = ⌊2k/3⌋."""
