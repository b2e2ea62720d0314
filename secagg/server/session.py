"""What the server's rounds share: the session, the roster with its graph, what each came to."""

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from secagg.ending import end_for, end_key
from secagg.errors import TooFewClients, signed_by
from secagg.graph import Indices
from secagg.identity.directory import Directory
from secagg.keys import Transcript
from secagg.masks.prg import RingVector
from secagg.messages import ClientMessage, ServerMessage
from secagg.params import Params
from secagg.roster import CheckedRoster
from secagg.server.neighbourhoods import Flags, Neighbourhoods

Outbox = dict[int, ServerMessage]


@dataclass(frozen=True)
class Session:
    """What every round shares: this host's configuration, and what the rounds note of clients.

    Attributes:
        missed: client → the first round that it missed.
        advertised: client → its c_pk, of whoever began.
    """

    params: Params
    directory: Directory = field(repr=False)
    private_key: X25519PrivateKey = field(repr=False)
    executor: Executor | None = None
    missed: dict[int, int] = field(default_factory=dict)
    advertised: dict[int, bytes] = field(default_factory=dict)

    @cached_property
    def transcript(self) -> Transcript:
        """What round 0 is bound to: there is no roster yet."""
        return Transcript(self.params.digest(self.directory.digest))

    def ends(self, summed: bool) -> Outbox:
        """To everybody who began: it is over."""
        transcript, key = self.transcript, self.private_key
        return {
            u: end_for(end_key(transcript, key, c_pk, u, c_pk), summed)
            for u, c_pk in sorted(self.advertised.items())
        }

    def at_least(self, needed: int, seen: int, what: str, about: tuple[int, ...] = ()) -> None:
        """TooFewClients unless `seen` reaches `needed`."""
        if seen < needed:
            raise TooFewClients(f"{seen} clients {what}, expected at least {needed}", about=about)

    def note_missing(self, before: Iterable[int], after: Collection[int], round: int) -> None:
        """Whoever was there before and is not now has missed this round first."""
        self.missed.update({u: round for u in before if u not in after})


@dataclass(frozen=True)
class Rostered:
    """What the rounds after U1 share: the roster, its graph, and how to check a signature."""

    session: Session = field(repr=False)
    roster: CheckedRoster = field(repr=False)
    neighbourhoods: Neighbourhoods = field(repr=False)

    @classmethod
    def of(cls, session: Session, roster: CheckedRoster) -> "Rostered":
        """This roster with the graph of the session's parameters."""
        graph, m = session.params.graph, len(roster.ids)
        return cls(session, roster, Neighbourhoods.of(graph, roster.digest, m))

    @property
    def params(self) -> Params:
        """The session's parameters."""
        return self.session.params

    @cached_property
    def transcript(self) -> Transcript:
        """What the rounds after U1 are bound to."""
        return self.session.transcript.with_roster(self.roster.digest)

    @cached_property
    def _ids(self) -> Indices:
        return np.array(self.roster.ids)

    @contextmanager
    def signed(self, message: ClientMessage, body: bytes) -> Iterator[None]:
        """`verify` first; what is found wrong within is then known to be the author's."""
        self.verify(message, body)
        with signed_by(message.u):
            yield

    def verify(self, message: ClientMessage, body: bytes) -> None:
        """RemoteProtocolError unless the author signed this body in this round and session."""
        key = self.roster.identity(self.roster.index[message.u])
        self.transcript.verify(key, message.signature, message.round, message.u, body)

    def ids_at(self, indices: Indices) -> tuple[int, ...]:
        """Client ids of ascending roster indices: ascending as well."""
        return tuple(self._ids[indices].tolist())

    def packed_ids_at(self, indices: Indices) -> bytes:
        """The same as `messages.pack_ids` writes them."""
        return self._ids[indices].astype("<u8").tobytes()

    def flags_of(self, ids: Iterable[int]) -> Flags:
        """Flags [m] over the roster."""
        flags = np.zeros(len(self.roster.ids), np.bool_)
        flags[[self.roster.index[u] for u in ids]] = True
        return flags


@dataclass(frozen=True)
class Owners:
    """Whose secrets the unmasking needs, by roster index."""

    in_U3: Flags = field(repr=False)
    of_b: list[int]
    of_s_sk: list[int]

    @classmethod
    def of(cls, in_U2: Flags, in_U3: Flags, neighbourhoods: Neighbourhoods) -> "Owners":
        """b_u for u in U3; s_sk_v for v in U2∖U3 with a neighbour in U3."""
        masked = in_U2 & ~in_U3 & in_U3[neighbourhoods.members].any(axis=1)
        return cls(in_U3, np.flatnonzero(in_U3).tolist(), np.flatnonzero(masked).tolist())

    def check_holders(self, rostered: Rostered, holders: Flags, present: Flags) -> None:
        """TooFewClients unless t holders are there for each; `holders[i, j]`: of i's secret.

        It is about i only where those present would do, and more of them than can be corrupt say
        that what i dealt them did not open: then one of them is honest.
        """
        session, params = rostered.session, rostered.params
        t, counts, could = params.t, holders.sum(axis=1), present.sum(axis=1)
        for i in self.of_b + self.of_s_sk:
            u = rostered.roster.ids[i]
            complaints = int(could[i] - counts[i])
            about = (u,) if could[i] >= t and complaints > params.corrupt else ()
            session.at_least(t, int(counts[i]), f"are left that hold a share of client {u}", about)


@dataclass(frozen=True)
class Relayed:
    """What round 1 came to.

    Attributes:
        in_U2: who is in U2.
        held: [m, w], whether i can hold shares of its j-th neighbour: both are in U2.
        sent: for each of U2 the digest of its Ciphertexts, which its MaskedInput is signed over.
    """

    in_U2: Flags = field(repr=False)
    held: Flags = field(repr=False)
    sent: dict[int, bytes] = field(repr=False)


@dataclass(frozen=True)
class Collected:
    """What round 2 came to.

    Attributes:
        owners: whose secrets open the sum.
        held: [m, w], whether i holds shares of its j-th neighbour: what did not open is left out.
        accumulator: Σ y_u over U3, each vector with its tally word; `Opening` unmasks it in place.
        U3: whose y_u are in it, ascending.
    """

    owners: Owners
    held: Flags = field(repr=False)
    accumulator: list[RingVector] = field(repr=False)
    U3: tuple[int, ...]
