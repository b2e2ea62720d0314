"""U1 as both sides check it: who takes part, under which keys, signed by whom.

    roster digest = SHA-256(label, ids, keys, certificates)          the columns of the Roster

Which identity key speaks for u follows from the directory's digest, which is in the params digest,
and from u and its certificate, which are in this one.

What is cheap a client checks of everybody; signatures and certificates only of its neighbours and,
in round 4, of a sample of the signers.  Why that is enough is in
docs/decisions/0013-a-client-checks-its-neighbours.md.  On the complete graph everybody is a
neighbour.  The server checks everything of everybody, so an honest server never forwards a roster
that makes an honest client abort.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Self, cast

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from numpy.typing import NDArray

from secagg import wire
from secagg.curve import check_x25519
from secagg.errors import RemoteProtocolError, signed_by
from secagg.identity.authority import CERTIFICATE_BYTES, KEY_BYTES
from secagg.identity.directory import Directory, Pinned
from secagg.keys import ROSTER, Buffer, Transcript, sha256
from secagg.messages import (
    ID_BYTES,
    KEYS_BYTES,
    SIGNATURE_BYTES,
    AdvertiseKeys,
    ConsistencyCheck,
    Roster,
    record,
    strictly_ascending,
)
from secagg.params import Params


@dataclass(frozen=True, eq=False)
class CheckedRoster:
    """U1 in columns. Checked of every member: sizes, ids, that no key stands twice.

    Not checked: signatures and certificates; `check_neighbour` and `check_signer` do that of those
    whom a client relies on.  A client's position here is its roster index.  Two are equal only if
    they are one object.

    identities: the keys that are known already; the others are asked of the directory when they are
        needed, and kept.
    """

    columns: Roster
    directory: Directory = field(repr=False)
    identities: dict[int, Ed25519PublicKey] = field(default_factory=dict, repr=False)

    @cached_property
    def ids(self) -> tuple[int, ...]:
        """The client ids, ascending."""
        return ids_of(self.columns)

    @cached_property
    def index(self) -> dict[int, int]:
        """Client id to roster index."""
        return {u: i for i, u in enumerate(self.ids)}

    @cached_property
    def digest(self) -> bytes:
        """What later signatures, derivations and the graph bind to."""
        columns = self.columns
        return sha256(ROSTER, columns.ids, columns.keys, columns.certificates)

    def __len__(self) -> int:
        """How many clients."""
        return len(self.columns)

    def entry(self, i: int) -> AdvertiseKeys:
        """The advertisement at roster index i."""
        return self.columns.entry(i)

    def c_pk(self, i: int) -> bytes:
        """The key to which shares for i are sealed."""
        return record(self.columns.keys, i, KEYS_BYTES)[:32]

    def s_pk(self, i: int) -> bytes:
        """The key of the masks of i."""
        return record(self.columns.keys, i, KEYS_BYTES)[32:64]

    def commitment(self, i: int) -> bytes:
        """The commitment of i to its self-mask seed."""
        return record(self.columns.keys, i, KEYS_BYTES)[64:]

    def identity(self, i: int) -> Ed25519PublicKey:
        """The identity key of i, against which its signatures are verified.

        RemoteProtocolError if the directory knows none, or does not believe the certificate.
        """
        if (known := self.identities.get(i)) is not None:
            return known
        certificate = record(self.columns.certificates, i, CERTIFICATE_BYTES)
        raw = self.directory.identity(self.ids[i], certificate)
        return self.identities.setdefault(i, Ed25519PublicKey.from_public_bytes(raw))

    @classmethod
    def trusted(cls, frame: Buffer, directory: Directory) -> Self:
        """From a frame of our own whose roster was checked before: nothing is checked here."""
        return cls(cast(Roster, wire.decode(frame)), directory)

    @classmethod
    def of_server(
        cls,
        entries: dict[int, AdvertiseKeys],
        identities: dict[int, Ed25519PublicKey],
        directory: Directory,
    ) -> Self:
        """U1 of advertisements that the server has checked one by one, by client id."""
        ids = sorted(entries)
        columns = Roster.of([entries[u] for u in ids])
        return cls(columns, directory, {i: identities[u] for i, u in enumerate(ids)})


def ids_of(columns: Roster) -> tuple[int, ...]:
    """The ids of a roster whose columns fit each other."""
    return tuple(np.frombuffer(columns.ids, "<i8").tolist())


def check_advertisement(
    entry: AdvertiseKeys, identity: Ed25519PublicKey, transcript: Transcript
) -> None:
    """RemoteProtocolError unless `identity` signed this entry, with two acceptable public keys."""
    transcript.verify(identity, entry.signature, entry.round, entry.u, entry.body())
    with signed_by(entry.u):
        check_x25519(entry.c_pk)
        check_x25519(entry.s_pk)


class RosterChecks:
    """What a client checks of others: functions of their arguments alone, and these are public.

    So a simulation, in which many clients ask the same, may give its clients a subclass that
    remembers the answers.
    """

    def check_all(self, message: Roster, params: Params, directory: Directory) -> CheckedRoster:
        """What is cheap, of all of U1; RemoteProtocolError unless all holds."""
        # A copy, read again in every round: the sender's buffer may change after the checks.
        message = message.kept()
        check_columns(message)
        # Fig. 4, round 1: |U1| ≥ t; min_roster here, and at most n: among more, two U3 could each
        # have a quorum.
        if not params.min_roster <= len(message) <= params.n:
            raise RemoteProtocolError(
                f"the roster has {len(message)} clients, expected {params.min_roster} to {params.n}"
            )
        # Not in Fig. 4: a list has one allowed order, so nobody stands in it twice.
        roster = CheckedRoster(message, directory)
        ids = roster.ids
        if not strictly_ascending(ids) or ids[0] < 0:  # 2^63 and more read as negative
            raise RemoteProtocolError(
                "the roster's ids are not strictly ascending, expected each once, from 0 on"
            )
        # Not in Fig. 4, whose PKI has a key for everybody: also who is no neighbour must be pinned.
        # Another directory is asked when somebody relies on a key.
        if isinstance(directory, Pinned):
            directory.check_holds(ids)
        # Fig. 4, round 1: all public keys are different.
        check_distinct_keys(message)
        # Not in Fig. 4: with certificates one identity key could speak for two clients.
        check_distinct_identities(message, directory)
        return roster

    def check_neighbour(self, roster: CheckedRoster, i: int, transcript: Transcript) -> None:
        """RemoteProtocolError unless the client at roster index i signed its entry."""
        # Not in Fig. 4, whose PKI has a key for everybody: `identity` asks the directory.
        # Fig. 4, round 1: every signature is valid; of the neighbours here.
        check_advertisement(roster.entry(i), roster.identity(i), transcript)

    def check_signer(
        self, roster: CheckedRoster, i: int, transcript: Transcript, body: bytes, signature: bytes
    ) -> None:
        """RemoteProtocolError unless the client at roster index i signed this body, U3."""
        # Fig. 4, round 4: every signature of U3 is valid; here of as many as are needed, or of a
        # sample (`client.rounds`).
        round, u = ConsistencyCheck.round, roster.ids[i]
        transcript.verify(roster.identity(i), signature, round, u, body)


def check_columns(message: Roster) -> None:
    """RemoteProtocolError unless every column has a record for each id."""
    m, certificates = len(message), len(message.certificates)
    seen = len(message.ids), len(message.keys), len(message.signatures)
    if seen != (m * ID_BYTES, m * KEYS_BYTES, m * SIGNATURE_BYTES):
        raise RemoteProtocolError(
            f"a roster with columns of {seen} bytes, expected {ID_BYTES}, {KEYS_BYTES} and "
            f"{SIGNATURE_BYTES} for each client"
        )
    if certificates not in (0, m * CERTIFICATE_BYTES):
        raise RemoteProtocolError(
            f"{certificates} bytes of certificates for {m} clients, expected none or "
            f"{CERTIFICATE_BYTES} for each"
        )


def check_own_entry(roster: CheckedRoster, own: AdvertiseKeys) -> None:
    """RemoteProtocolError unless the roster holds what this client advertised."""
    # Not in Fig. 4: an older advertisement of its own would pass for u's.
    if own.u not in roster.index or roster.entry(roster.index[own.u]) != own:
        raise RemoteProtocolError(
            f"the roster does not hold what client {own.u} advertised, expected it unchanged"
        )


def check_distinct_keys(columns: Roster) -> None:
    """RemoteProtocolError if a public key stands twice, whoever advertised it."""
    # c_pk and s_pk of each, without the commitment: two rows a client.
    keys = np.frombuffer(columns.keys, np.uint8).reshape(-1, 3, 32)[:, :2].reshape(-1, 32)
    second = _first_repeated(keys)
    if second is not None:
        raise RemoteProtocolError(
            f"client {ids_of(columns)[second // 2]} advertises a public key that stands twice, "
            "expected keys that all differ"
        )


def check_distinct_identities(columns: Roster, directory: Directory) -> None:
    """RemoteProtocolError if one identity key speaks for two clients.

    One stolen key is one corrupt client. What certificates claim is compared unverified: a false
    claim is refused by `CheckedRoster.identity` before anything is believed in its name.
    """
    if isinstance(directory, Pinned):
        return  # it was refused when the directory was made
    if len(columns.certificates):
        certificates = np.frombuffer(columns.certificates, np.uint8).reshape(-1, CERTIFICATE_BYTES)
        keys = certificates[:, :KEY_BYTES]
    else:
        known = b"".join(directory.identity(u, b"") for u in ids_of(columns))
        keys = np.frombuffer(known, np.uint8).reshape(-1, KEY_BYTES)
    second = _first_repeated(keys)
    if second is not None:
        raise RemoteProtocolError(
            f"client {ids_of(columns)[second]} has the identity key of another client, expected "
            "one for each"
        )


def _first_repeated(rows: NDArray[np.uint8]) -> int | None:
    """The first index at which a row stands that has stood before, or None. Rows of 32 bytes."""
    words = np.ascontiguousarray(rows).view("<u8").T
    # As ever, keys differ in their first eight bytes already.
    return _repeated_at(words) if len(np.unique(words[0])) < len(rows) else None


def _repeated_at(words: NDArray[np.uint64]) -> int | None:
    """The same, of keys as four words each, by sorting whole keys."""
    order = np.lexsort(words)  # stable: of equal keys the first comes first
    repeated = (words[:, order[1:]] == words[:, order[:-1]]).all(axis=0)
    return int(order[1:][repeated].min()) if repeated.any() else None
