"""U1 as both sides check it: who takes part, under which keys, signed by whom.

    roster digest = SHA-256(label, for each u ascending: u, c_pk, s_pk, commitment, certificate)

Which identity key speaks for u follows from the directory's digest, which is in the params digest,
and from u and its certificate, which are in this one.

Client and server run the same checks, so an honest server never forwards a roster that makes an
honest client abort; and every client judges the whole roster, not only its neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from secagg.curve import check_x25519
from secagg.errors import RemoteProtocolError, signed_by
from secagg.identity.directory import Directory
from secagg.keys import ROSTER, Transcript, id_bytes, sha256
from secagg.messages import AdvertiseKeys, ConsistencyCheck, Roster, strictly_ascending
from secagg.params import Params


@dataclass(frozen=True, eq=False)
class CheckedRoster:
    """U1 after every check: ascending by id, keys parsed once; the same only if the same object."""

    entries: tuple[AdvertiseKeys, ...]
    identities: tuple[Ed25519PublicKey, ...]

    @classmethod
    def again(cls, entries: tuple[AdvertiseKeys, ...], directory: Directory) -> Self:
        """A roster that has passed every check before, from its entries."""
        keys = identity_keys(entries, directory)
        return cls(entries, tuple(map(Ed25519PublicKey.from_public_bytes, keys)))

    @cached_property
    def ids(self) -> tuple[int, ...]:
        """The client ids; a client's position here is its roster index."""
        return tuple(entry.u for entry in self.entries)

    @cached_property
    def index(self) -> dict[int, int]:
        """Client id to roster index."""
        return {u: i for i, u in enumerate(self.ids)}

    @cached_property
    def digest(self) -> bytes:
        """What later signatures, derivations and the graph bind to."""
        fields = (
            field
            for e in self.entries
            for field in (id_bytes(e.u), e.c_pk, e.s_pk, e.commitment, e.certificate)
        )
        return sha256(ROSTER, *fields)


def identity_keys(entries: Sequence[AdvertiseKeys], directory: Directory) -> tuple[bytes, ...]:
    """Whose signatures these have to be; RemoteProtocolError if the directory does not know one."""
    return tuple(directory.identity(entry.u, entry.certificate) for entry in entries)


def check_advertisement(
    entry: AdvertiseKeys, key: bytes, transcript: Transcript
) -> Ed25519PublicKey:
    """The author's identity key `key`, parsed, if it signed two acceptable public keys.

    Raises:
        RemoteProtocolError: for a key that is not canonical or of low order, a signature by another
            key or under other parameters.
    """
    identity = Ed25519PublicKey.from_public_bytes(key)
    transcript.verify(identity, entry.signature, entry.round, entry.u, entry.body())
    with signed_by(entry.u):
        check_x25519(entry.c_pk)
        check_x25519(entry.s_pk)
    return identity


def check_distinct_keys(entries: Sequence[AdvertiseKeys]) -> None:
    """RemoteProtocolError if a public key stands twice, whoever advertised it."""
    seen: dict[bytes, int] = {}
    for entry in entries:
        for key in (entry.c_pk, entry.s_pk):
            if key in seen:
                raise RemoteProtocolError(
                    f"client {entry.u} advertises a public key that client {seen[key]} has, "
                    "expected keys that all differ"
                )
            seen[key] = entry.u


def check_distinct_identities(entries: Sequence[AdvertiseKeys], keys: Sequence[bytes]) -> None:
    """RemoteProtocolError if one identity key speaks for two clients: one thief is one client."""
    owners: dict[bytes, int] = {}
    for entry, key in zip(entries, keys, strict=True):
        if (v := owners.setdefault(key, entry.u)) != entry.u:
            raise RemoteProtocolError(
                f"clients {v} and {entry.u} have the same identity key, expected one for each"
            )


def check_roster(message: Roster, own: AdvertiseKeys, params: Params) -> None:
    """What a client checks of U1 before any signature; RemoteProtocolError unless all holds."""
    # Not in Fig. 4: a list has one allowed order, so nobody stands in it twice.
    ids = tuple(entry.u for entry in message.entries)
    if not strictly_ascending(ids):
        raise RemoteProtocolError("the roster's ids are not strictly ascending")
    # Fig. 4, round 1: |U1| ≥ t; min_roster here, and no more than n, so that one U3 has a quorum.
    if not params.min_roster <= len(ids) <= params.n:
        raise RemoteProtocolError(
            f"the roster has {len(ids)} clients, expected {params.min_roster} to {params.n}"
        )
    # Not in Fig. 4: an older advertisement of its own would pass for u's.
    if own not in message.entries:
        raise RemoteProtocolError(f"the roster does not hold what client {own.u} advertised")


class SignatureChecks:
    """The checks of a client that cost a signature for each client of the session.

    Both are functions of their arguments alone, and these are public.  So a simulation, in which
    many clients ask the same, may give its clients a subclass that remembers the last answer.
    """

    def roster(
        self, entries: tuple[AdvertiseKeys, ...], keys: tuple[bytes, ...], transcript: Transcript
    ) -> CheckedRoster:
        """U1, if its keys are good and distinct and each entry is signed under its key of `keys`.

        Raises:
            RemoteProtocolError: naming the first entry that does not hold.
        """
        # Fig. 4, round 1: all public keys are different.
        check_distinct_keys(entries)
        # Not in Fig. 4: with certificates one identity key could speak for two clients.
        check_distinct_identities(entries, keys)
        # Fig. 4, round 1: every signature is valid.
        identities = tuple(map(check_advertisement, entries, keys, repeat(transcript)))
        return CheckedRoster(entries, identities)

    def quorum(
        self,
        roster: CheckedRoster,
        transcript: Transcript,
        U3: tuple[int, ...],
        signers: tuple[int, ...],
        signatures: tuple[bytes, ...],
    ) -> None:
        """RemoteProtocolError unless each of `signers` has signed U3 under this transcript."""
        body = ConsistencyCheck.body(U3)
        for v, signature in zip(signers, signatures, strict=True):
            # Fig. 4, round 4: every signature of U3 is valid.
            key = roster.identities[roster.index[v]]
            transcript.verify(key, signature, ConsistencyCheck.round, v, body)
