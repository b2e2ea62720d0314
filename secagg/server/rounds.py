"""The five rounds on the server: what each collects, and what closing it sends.

    Advertising → Sharing → Collecting → Checking → Opening → Aggregate

Each is one type with `receive(message)`, which checks and then keeps, and `close()`, which gives
the next round and its messages.  `receive` raises RemoteProtocolError and changes nothing where the
message is not what its author may send now; `close` raises TooFewClients below a threshold.
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
    SEALED_BYTES,
    AdvertiseKeys,
    Ciphertexts,
    ConsistencyCheck,
    MaskedInput,
    Roster,
    ShareKeys,
    Signatures,
    Survivors,
    Unmasking,
    strictly_ascending,
)
from secagg.packing import reduce_words, unpack
from secagg.roster import CheckedRoster, check_advertisement
from secagg.server.aggregate import Aggregate
from secagg.server.neighbourhoods import Flags, Neighbourhoods
from secagg.server.recovery import ShareTable, recover_mask_keys, recover_self_seeds
from secagg.server.session import Outbox, Owners, Rostered, Session
from secagg.server.unmasking import Work, orphaned, remove_masks
from secagg.server_sealing import open_at_server
from secagg.sharing.shamir import SHARE_BYTES, decode_shares


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
        if len(self.answered) == n:
            raise RemoteProtocolError(f"client {message.u} is one more than n={n}")
        key = session.directory.identity(message.u, message.certificate)
        if key in self.identity_keys:
            raise RemoteProtocolError(f"client {message.u} has the identity key of another client")
        identity = check_advertisement(message, key, session.params_digest)
        new = {message.c_pk, message.s_pk}
        if len(new) < 2 or new & self.public_keys:
            # no sender: who saw this key on its way may have advertised it first
            raise RemoteProtocolError(
                f"client {message.u} advertises a public key a second time", about=(message.u,)
            )
        self.answered[message.u], self.identities[message.u] = message, identity
        self.identity_keys.add(key)
        session.advertised[message.u] = message.c_pk
        self.public_keys |= new

    def close(self) -> tuple["Sharing", Outbox]:
        """Everybody's advertisement to everybody."""
        needed = self.session.params.min_roster
        self.session.at_least(needed, len(self.answered), "advertised keys")
        ids = sorted(self.answered)
        roster = CheckedRoster(
            tuple(self.answered[u] for u in ids), tuple(self.identities[u] for u in ids)
        )
        message = Roster(roster.entries)
        return Sharing.begin(self.session, roster), dict.fromkeys(ids, message)


@dataclass
class Sharing(Rostered):
    """Round 1 collects U2; `relay[i, j]` is the ciphertext for i from rows[i, j]."""

    relay: NDArray[np.uint8] = field(repr=False)
    answered: set[int] = field(default_factory=set)

    @classmethod
    def begin(cls, session: Session, roster: CheckedRoster) -> "Sharing":
        """An empty relay for this roster; its memory is touched as ciphertexts arrive."""
        m = len(roster.ids)
        hoods = Neighbourhoods.of(session.params.graph, roster.digest, m)
        relay = np.zeros((*hoods.rows.shape, CIPHERTEXT_BYTES), np.uint8)
        return cls(session, roster, hoods, relay)

    def receive(self, message: ShareKeys) -> None:
        """Lay each ciphertext where its receiver will find it."""
        i = self.roster.index[message.u]
        others = self.hoods.rows[i] != i
        receivers, columns = self.hoods.rows[i, others], self.hoods.slots[i, others]
        packed = np.frombuffer(message.ciphertexts, np.uint8)
        with self.signed(message, message.body()):
            if len(packed) != len(receivers) * CIPHERTEXT_BYTES:
                raise RemoteProtocolError(
                    f"client {message.u} sent {len(packed)} bytes of ciphertexts, "
                    f"expected {CIPHERTEXT_BYTES} for each of {len(receivers)} neighbours"
                )
        self.relay[receivers, columns] = packed.reshape(-1, CIPHERTEXT_BYTES)
        self.answered.add(message.u)

    def close(self) -> tuple["Collecting", Outbox]:
        """To each of U2 what its neighbours in U2 sealed for it."""
        session, params, rows = self.session, self.session.params, self.hoods.rows
        session.at_least(params.min_survivors, len(self.answered), "shared keys")
        in_U2 = self._with_enough_senders()
        U2 = self.ids_at(np.flatnonzero(in_U2))
        session.note_missing(self.roster.ids, self.answered, 1)
        session.note_missing(self.answered, U2, 2)
        session.at_least(params.min_survivors, len(U2), f"have {params.t} holders")
        outbox: Outbox = {}
        sent: dict[int, bytes] = {}
        for i in np.flatnonzero(in_U2).tolist():
            from_U2 = in_U2[rows[i]] & (rows[i] != i)
            sealed = self._moved_to_front(i, from_U2)
            senders = rows[i, from_U2]
            outbox[self.roster.ids[i]] = Ciphertexts(self.ids_at(senders), sealed)
            sent[self.roster.ids[i]] = received_digest(self.packed_ids_at(senders), sealed)
        held = in_U2[:, None] & in_U2[rows]
        return Collecting.begin(session, self.roster, self.hoods, in_U2, held, sent), outbox

    def _moved_to_front(self, i: int, columns: Flags) -> memoryview:
        """These records of row i, end to end: in place, because n² ciphertexts fit once."""
        count = int(columns.sum())
        self.relay[i, :count] = self.relay[i, columns]
        return self.relay[i, :count].reshape(-1).data

    def _with_enough_senders(self) -> Flags:
        """U2: who answered and has, itself included, t of N(u) ∪ {u} in U2."""
        in_U2, before = self.flags_of(self.answered), None
        while before is None or in_U2.sum() < before.sum():
            before = in_U2
            in_U2 = before & (before[self.hoods.rows].sum(axis=1) >= self.session.params.t)
        return in_U2


@dataclass
class Collecting(Rostered):
    """Round 2 adds the y_u of U3; `held[i, j]`: i can hold shares of rows[i, j].

    sent: for each of U2 the digest of its Ciphertexts, which its MaskedInput must be signed over.
    """

    in_U2: Flags = field(repr=False)
    held: Flags = field(repr=False)
    sent: dict[int, bytes] = field(repr=False)
    accumulator: list[RingVector] = field(repr=False)
    answered: set[int] = field(default_factory=set)

    @classmethod
    def begin(
        cls,
        session: Session,
        roster: CheckedRoster,
        hoods: Neighbourhoods,
        in_U2: Flags,
        held: Flags,
        sent: dict[int, bytes],
    ) -> "Collecting":
        """Zero vectors, each with its tally word."""
        zeros = [np.zeros(spec.length + 1, spec.dtype) for spec in session.params.vectors]
        return cls(session, roster, hoods, in_U2, held, sent, zeros)

    def receive(self, message: MaskedInput) -> None:
        """Add y_u to the accumulator, and forget it."""
        i = self.roster.index[message.u]
        if not self.in_U2[i]:
            raise RemoteProtocolError(f"client {message.u} is not in U2")
        with self.signed(message, message.body(self.sent[message.u])):
            words = self._unpacked(message)
            unopened = self._columns_of(message, i)
        for total, vector in zip(self.accumulator, words, strict=True):
            np.add(total, vector, out=total)
        self.held[i, unopened] = False
        self.answered.add(message.u)

    def _unpacked(self, message: MaskedInput) -> list[RingVector]:
        specs = self.session.params.vectors
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
        unopened, index = message.unopened, self.roster.index
        if not unopened:  # as ever: nothing to look up, and no O(n) for it
            return np.empty(0, np.int64)
        sent = self.hoods.rows[i, self.held[i] & (self.hoods.rows[i] != i)]
        if not (strictly_ascending(unopened) and set(self.ids_at(sent)) >= set(unopened)):
            raise RemoteProtocolError(
                f"client {message.u} reports ciphertexts that it was not sent as unopened"
            )
        return np.searchsorted(self.hoods.rows[i], [index[v] for v in unopened])

    def close(self) -> tuple["Checking", Outbox]:
        """U3 to each of U3, if its members hold enough shares of all that must be opened."""
        session, params = self.session, self.session.params
        in_U3 = self.flags_of(self.answered)
        U2 = self.ids_at(np.flatnonzero(self.in_U2))
        session.note_missing(U2, self.answered, 2)
        session.at_least(params.min_survivors, len(self.answered), "sent a masked input")
        holders = self.hoods.transposed(self.held) & in_U3[self.hoods.rows]
        U3 = tuple(sorted(self.answered))
        opening = Owners.of(self.in_U2, in_U3, self.hoods)
        present = in_U3[self.hoods.rows]
        opening.check_holders(session, self.roster, holders, present)
        following = Checking(
            session, self.roster, self.hoods, opening, self.held, self.accumulator, U3
        )
        return following, dict.fromkeys(U3, Survivors(U3))


@dataclass
class Checking(Rostered):
    """Round 3 collects the signatures of U3 by U4."""

    owners: Owners
    held: Flags = field(repr=False)
    accumulator: list[RingVector] = field(repr=False)
    U3: tuple[int, ...]
    answered: dict[int, bytes] = field(default_factory=dict)

    @cached_property
    def body(self) -> bytes:
        """What everybody signs: the one U3."""
        return ConsistencyCheck.body(self.U3)

    def receive(self, message: ConsistencyCheck) -> None:
        """Keep a valid signature of U3 by a member of U3."""
        if not self.owners.in_U3[self.roster.index[message.u]]:
            raise RemoteProtocolError(f"client {message.u} is not in U3")
        self.verify(message, self.body)
        self.answered[message.u] = message.signature

    def close(self) -> tuple["Opening", Outbox]:
        """min_survivors signatures to each of U4: more would prove nothing more."""
        session, needed = self.session, self.session.params.min_survivors
        session.note_missing(self.U3, self.answered, 3)
        session.at_least(needed, len(self.answered), "signed U3")
        U4 = sorted(self.answered)
        signers = tuple(U4[:needed])
        message = Signatures(signers, tuple(self.answered[u] for u in signers))
        table = ShareTable.empty(self.roster.ids, self.hoods)
        following = Opening(
            session, self.roster, self.hoods, self.owners, self.held, self.accumulator,
            self.U3, frozenset(U4), table,
        )  # fmt: skip
        return following, dict.fromkeys(U4, message)


@dataclass
class Opening(Rostered):
    """Round 4 collects shares from U5, and ends in the sum."""

    owners: Owners
    held: Flags = field(repr=False)
    accumulator: list[RingVector] = field(repr=False)
    U3: tuple[int, ...]
    U4: frozenset[int]
    table: ShareTable = field(repr=False)
    answered: set[int] = field(default_factory=set)

    def receive(self, message: Unmasking) -> None:
        """Enter one share for each owner that the author holds shares of."""
        if message.u not in self.U4:
            raise RemoteProtocolError(f"client {message.u} is not in U4")
        held = self.held[self.roster.index[message.u]]
        expected = int(held.sum()) * SHARE_BYTES + SEALED_BYTES
        with self.signed(message, message.body()):
            if len(message.sealed) != expected:
                raise RemoteProtocolError(
                    f"client {message.u} sent {len(message.sealed)} bytes of sealed shares, "
                    f"expected {expected}"
                )
            key = self.session.private_key
            shares = decode_shares(open_at_server(self.binding, key, message.u, message.sealed))
        self.table.add(self.roster.index[message.u], held, shares)
        self.answered.add(message.u)

    def close(self) -> tuple[Aggregate, Outbox]:
        """Reconstruct, check, unmask, and check the tally: the sum, or an error and no sum."""
        session, params, roster = self.session, self.session.params, self.roster
        session.note_missing(self.U4, self.answered, 4)
        # Fig. 4, round 4, server: reconstruct, then check each secret before it is used.
        received = self.table.received
        self.owners.check_holders(session, roster, received, received)
        b = recover_self_seeds(
            self.table, self.owners.of_b, params.t, roster, session.params_digest
        )
        s_sk = recover_mask_keys(self.table, self.owners.of_s_sk, params.t, roster)
        work = Work(
            self.binding,
            tuple(self.binding.self_seed(b_u, roster.ids[i]) for i, b_u in b.items()),
            orphaned(roster, self.hoods, self.owners.in_U3, s_sk),
            params.suite,
        )
        remove_masks(self.accumulator, work, session.executor)
        return self._aggregate(), {}

    def _aggregate(self) -> Aggregate:
        vectors: dict[str, RingVector] = {}
        for spec, total in zip(self.session.params.vectors, self.accumulator, strict=True):
            reduce_words(spec, total)
            tally, expected = int(total[-1]), len(self.U3) % 2**spec.bits
            if tally != expected:
                raise RemoteProtocolError(
                    f"vector {spec.name!r} has the tally {tally}, expected {expected}: "
                    "the masks did not cancel, or a client did not count itself once"
                )
            vectors[spec.name] = total[:-1]
        ids = self.roster.ids
        disputes = sorted((ids[owner], ids[holder]) for owner, holder in self.table.disputed)
        return Aggregate(
            vectors, self.U3, dict(sorted(self.session.missed.items())), tuple(disputes)
        )


Round = Advertising | Sharing | Collecting | Checking | Opening
