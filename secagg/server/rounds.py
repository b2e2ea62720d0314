"""The rounds 0 to 3 on the server: what each collects, and what it comes to when it is closed.

Each is one type with `receive(message)`, which checks and then keeps, and `close()`, which gives
what the round came to and the messages that say so.  `receive` raises RemoteProtocolError and
changes nothing where the message is not what its author may send now; `close` raises TooFewClients
below a threshold.  Which round follows which: `transitions`.  Round 4 is in `opening`.

The server repeats the checks that the clients will make of what it relays, so that no client makes
the honest ones abort.  Steps are those of Figure 4 of Bonawitz et al. 2017.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from numpy.typing import NDArray

from secagg.errors import RemoteProtocolError
from secagg.graph import Indices
from secagg.keys import received_digest
from secagg.masks.prg import RingVector
from secagg.messages import (
    CIPHERTEXT_BYTES,
    AdvertiseKeys,
    Ciphertexts,
    ConsistencyCheck,
    MaskedInput,
    ShareKeys,
    Signatures,
    Survivors,
    strictly_ascending,
)
from secagg.packing import unpack
from secagg.roster import CheckedRoster, check_advertisement
from secagg.server.neighbourhoods import Flags
from secagg.server.session import Collected, Outbox, Owners, Relayed, Rostered, Session


@dataclass
class Advertising:
    """Round 0 collects U1."""

    session: Session
    answered: dict[int, AdvertiseKeys] = field(default_factory=dict)
    identities: dict[int, Ed25519PublicKey] = field(default_factory=dict)
    identity_keys: set[bytes] = field(default_factory=set)
    public_keys: set[bytes] = field(default_factory=set)

    def receive(self, message: AdvertiseKeys) -> None:
        """Keep one advertisement whose keys and signatures are good and whose keys are new."""
        session, n = self.session, self.session.params.n
        # Not in Fig. 4, where the users are given: here whoever is enrolled may come.
        if len(self.answered) == n:
            raise RemoteProtocolError(f"client {message.u} is one more, expected at most n={n}")
        key = session.directory.identity(message.u, message.certificate)
        # Not in Fig. 4: with certificates one identity key could speak for two clients.
        if key in self.identity_keys:
            raise RemoteProtocolError(
                f"client {message.u} has the identity key of another client, expected its own"
            )
        # Fig. 4, round 1, of the clients: the signature is valid, and the keys are no bad points.
        identity = Ed25519PublicKey.from_public_bytes(key)
        check_advertisement(message, identity, session.transcript)
        # Fig. 4, round 1, of the clients: all public keys are different.
        new = {message.c_pk, message.s_pk}
        if len(new) < 2 or new & self.public_keys:
            # no sender: who saw this key on its way may have advertised it first
            raise RemoteProtocolError(
                f"client {message.u} advertises a public key a second time, expected new ones",
                about=(message.u,),
            )
        self.answered[message.u], self.identities[message.u] = message, identity
        self.identity_keys.add(key)
        session.advertised[message.u] = message.c_pk
        self.public_keys |= new

    def close(self) -> tuple[Rostered, Outbox]:
        """U1, and everybody's advertisement to everybody."""
        # Fig. 4, round 0, server: |U1| ≥ t; min_roster here.
        needed = self.session.params.min_roster
        self.session.at_least(needed, len(self.answered), "advertised keys")
        directory = self.session.directory
        roster = CheckedRoster.of_server(self.answered, self.identities, directory)
        return Rostered.of(self.session, roster), dict.fromkeys(roster.ids, roster.columns)


@dataclass
class Sharing:
    """Round 1 collects U2; `relay[i, j]` is the ciphertext for i from its j-th neighbour."""

    rostered: Rostered
    relay: NDArray[np.uint8] = field(repr=False)
    answered: set[int] = field(default_factory=set)

    @classmethod
    def begin(cls, rostered: Rostered) -> "Sharing":
        """An empty relay for this roster; its memory is touched as ciphertexts arrive."""
        shape = rostered.neighbourhoods.members.shape
        return cls(rostered, np.zeros((*shape, CIPHERTEXT_BYTES), np.uint8))

    def receive(self, message: ShareKeys) -> None:
        """Lay each ciphertext where its receiver will find it."""
        neighbourhoods, i = self.rostered.neighbourhoods, self.rostered.roster.index[message.u]
        others = neighbourhoods.members[i] != i
        receivers = neighbourhoods.members[i, others]
        columns = neighbourhoods.slots[i, others]
        packed = np.frombuffer(message.ciphertexts, np.uint8)
        # Not in Fig. 4: signed, as every message here.
        with self.rostered.signed(message, message.body()):
            # Fig. 4, round 1: one ciphertext for each v in U1; in N(u) here.
            if len(packed) != len(receivers) * CIPHERTEXT_BYTES:
                raise RemoteProtocolError(
                    f"client {message.u} sent {len(packed)} bytes of ciphertexts, "
                    f"expected {CIPHERTEXT_BYTES} for each of {len(receivers)} neighbours"
                )
        self.relay[receivers, columns] = packed.reshape(-1, CIPHERTEXT_BYTES)
        self.answered.add(message.u)

    def close(self) -> tuple[Relayed, Outbox]:
        """U2, and to each of it what its neighbours in U2 sealed for it."""
        rostered, session, params = self.rostered, self.rostered.session, self.rostered.params
        members, ids = rostered.neighbourhoods.members, rostered.roster.ids
        # Fig. 4, round 1, server: |U2| ≥ t; a quorum here, as there will be no more survivors.
        session.at_least(params.min_survivors, len(self.answered), "shared keys")
        in_U2 = self._with_enough_senders()
        U2 = rostered.ids_at(np.flatnonzero(in_U2))
        session.note_missing(ids, self.answered, 1)
        session.note_missing(self.answered, U2, 2)
        # The same of those whom enough neighbours have dealt shares.
        session.at_least(params.min_survivors, len(U2), f"have {params.t} holders")
        outbox: Outbox = {}
        sent: dict[int, bytes] = {}
        for i in np.flatnonzero(in_U2).tolist():
            from_U2 = in_U2[members[i]] & (members[i] != i)
            sealed = self._moved_to_front(i, from_U2)
            senders = members[i, from_U2]
            outbox[ids[i]] = Ciphertexts(rostered.ids_at(senders), sealed)
            sent[ids[i]] = received_digest(rostered.packed_ids_at(senders), sealed)
        held = in_U2[:, None] & in_U2[members]
        return Relayed(in_U2, held, sent), outbox

    def _moved_to_front(self, i: int, columns: Flags) -> memoryview:
        """These records of row i, end to end: in place, because n² ciphertexts fit once."""
        count = int(columns.sum())
        self.relay[i, :count] = self.relay[i, columns]
        return self.relay[i, :count].reshape(-1).data

    def _with_enough_senders(self) -> Flags:
        """U2: who answered and has, itself included, t of N(u) ∪ {u} in U2."""
        members, t = self.rostered.neighbourhoods.members, self.rostered.params.t
        in_U2, before = self.rostered.flags_of(self.answered), None
        while before is None or in_U2.sum() < before.sum():
            before = in_U2
            in_U2 = before & (before[members].sum(axis=1) >= t)
        return in_U2


@dataclass
class Collecting:
    """Round 2 adds the y_u of U3."""

    rostered: Rostered
    relayed: Relayed
    accumulator: list[RingVector] = field(repr=False)
    answered: set[int] = field(default_factory=set)

    @classmethod
    def begin(cls, rostered: Rostered, relayed: Relayed) -> "Collecting":
        """Zero vectors, each with its tally word."""
        zeros = [np.zeros(spec.length + 1, spec.dtype) for spec in rostered.params.vectors]
        return cls(rostered, relayed, zeros)

    def receive(self, message: MaskedInput) -> None:
        """Add y_u to the accumulator, and forget it."""
        i = self.rostered.roster.index[message.u]
        # Fig. 4, round 2, server: U3 ⊆ U2.
        if not self.relayed.in_U2[i]:
            raise RemoteProtocolError(f"client {message.u} is not in U2, expected one of it")
        # Not in Fig. 4: signed over what u was given to mask with, which may not be what was sent.
        with self.rostered.signed(message, message.body(self.relayed.sent[message.u])):
            words = self._unpacked(message)
            unopened = self._columns_of(message, i)
        for total, vector in zip(self.accumulator, words, strict=True):
            np.add(total, vector, out=total)
        self.relayed.held[i, unopened] = False
        self.answered.add(message.u)

    def _unpacked(self, message: MaskedInput) -> list[RingVector]:
        specs = self.rostered.params.vectors
        # Fig. 4, round 2: y_u ∈ Z_R^m; here a vector for each spec, each of its length.
        if len(message.vectors) != len(specs):
            raise RemoteProtocolError(
                f"client {message.u} sent {len(message.vectors)} vectors, expected {len(specs)}"
            )
        return [
            unpack(spec, spec.length + 1, raw)
            for spec, raw in zip(specs, message.vectors, strict=True)
        ]

    def _columns_of(self, message: MaskedInput, i: int) -> Indices:
        """Where the senders whose ciphertexts did not open stand in the row of i."""
        unopened, rostered = message.unopened, self.rostered
        if not unopened:  # as ever: nothing to look up, and no O(n) for it
            return np.empty(0, np.int64)
        members, index = rostered.neighbourhoods.members[i], rostered.roster.index
        senders = rostered.ids_at(members[self.relayed.held[i] & (members != i)])
        # Not in Fig. 4: complaints are about those who sent u something, each once.
        if not (strictly_ascending(unopened) and set(senders) >= set(unopened)):
            raise RemoteProtocolError(
                f"client {message.u} reports ciphertexts that it was not sent as unopened, "
                "expected an ascending list of its senders"
            )
        return np.searchsorted(members, [index[v] for v in unopened])

    def close(self) -> tuple[Collected, Outbox]:
        """U3 to each of U3, if its members hold enough shares of all that must be opened."""
        rostered, session, in_U2 = self.rostered, self.rostered.session, self.relayed.in_U2
        neighbourhoods, held = rostered.neighbourhoods, self.relayed.held
        in_U3 = rostered.flags_of(self.answered)
        session.note_missing(rostered.ids_at(np.flatnonzero(in_U2)), self.answered, 2)
        # Fig. 4, round 2, server: |U3| ≥ t; a quorum here.
        needed = rostered.params.min_survivors
        session.at_least(needed, len(self.answered), "sent a masked input")
        # Not in Fig. 4: t of U3 hold a share of each secret, or it would be known in round 4 only.
        present = in_U3[neighbourhoods.members]
        holders = neighbourhoods.transposed(held) & present
        owners = Owners.of(in_U2, in_U3, neighbourhoods)
        owners.check_holders(rostered, holders, present)
        U3 = tuple(sorted(self.answered))
        collected = Collected(owners, held, self.accumulator, U3)
        return collected, dict.fromkeys(U3, Survivors(U3))


@dataclass
class Checking:
    """Round 3 collects the signatures of U3 by U4."""

    rostered: Rostered
    collected: Collected
    answered: dict[int, bytes] = field(default_factory=dict)

    @cached_property
    def body(self) -> bytes:
        """What everybody signs: the one U3."""
        return ConsistencyCheck.body(self.collected.U3)

    def receive(self, message: ConsistencyCheck) -> None:
        """Keep a valid signature of U3 by a member of U3."""
        # Fig. 4, round 3, server: U4 ⊆ U3.
        if not self.collected.owners.in_U3[self.rostered.roster.index[message.u]]:
            raise RemoteProtocolError(f"client {message.u} is not in U3, expected one of it")
        # Fig. 4, round 4, of the clients: the signature is valid, and of this U3.
        self.rostered.verify(message, self.body)
        self.answered[message.u] = message.signature

    def close(self) -> tuple[frozenset[int], Outbox]:
        """U4, and to each of it signatures: all where a sample is checked, else enough."""
        session, needed = self.rostered.session, self.rostered.params.min_survivors
        session.note_missing(self.collected.U3, self.answered, 3)
        # Fig. 4, round 3, server: |U4| ≥ t; a quorum here.
        session.at_least(needed, len(self.answered), "signed U3")
        U4 = sorted(self.answered)
        n, graph = self.rostered.params.n, self.rostered.params.graph
        enough = graph.quorum_checks(len(U4), needed, n) == needed
        signers = tuple(U4[:needed] if enough else U4)
        message = Signatures.of(signers, (self.answered[u] for u in signers))
        return frozenset(U4), dict.fromkeys(U4, message)
