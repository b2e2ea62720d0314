"""What a session leaves behind: the sum and who is in it, or nothing."""

from dataclasses import dataclass

from secagg.errors import LocalProtocolError
from secagg.html_table import html_table, listed
from secagg.masks.prg import RingVector


@dataclass(frozen=True)
class Aggregate:
    """What a session leaves behind.

    Attributes:
        vectors: by name, the sum mod 2^bits over U3; shape (length,), dtype `spec.dtype`.
        survivors: U3, the clients whose vectors are in the sum, ascending.
        dropped: client of U1 → first round it missed; one gone in round 3 or 4 is in both.
        disputes: (owner, holder): the share that holder sent was needed for a secret of owner, and
            is not on the polynomial of the others. One of the two lied, if at most ⌊(m−t)/2⌋ of
            the owner's m holders did; more that conspire can frame both. A sign that something is
            wrong, not a verdict, and not complete: shares that were not needed are not judged.

    >>> params = secagg.Params(3, [secagg.VectorSpec("x", 2, 32)], t=2, corrupt=0)
    >>> total = secagg.run(params, {u: np.array([u, 1], np.uint32) for u in (4, 7, 9)}, drop={7: 1})
    >>> total, total.sum.tolist(), total.survivors, total.dropped
    (Aggregate(x: uint32[2]; 2 survivors, 1 dropped, 0 disputes), [13, 2], (4, 9), {7: 1})
    """

    vectors: dict[str, RingVector]
    survivors: tuple[int, ...]
    dropped: dict[int, int]
    disputes: tuple[tuple[int, int], ...] = ()

    def __repr__(self) -> str:
        sums = ", ".join(f"{name}: {a.dtype}[{a.size}]" for name, a in self.vectors.items())
        return (
            f"Aggregate({sums}; {len(self.survivors)} survivors, {len(self.dropped)} dropped, "
            f"{len(self.disputes)} disputes)"
        )

    def _repr_html_(self) -> str:
        """For a notebook: who is in the sum, and no word of it."""
        rows = [
            *((f"vector {name}", f"{a.dtype}[{a.size}]") for name, a in self.vectors.items()),
            ("survivors", listed(self.survivors)),
            ("dropped, from round", listed(f"{u} @ {r}" for u, r in sorted(self.dropped.items()))),
            ("disputes, owner and holder", listed(self.disputes)),
        ]
        return html_table("Aggregate", rows)

    @property
    def sum(self) -> RingVector:
        """The one vector of a session that has one."""
        if len(self.vectors) != 1:
            raise LocalProtocolError(f"a session with vectors {sorted(self.vectors)}, expected one")
        return next(iter(self.vectors.values()))


@dataclass(frozen=True)
class Failed:
    """The session ended without a sum; nothing is kept."""
