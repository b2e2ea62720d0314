"""What the server's rounds share: the session, the roster with its graph, and what comes out."""

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
from secagg.keys import Binding, verify
from secagg.messages import ClientMessage, ServerMessage
from secagg.params import Params
from secagg.roster import CheckedRoster
from secagg.server.neighbourhoods import Flags, Neighbourhoods

Outbox = dict[int, ServerMessage]


@dataclass
class Session:
    """What every round of one session shares; `advertised` has the c_pk of whoever began."""

    params: Params
    directory: Directory
    private_key: X25519PrivateKey = field(repr=False)
    executor: Executor | None = None
    missed: dict[int, int] = field(default_factory=dict)
    advertised: dict[int, bytes] = field(default_factory=dict)

    @cached_property
    def params_digest(self) -> bytes:
        """The digest that is in every signature."""
        return self.params.digest(self.directory.digest)

    def ends(self, summed: bool) -> Outbox:
        """To everybody who began: it is over."""
        digest, key = self.params_digest, self.private_key
        return {
            u: end_for(end_key(key, c_pk, digest, u, c_pk), summed)
            for u, c_pk in sorted(self.advertised.items())
        }

    def at_least(self, needed: int, seen: int, what: str, about: tuple[int, ...] = ()) -> None:
        """TooFewClients unless `seen` reaches `needed`."""
        if seen < needed:
            raise TooFewClients(f"{seen} clients {what}, fewer than {needed}", about=about)

    def note_missing(self, before: Iterable[int], after: Collection[int], round: int) -> None:
        """Whoever was there before and is not now has missed this round first."""
        self.missed.update({u: round for u in before if u not in after})


@dataclass
class Rostered:
    """What the rounds after U1 share: the roster, its graph, and how to check a signature."""

    session: Session
    roster: CheckedRoster
    hoods: Neighbourhoods = field(repr=False)

    @cached_property
    def binding(self) -> Binding:
        """The derivations of this session."""
        return self.roster.binding(self.session.params_digest)

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
        verify(
            self.roster.identities[self.roster.index[message.u]],
            message.signature,
            message.round,
            self.session.params_digest,
            self.roster.digest,
            message.u,
            body,
        )

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
    def of(cls, in_U2: Flags, in_U3: Flags, hoods: Neighbourhoods) -> "Owners":
        """b_u for u in U3; s_sk_v for v in U2∖U3 with a neighbour in U3."""
        masked = in_U2 & ~in_U3 & in_U3[hoods.rows].any(axis=1)
        return cls(in_U3, np.flatnonzero(in_U3).tolist(), np.flatnonzero(masked).tolist())

    def check_holders(
        self, session: Session, roster: CheckedRoster, holders: Flags, present: Flags
    ) -> None:
        """TooFewClients unless t holders are there for each; `holders[i, j]`: of i's secret.

        It is about i only where those present would do, and more of them than can be corrupt say
        that what i dealt them did not open: then one of them is honest.
        """
        t, counts, could = session.params.t, holders.sum(axis=1), present.sum(axis=1)
        for i in self.of_b + self.of_s_sk:
            u = roster.ids[i]
            complaints = int(could[i] - counts[i])
            about = (u,) if could[i] >= t and complaints > session.params.corrupt else ()
            session.at_least(t, int(counts[i]), f"are left that hold a share of client {u}", about)
