"""Who holds a share of whose secret, as arrays: one row an owner, one column a holder.

    members[i]   = N(i) ∪ {i}, ascending roster indices
    slots[i, j]  = the column of i in the row of members[i, j]

A client speaks of its owners in the order of its own row; the server keeps everything by owner.
`Neighbourhoods` turns one into the other without a Python loop over pairs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secagg.graph import Graph, Indices, slots

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Neighbourhoods:
    """The closed neighbourhoods of a roster of m clients, each of width w = |N|+1."""

    members: Indices
    slots: Indices

    @classmethod
    def of(cls, graph: Graph, roster_digest: bytes, m: int) -> "Neighbourhoods":
        """The graph's neighbourhoods for this roster."""
        members = graph.rows(roster_digest, m)
        return cls(members, slots(members))

    def flags(self) -> Flags:
        """All-False flags [m, w], one for each (owner, holder)."""
        return np.zeros(self.members.shape, np.bool_)

    def transposed(self, flags: Flags) -> Flags:
        """Flags about (i, members[i, j]) as flags about (members[i, j], i)."""
        return flags[self.members, self.slots]
