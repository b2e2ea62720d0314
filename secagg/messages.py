"""The arrows of Figure 4 as frozen types, in the order in which they are sent.

    client                              server
    AdvertiseKeys      ──────────────▶           round 0
                       ◀──────────────  Roster           (U1)
    ShareKeys          ──────────────▶           round 1
                       ◀──────────────  Ciphertexts      (U2)
    MaskedInput        ──────────────▶           round 2
                       ◀──────────────  Survivors        (U3)
    ConsistencyCheck   ──────────────▶           round 3
                       ◀──────────────  Signatures       (U4)
    Unmasking          ──────────────▶           round 4
                       ◀──────────────  SessionEnd       to whoever is still there, if it is sent

Every client message is signed; `body` is what it says, the signature left out.  Lists that grow
with the number of clients are packed into one field of fixed-size records, in ascending order of
client id: a second record for one client cannot be written.  How they look as bytes: `wire`.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Annotated, ClassVar

import msgspec

from secagg.identity.authority import CERTIFICATE_BYTES
from secagg.keys import Buffer, body_digest, id_bytes, received_digest
from secagg.parameters import MAX_CLIENTS
from secagg.params import MAX_VECTORS
from secagg.sharing.shamir import SHARE_BYTES

ClientId = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
PublicKey = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
Certificate = Annotated[bytes, msgspec.Meta(max_length=CERTIFICATE_BYTES)]
"""Whole or empty: which of the two, the directory decides."""

# Lists are bounded: an empty field costs two bytes on the wire and a hundred in memory.
Ids = Annotated[tuple[ClientId, ...], msgspec.Meta(max_length=MAX_CLIENTS)]
Packed = Annotated[tuple[memoryview, ...], msgspec.Meta(max_length=MAX_VECTORS)]

NONCE_BYTES = 12
PLAINTEXT_BYTES = 8 + 8 + 2 * SHARE_BYTES
CIPHERTEXT_BYTES = NONCE_BYTES + PLAINTEXT_BYTES + 16
"""A nonce; under AES-GCM sender, receiver, share of s_sk, share of b_u; the tag."""

SEALED_BYTES = 32 + 16
"""What sealing the shares of round 4 adds: an ephemeral key and the tag."""


ID_BYTES = 8
KEYS_BYTES = 32 + 32 + 32
SIGNATURE_BYTES = 64

UNSIGNED = bytes(SIGNATURE_BYTES)
"""Stands where the signature will be while a message is being written."""


class Message(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Anything that is sent."""


class Authored(Message, frozen=True):
    """Anything a client sends: it has an author and a round, and its last field is a signature."""

    round: ClassVar[int]
    u: ClientId


class AdvertiseKeys(Authored, frozen=True, tag=0):
    """Round 0: u's public keys and the commitment to its self-mask seed b_u.

    The certificate says which identity key is u's; it is empty where the directory pins keys.
    """

    round = 0
    c_pk: PublicKey
    s_pk: PublicKey
    commitment: Digest
    certificate: Certificate
    signature: Signature

    def body(self) -> bytes:
        """What is signed."""
        return body_digest(self.c_pk, self.s_pk, self.commitment, self.certificate)


class Roster(Message, frozen=True, tag=1):
    """To each of U1: everybody's advertisement, ascending by id, in columns.

    A column is one field of packed records, so that a roster of any size is decoded at once, and
    read where it is needed. Nothing but the columns' types is checked here: `roster` does the rest.

    Attributes:
        ids: 8 little-endian bytes each.
        keys: c_pk ‖ s_pk ‖ commitment, KEYS_BYTES each.
        certificates: CERTIFICATE_BYTES each, or none at all where the directory pins keys.
        signatures: 64 bytes each.
    """

    ids: memoryview
    keys: memoryview
    certificates: memoryview
    signatures: memoryview

    @classmethod
    def of(cls, entries: Sequence[AdvertiseKeys]) -> "Roster":
        """The columns of these advertisements, in their order."""
        columns = (
            pack_ids(e.u for e in entries),
            b"".join(e.c_pk + e.s_pk + e.commitment for e in entries),
            b"".join(e.certificate for e in entries),
            b"".join(e.signature for e in entries),
        )
        return cls(*(memoryview(column) for column in columns))

    def kept(self) -> "Roster":
        """The same in memory of its own: a frame may stand in a buffer that is used again."""
        columns = self.ids, self.keys, self.certificates, self.signatures
        return Roster(*(memoryview(bytes(column)) for column in columns))

    def __len__(self) -> int:
        """How many advertisements there are."""
        return len(self.ids) // ID_BYTES

    def entry(self, i: int) -> AdvertiseKeys:
        """The i-th advertisement of a roster whose columns fit each other."""
        keys = record(self.keys, i, KEYS_BYTES)
        return AdvertiseKeys(
            int.from_bytes(record(self.ids, i, ID_BYTES), "little"),
            keys[:32],
            keys[32:64],
            keys[64:],
            record(self.certificates, i, CERTIFICATE_BYTES),
            record(self.signatures, i, SIGNATURE_BYTES),
        )

    @property
    def entries(self) -> tuple[AdvertiseKeys, ...]:
        """All of them, as objects: for who needs every one."""
        return tuple(map(self.entry, range(len(self))))


class ShareKeys(Authored, frozen=True, tag=2):
    """Round 1: one ciphertext of CIPHERTEXT_BYTES for each v in N(u), ascending by v."""

    round = 1
    ciphertexts: memoryview
    signature: Signature

    def body(self) -> bytes:
        """What is signed."""
        return body_digest(self.ciphertexts)


class Ciphertexts(Message, frozen=True, tag=3):
    """To u in U2: the ciphertexts addressed to it, one from each sender, ascending by sender.

    Nobody signs it. Each ciphertext authenticates itself, but who is among the senders decides
    which masks u adds: so u signs the `digest` of what it was given, in its MaskedInput.
    """

    senders: Ids
    ciphertexts: memoryview

    def digest(self) -> bytes:
        """What u was given, as it signs it in round 2."""
        return received_digest(pack_ids(self.senders), self.ciphertexts)


class MaskedInput(Authored, frozen=True, tag=4):
    """Round 2: y_u, packed vector by vector, and whose ciphertexts did not open, ascending.

    The signature covers what u was given to mask with: the server knows what it sent, so that
    digest does not travel, and a y_u in answer to anything else has no valid signature.
    """

    round = 2
    vectors: Packed
    unopened: Ids
    signature: Signature

    def body(self, received: bytes) -> bytes:
        """What is signed; `received` is the digest of the Ciphertexts that are answered."""
        return body_digest(received, *self.vectors, pack_ids(self.unopened))


class Survivors(Message, frozen=True, tag=5):
    """To each of U3: U3, ascending."""

    U3: Ids


class ConsistencyCheck(Authored, frozen=True, tag=6):
    """Round 3: u's signature of U3. The server knows which U3 it sent: the list does not travel."""

    round = 3
    signature: Signature

    @staticmethod
    def body(U3: Iterable[int]) -> bytes:
        """What is signed."""
        return body_digest(pack_ids(U3))


class Signatures(Message, frozen=True, tag=7):
    """To each of U4: signatures of U3 by members of it, ascending.

    Attributes:
        packed: SIGNATURE_BYTES for each of the signers.
    """

    signers: Ids
    packed: memoryview

    @classmethod
    def of(cls, signers: Iterable[int], signatures: Iterable[bytes]) -> "Signatures":
        """These signatures, one after another."""
        return cls(tuple(signers), memoryview(b"".join(signatures)))

    @property
    def signatures(self) -> tuple[bytes, ...]:
        """All of them, as objects: for who needs every one."""
        return tuple(records(self.packed, SIGNATURE_BYTES))


class Unmasking(Authored, frozen=True, tag=8):
    """Round 4: one share for each owner that u holds shares of, ascending by owner, sealed.

    Only the server's private key opens them (`server_sealing.seal_for_server`).
    The share is of b_v where v is in U3 and of s_sk_v where it is not. Which one is a function of
    the one signed U3, and there is one place for it: both shares of one owner cannot be sent.
    """

    round = 4
    sealed: memoryview
    signature: Signature

    def body(self) -> bytes:
        """What is signed."""
        return body_digest(self.sealed)


class SessionEnd(Message, frozen=True, tag=9):
    """The session is over, with a sum or without one; `tag` is the server's, for one client."""

    summed: bool
    tag: Digest


ClientMessage = AdvertiseKeys | ShareKeys | MaskedInput | ConsistencyCheck | Unmasking
ServerMessage = Roster | Ciphertexts | Survivors | Signatures | SessionEnd
AnyMessage = ClientMessage | ServerMessage


def pack_ids(ids: Iterable[int]) -> bytes:
    """Client ids, ID_BYTES little-endian bytes each."""
    return b"".join(map(id_bytes, ids))


def record(packed: Buffer, i: int, size: int) -> bytes:
    """The i-th record of a packed field; empty beyond its end."""
    return bytes(packed[i * size : (i + 1) * size])


def records(packed: Buffer, size: int) -> list[bytes]:
    """The fixed-size records of a packed field whose length was checked."""
    raw = bytes(packed)
    return [raw[start : start + size] for start in range(0, len(raw), size)]


def strictly_ascending(ids: tuple[int, ...]) -> bool:
    """Whether a list of ids is in its one allowed order, so without repetition."""
    return all(a < b for a, b in pairwise(ids))
