"""What a coding is: how a contribution becomes ring words, and their sum totals again.

    Coding            a configuration, the same on every host
    SessionEncoding   what one client of one session does       contribution -> vectors
    SessionDecoding   what the server of the session does       sums of vectors -> totals
    UpdateCode        of these, the part that is the update     w·Δ -> words, Σ words -> Σ w·Δ

What a session's words depend on follows from the configuration, from the shape of the sum, and from
numbers that the server announces in the round's message; all of it is bound to the context.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

import secagg
from fl.aggregators.contribution import Contribution, Numbers, State, Sums
from fl.aggregators.interface import Announced, SumShape, Vectors
from fl.aggregators.totals import Totals

Words = NDArray[np.unsignedinteger[Any]]


class SessionEncoding(Protocol):
    """One client's side of a session: the same for every client."""

    @property
    def n(self) -> int:
        """How many clients the session has."""

    def bind(self, context: bytes) -> bytes:
        """A client's session context: what it was told to do, and how it is to encode that."""

    def vectors(self) -> tuple[secagg.VectorSpec, ...]:
        """The session's vectors, those without a number left out."""

    def encode(self, contribution: Contribution, rng: np.random.Generator) -> Vectors:
        """One client's input. rng: of what is no secret."""


class SessionDecoding(Protocol):
    """The server's side of a session."""

    @property
    def encoding(self) -> SessionEncoding:
        """That of the clients."""

    def decode(self, sums: Vectors, survivors: int) -> Totals:
        """What the sums over so many survivors say. Raises ImplausibleSum."""


class Least(NamedTuple):
    """Whom a session has at the least: so many survivors, of whom at most so many are corrupt."""

    survivors: int
    corrupt: int

    @property
    def honest(self) -> int:
        """How many honest clients' vectors are in a sum."""
        return self.survivors - self.corrupt


class Coding(Protocol):
    """How the sums of an aggregator are written."""

    def announce(self, state: State) -> Announced:
        """What the clients of a round are told. state: what the sum before left."""

    def encoding(self, shape: SumShape, announced: Announced, least: Least) -> SessionEncoding:
        """One client's side. Raises AggregationError for what cannot be summed so."""

    def decoding(self, shape: SumShape, state: State, least: Least) -> SessionDecoding:
        """The server's side."""


class Coded(NamedTuple):
    """One client's words; how many coordinates were clipped; and what tells whether a sum of words
    wrapped, 0 where none can."""

    words: Words
    clipped: int = 0
    check: int = 0


class UpdateCode(Protocol):
    """How an update becomes words in one session.

    length, bits: of the words. checked: whether a sum may wrap, and tells when it does.
    """

    @property
    def length(self) -> int: ...

    @property
    def bits(self) -> int: ...

    @property
    def checked(self) -> bool: ...

    @property
    def terms(self) -> Mapping[str, object]:
        """All that says how to encode, for JSON."""

    def encode(self, update: Numbers, weight: int, rng: np.random.Generator) -> Coded:
        """The words of weight · update, float (d,) and finite."""

    def decode(self, words: Words, weight: int, clients: int, check: int) -> Sums | None:
        """Σ w·Δ of so many clients with weights that sum to `weight`, float64 (d,); None where the
        sum wrapped. Raises ImplausibleSum for what no honest clients give."""

    def rounding(self, clients: int) -> float:
        """The most by which a coordinate of what is decoded can be wrong without clipping."""
