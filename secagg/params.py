"""What all parties of one session agree on before it starts: validated once, frozen, hashed.

The digest of a `Params` is inside every signature and every key derivation, so two parties that
hold different parameters cannot complete a single step together.  Choosing good values is
`Params.choose`; this module only refuses the bad ones.
"""

import math
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from secagg.curve import check_server_key
from secagg.errors import LocalProtocolError
from secagg.graph import Complete, Graph, graph_of
from secagg.html_table import html_table
from secagg.identity.directory import Directory, as_directory
from secagg.keys import PARAMS, VERSION, framed, sha256
from secagg.masks.suites import DEFAULT, Suite, prg_of, suite_id
from secagg.parameters import (
    LEAST_GRINDING_BITS,
    LEAST_PRIVACY_BITS,
    MAX_CLIENTS,
    GraphChoice,
    choose,
)

MAX_LENGTH = 2**40
"""Words of a vector; the mask's counter block numbers 2^40 blocks of 16 bytes."""

MAX_VECTORS = 256
"""Vectors of one session: an empty field costs two bytes on the wire and a hundred in memory."""


_FINGERPRINT = b"secagg/v1/fingerprint"  # in no message: people compare it

SESSION_BYTES = 16
"""Of a session's id, at least: 2^64 sessions may draw theirs before two are expected to agree."""


@dataclass(frozen=True)
class VectorSpec:
    """One named vector: `length` words of Z_2^bits.

    Arithmetic is done in `dtype`, the smallest unsigned numpy dtype that holds `bits`; only the low
    `bits` of each word travel, because truncation is a ring homomorphism.

    >>> spec = secagg.VectorSpec("update", 1000, 24)
    >>> spec.dtype.name, spec.packed_bytes  # 1001 words of 24 bits
    ('uint32', 3003)
    """

    name: str
    length: int
    bits: int

    def __post_init__(self) -> None:
        if not (type(self.name) is str and self.name and self.name.isprintable()):
            raise LocalProtocolError(
                f"a vector with the name {self.name!r}, expected a printable one"
            )
        if not (type(self.length) is int and 1 <= self.length < MAX_LENGTH):
            raise LocalProtocolError(
                f"vector {self.name!r}: length {self.length!r}, expected 1..2^40-1"
            )
        if not (type(self.bits) is int and 1 <= self.bits <= 64):
            raise LocalProtocolError(f"vector {self.name!r}: {self.bits} bits, expected 1..64")

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """uint8, uint16, uint32 or uint64 (little-endian)."""
        width = next(w for w in (8, 16, 32, 64) if w >= self.bits)
        return cast("np.dtype[np.unsignedinteger]", np.dtype(f"<u{width // 8}"))

    @property
    def packed_bytes(self) -> int:
        """Bytes of this vector on the wire, the hidden tally word included."""
        return (self.bits * (self.length + 1) + 7) // 8


@dataclass(frozen=True, init=False)
class Params:
    """The public agreement of one session.

    Args:
        n: the most clients a session may have, 2..65520.
        vectors: the vectors every client submits.
        t: threshold: this many shares open a secret. Default on the complete graph ⌊2n/3⌋+1.
        corrupt: the most corrupt clients that any roster drawn from the directory may hold.
            Default on the complete graph 2t−n−1, the most that t withstands, but at most t−2.
        min_roster: the fewest clients of U1. Default `min_survivors`.
        min_survivors: the fewest clients of U3. Default: the least that lets only one U3 gather
            enough signatures, max(⌊(n+corrupt)/2⌋+1, and t on the complete graph).
        graph: `Complete()` or `Harary(k)`; the latter needs `t` and `corrupt`.
        session: the session's id, 16 bytes at least; default 16 random ones. All parties use the
            same, once: a retry is another session, and gives the server another sum. With fewer
            bytes, ids that are drawn at random would repeat.
        server_key: the server's X25519 public key, 32 bytes, from this host's own configuration:
            the shares of round 4 are sealed to it. `secagg.run` makes one where there is none;
            `Client` and `Server` need it.
        context: digest of everything that influences a client's input (model, hyper-parameters...),
            computed by each client over the bytes it received.
        suite: what the masks are made of: "aes128-ctr", or "aegis128x2", which needs the extra
            `aegis` and rests on more (docs/security.md).

    Raises:
        LocalProtocolError: for values with which the guarantees of docs/security.md do not hold.

    >>> params = secagg.Params(10, [secagg.VectorSpec("x", 1000, 32)])
    >>> params.t, params.corrupt, params.min_survivors
    (7, 3, 7)
    """

    n: int
    vectors: tuple[VectorSpec, ...]
    t: int
    corrupt: int
    min_roster: int
    min_survivors: int
    graph: Graph
    session: bytes
    server_key: bytes
    context: bytes
    suite: Suite

    def __init__(
        self,
        n: int,
        vectors: Iterable[VectorSpec],
        *,
        t: int | None = None,
        corrupt: int | None = None,
        min_roster: int | None = None,
        min_survivors: int | None = None,
        graph: Graph | None = None,
        session: bytes | None = None,
        server_key: bytes = b"",
        context: bytes = b"",
        suite: Suite = DEFAULT,
    ) -> None:
        _check_ints(n=n, t=t, corrupt=corrupt, min_roster=min_roster, min_survivors=min_survivors)
        graph = Complete() if graph is None else graph
        t, corrupt = graph.defaults(n, t, corrupt)
        quorum = max((n + corrupt) // 2 + 1, graph.least_survivors(t))
        min_survivors = quorum if min_survivors is None else min_survivors
        values = {
            "n": n,
            "vectors": _listed(vectors),
            "t": t,
            "corrupt": corrupt,
            "min_roster": min_survivors if min_roster is None else min_roster,
            "min_survivors": min_survivors,
            "graph": graph,
            "session": secrets.token_bytes(SESSION_BYTES) if session is None else session,
            "server_key": server_key,
            "context": context,
            "suite": suite,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._check(quorum)

    @classmethod
    def choose(
        cls,
        n: int,
        vectors: Iterable[VectorSpec],
        *,
        corrupt: int | float,
        dropout: float,
        privacy_bits: int = LEAST_PRIVACY_BITS,
        correctness_bits: int = 20,
        grinding_bits: int = LEAST_GRINDING_BITS,
        min_roster: int | None = None,
        graph: GraphChoice = "auto",
        session: bytes | None = None,
        server_key: bytes = b"",
        context: bytes = b"",
        suite: Suite = DEFAULT,
    ) -> "Params":
        """The cheapest parameters with which n clients keep their inputs private and get their sum.

        Args are those of `secagg.parameters.choose`, which also tells the probabilities it meets;
        `corrupt` and `dropout` are fractions of n (`corrupt` as an int: a number of clients).

        Raises:
            LocalProtocolError: when no parameters do, with the numbers that could be had instead.
        """
        choice = choose(
            n,
            corrupt=corrupt,
            dropout=dropout,
            privacy_bits=privacy_bits,
            correctness_bits=correctness_bits,
            grinding_bits=grinding_bits,
            min_roster=min_roster,
            graph=graph,
        )
        return cls(
            n,
            vectors,
            t=choice.t,
            corrupt=choice.corrupt,
            min_roster=choice.min_roster,
            min_survivors=choice.min_survivors,
            graph=graph_of(choice),
            session=session,
            server_key=server_key,
            context=context,
            suite=suite,
        )

    def _check(self, quorum: int) -> None:
        if not 2 <= self.n <= MAX_CLIENTS:
            raise LocalProtocolError(f"n={self.n} clients, expected 2..{MAX_CLIENTS}")
        if self.corrupt < 0:
            raise LocalProtocolError(f"corrupt={self.corrupt}, expected 0 or more")
        if not quorum <= self.min_survivors <= self.min_roster <= self.n:
            raise LocalProtocolError(
                f"min_survivors={self.min_survivors}, min_roster={self.min_roster}, n={self.n}, "
                f"expected {quorum} <= min_survivors <= min_roster <= n"
            )
        self.graph.check(n=self.n, t=self.t, corrupt=self.corrupt, min_roster=self.min_roster)
        if self.min_survivors - self.corrupt < 2:
            raise LocalProtocolError(
                f"min_survivors={self.min_survivors} with corrupt={self.corrupt}, expected 2 "
                "honest clients at least: a sum over fewer is an input"
            )
        names = [spec.name for spec in self.vectors]
        if not 1 <= len(names) <= MAX_VECTORS or len(set(names)) < len(names):
            raise LocalProtocolError(
                f"{len(names)} vectors, {names}, expected 1 to {MAX_VECTORS} of distinct names"
            )
        if type(self.session) is not bytes or type(self.context) is not bytes:
            seen = f"{type(self.session).__name__}, {type(self.context).__name__}"
            raise LocalProtocolError(f"session and context are {seen}, expected bytes")
        if len(self.session) < SESSION_BYTES:
            raise LocalProtocolError(
                f"the session's id has {len(self.session)} bytes, expected {SESSION_BYTES} or more"
            )
        check_server_key(self.server_key)
        prg_of(self.suite)  # or LocalProtocolError now: not in round 2, with keys already dealt

    @property
    def leak(self) -> float:
        """log2 of the most with which an active server learns more than one sum: −inf, never, on
        the complete graph."""
        return self.graph.leak(n=self.n, t=self.t, corrupt=self.corrupt, min_roster=self.min_roster)

    def _repr_html_(self) -> str:
        """For a notebook; all of it is public."""
        leak = "never" if self.leak == -math.inf else f"at most 2^{self.leak:.1f}"
        numbers = ("n", "t", "corrupt", "min_roster", "min_survivors", "graph", "suite")
        rows = [
            *((name, getattr(self, name)) for name in numbers),
            ("more than the sum is learned", leak),
            *(
                (f"vector {s.name}", f"{s.length:,} words of {s.bits} bits, {s.packed_bytes:,} B")
                for s in self.vectors
            ),
        ]
        return html_table("Params", rows)

    def need_server_key(self) -> None:
        """LocalProtocolError without a server key: `Client` and `Server` cannot do without."""
        if not self.server_key:
            raise LocalProtocolError(
                "params have no server_key, expected the server's X25519 public key, from this "
                "host's own configuration"
            )

    def digest(self, directory_digest: bytes) -> bytes:
        """SHA-256 of every field and of the directory: what signatures and derivations bind to."""
        return sha256(PARAMS, *self._encoded(directory_digest).values())

    def fingerprints(self, directory: Directory | Mapping[int, bytes]) -> dict[str, str]:
        """For each field that the digest covers 16 hex digits, to compare between two hosts.

        Where one host's signature is not valid to another, theirs differ in some field, and this
        says in which: no message could, as a digest is all of the parameters that is signed. The
        `directory` is the one that the host gives its `Client` or `Server`. Nothing here is
        private: every party of the session knows each field.

        >>> params = Params(5, [VectorSpec("update", 3, 32)], context=b"round 7")
        >>> mine = params.fingerprints({})
        >>> theirs = mine | {"context": "a2f0a51cf6ff3c8b"}
        >>> [field for field in mine if mine[field] != theirs[field]]
        ['context']
        """
        fields = self._encoded(as_directory(directory).digest)
        return {
            name: sha256(_FINGERPRINT, name.encode(), value).hex()[:16]
            for name, value in fields.items()
        }

    def _encoded(self, directory_digest: bytes) -> dict[str, bytes]:
        """Each field as it is hashed, in this order."""
        numbers = ("n", "t", "corrupt", "min_roster", "min_survivors")
        specs = [
            framed(s.name.encode(), s.length.to_bytes(8, "little"), bytes([s.bits]))
            for s in self.vectors
        ]
        return {
            "version": bytes([VERSION]),
            "suite": suite_id(self.suite),
            "session": self.session,
            **{name: getattr(self, name).to_bytes(8, "little") for name in numbers},
            "graph": self.graph.describe(),
            "vectors": framed(*specs),
            "directory": directory_digest,
            "server_key": self.server_key,
            "context": self.context,
        }


def _listed(vectors: Iterable[VectorSpec]) -> tuple[VectorSpec, ...]:
    if isinstance(vectors, VectorSpec | str | bytes) or not isinstance(vectors, Iterable):
        seen = type(vectors).__name__
    else:
        listed = tuple(vectors)
        strange = [type(spec).__name__ for spec in listed if not isinstance(spec, VectorSpec)]
        if not strange:
            return listed
        seen = f"{type(vectors).__name__} with a {strange[0]} in it"
    raise LocalProtocolError(
        f"vectors is a {seen}, expected a list of secagg.VectorSpec(name, length, bits)"
    )


def _check_ints(**values: int | None) -> None:
    """Nothing else has the one encoding that the digest needs."""
    for name, value in values.items():
        if value is not None and type(value) is not int:
            raise LocalProtocolError(f"{name}={value!r} is a {type(value).__name__}, expected int")
