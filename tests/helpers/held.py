"""What a coalition of a server and corrupt clients holds of the honest: messages, shares, sums."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from secagg.keys import Transcript
from secagg.masks.prg import RingVector
from secagg.messages import AdvertiseKeys
from secagg.roster import CheckedRoster
from tests.helpers.party import SPECS

PRIME = 2**61 - 1
SPEC = SPECS[0]


class Face(NamedTuple):
    """Keys and seed that a corrupt client advertised; it may have several."""

    c_sk: bytes
    s_sk: bytes
    b_u: bytes


class Learned(NamedTuple):
    """A combination of honest inputs that the coalition can compute."""

    factors: dict[int, int]
    total: list[int]

    @property
    def clients(self) -> tuple[int, ...]:
        """Whose inputs are in it."""
        return tuple(sorted(self.factors))


@dataclass
class Seen:
    """What the coalition has of one honest client, in the one roster the client took part in."""

    params_digest: bytes
    roster: CheckedRoster
    dealt: dict[int, bytes]
    U2: tuple[int, ...] = ()
    y: RingVector | None = None
    unopened: tuple[int, ...] = ()
    U3: tuple[int, ...] = ()
    signature: bytes = b""
    answered: bool = False

    @property
    def binding(self) -> Transcript:
        """The derivations of this client; of other clients only if they agree on both digests."""
        return Transcript(self.params_digest, self.roster.digest)

    def entry(self, u: int) -> AdvertiseKeys:
        """What u advertised in this roster."""
        return self.roster.entry(self.roster.index[u])


Sharings = dict[bytes, dict[int, bytes]]
"""Public key or commitment → x-coordinate → share."""


@dataclass
class Shares:
    """The shares that the coalition holds, by what they open."""

    b: Sharings = field(default_factory=dict)
    s_sk: Sharings = field(default_factory=dict)

    def add(self, sharings: Sharings, public: bytes, x: int, share: bytes) -> None:
        """One more; a second share at the same x changes nothing."""
        sharings.setdefault(public, {})[x] = share


def null_space(columns: list[dict[Any, int]]) -> list[dict[int, int]]:
    """A basis of the λ with Σ λ_i·columns[i] = 0 over GF(2^61−1), by Gauss–Jordan elimination."""
    symbols = sorted({symbol for column in columns for symbol in column}, key=repr)
    rows = [[column.get(symbol, 0) % PRIME for column in columns] for symbol in symbols]
    pivots: dict[int, list[int]] = {}
    for row in rows:
        for i, pivot in pivots.items():
            if row[i]:
                row = [(a - row[i] * b) % PRIME for a, b in zip(row, pivot, strict=True)]
        lead = next((i for i, a in enumerate(row) if a), None)
        if lead is None:
            continue
        scale = pow(row[lead], -1, PRIME)
        row = [a * scale % PRIME for a in row]
        for i, pivot in pivots.items():
            pivots[i] = [(a - pivot[lead] * b) % PRIME for a, b in zip(pivot, row, strict=True)]
        pivots[lead] = row
    basis = []
    for free in sorted(set(range(len(columns))) - pivots.keys()):
        vector = {free: 1} | {i: -pivot[free] % PRIME for i, pivot in pivots.items() if pivot[free]}
        basis.append({i: a - PRIME if a > PRIME // 2 else a for i, a in sorted(vector.items())})
    return basis


def public_key(secret: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def exchange(secret: bytes, public: bytes) -> bytes:
    key = X25519PrivateKey.from_private_bytes(secret)
    return key.exchange(X25519PublicKey.from_public_bytes(public))
